"""What a replay is held to: the errors that were measured, sample by sample, and a margin; the page decides alike."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.base.errors import InputError, LimitError
from dltk.edge import replay
from dltk.edge.recorded_errors import KEY, RecordedErrors, check_replay, distances, record_errors
from javascript import run as javascript

ONE = "model.int8.tflite"


def drawn(seed, count, classes, step):
    """A reference and integer outputs near it, as a file with an output step of `step` gives them."""
    generator = np.random.Generator(np.random.PCG64(seed))
    reference = generator.normal(0, 3, (count, classes)).astype(np.float32)
    noisy = reference + generator.normal(0, 2 * step, reference.shape)
    return {"logits": reference}, {"logits": (np.rint(noisy / step) * step).astype(np.float32)}


@pytest.mark.parametrize("seed", range(200))
def test_whatever_was_measured_holds_again_and_on_processors_that_round_otherwise(seed):
    """6 to 60 samples, 2 to 20 classes, any seed: for all golden samples, for any few, and up to the margin off."""
    generator = np.random.Generator(np.random.PCG64(seed))
    count, classes, step = (
        int(generator.integers(6, 61)),
        int(generator.integers(2, 21)),
        float(generator.uniform(0.01, 0.5)),
    )
    reference, outputs = drawn(seed, count, classes, step)
    then = record_errors(reference, outputs, precision="int8", steps={"logits": step})
    then = RecordedErrors.from_dict(json.loads(json.dumps(then.as_dict())), ["logits"], count, "file")
    assert check_replay(then, reference, outputs)["passed"]
    elsewhere = {"logits": outputs["logits"] + step * generator.integers(-2, 3, outputs["logits"].shape)}
    assert check_replay(then, reference, elsewhere)["passed"]  # armv7: within 2 steps
    few = generator.permutation(count)[:2]
    some = replace(then, errors=tuple(then.errors[i] for i in few))
    assert check_replay(some, {"logits": reference["logits"][few]}, {"logits": elsewhere["logits"][few]})["passed"]
    damaged = {"logits": outputs["logits"].copy()}
    damaged["logits"][count // 2, 0] += step * 2 * (then.errors[count // 2] + then.margin + 1)
    found = check_replay(then, reference, damaged)
    assert (found["passed"], found["sample"]) == (False, count // 2 + 1)


@pytest.mark.parametrize(("precision", "off", "passed"), [
    ("float32", 0.9e-5, True), ("float32", 3e-5, False), ("float16", 0.9e-3, True), ("float16", 3e-3, False),
])  # fmt: skip
def test_float_files_have_a_margin_of_the_largest_output(precision, off, passed):
    reference, _ = drawn(0, 8, 5, 0.1)
    reference["logits"] *= 10
    largest = float(np.abs(reference["logits"]).max())
    then = record_errors(reference, {"logits": reference["logits"] * (1 + 1e-7)}, precision=precision, steps={})
    found = check_replay(then, reference, {"logits": reference["logits"] + off * largest})
    assert found["passed"] is passed


def test_a_file_off_any_grid_is_measured_in_its_range_and_a_rough_one_by_its_own_errors():
    reference, outputs = drawn(1, 10, 4, 0.2)
    range_ = float(np.ptp(outputs["logits"]))
    then = record_errors(reference, outputs, precision="int8", steps={"logits": None})
    assert then.unit["logits"] == pytest.approx(range_ / 255)
    assert then.margin >= 4
    rough = record_errors(reference, outputs, precision="int8", steps={"logits": 0.2}, largest=50.0)
    assert rough.margin == 25.0
    same = record_errors(reference, {"logits": np.ones_like(outputs["logits"])}, precision="dynamic", steps={})
    assert same.unit["logits"] > 0


def sealed(tmp_path, models, change=lambda entry: None, answers=None):
    """A bundle of one file whose manifest says what its golden samples gave; `change` works on that."""
    from dltk.edge.load import open_artifact

    folder = tmp_path / "b"
    manifest = tiny.write_bundle(folder, {ONE: models[ONE]})
    (artifact,) = manifest.artifacts
    samples = tiny.raws(8)
    tensors = tiny.family("classification").tensors(samples, tiny.SIGNATURE)
    outputs = open_artifact(artifact, models[ONE], tiny.SIGNATURE).run(tensors)
    then = record_errors(tiny.reference(samples), outputs, precision="int8", steps={"logits": 0.1}).as_dict()
    changed = change(then)
    parity = {**artifact.parity, KEY: then if changed is None else changed}
    manifest = replace(manifest, artifacts=(replace(artifact, parity=parity),))
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    return folder


def test_a_replay_is_held_to_what_was_measured_and_not_to_the_limits_of_the_file(tmp_path, models, monkeypatch):
    """No int8 file reaches a cosine of 1 - 1e-9 on any few samples; sealed with less, that is what must come again."""
    monkeypatch.setitem(tiny.PARITY, "int8", tiny.PARITY["int8"] | {"tolerance": 1 - 1e-9})
    folder = sealed(tmp_path, models)
    for isolated in (False, True):
        (found,) = replay(folder, isolated=isolated)["artifacts"]
        assert found["parity"]["measure"] == "golden_error"
        assert found["parity"]["error"] == pytest.approx(found["parity"]["recorded"], rel=1e-5)


def test_better_than_the_limit_but_worse_than_measured_fails(tmp_path, models):
    def nearer(entry):
        entry["errors"][5], entry["margin"] = 0.0, 1e-3

    with pytest.raises(LimitError, match=r"differs from the reference by .* in golden sample 6, by 0 at export"):
        replay(sealed(tmp_path, models, nearer))


HOSTILE = {
    "none": lambda entry: [],
    "key": lambda entry: entry.pop("why") and None,
    "more": lambda entry: entry.update(more=1),
    "few": lambda entry: entry["errors"].pop() and None,
    "text": lambda entry: entry.update(errors="12345678"),
    "nested": lambda entry: entry.update(errors=[[0.1]] * 8),
    "bool": lambda entry: entry.update(errors=[True] * 8),
    "negative": lambda entry: entry.update(errors=[-1.0] * 8),
    "huge": lambda entry: entry.update(errors=[10**400] * 8),
    "margin": lambda entry: entry.update(margin=None),
    "margin huge": lambda entry: entry.update(margin=10**400),
    "why": lambda entry: entry.update(why=3),
    "unit": lambda entry: entry.update(unit=0.1),
    "unit name": lambda entry: entry.update(unit={"scores": 0.1}),
    "unit zero": lambda entry: entry.update(unit={"logits": 0}),
    "unit text": lambda entry: entry.update(unit={"logits": "1"}),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_record_that_does_not_fit_is_bad_input(tmp_path, models, change):
    folder = sealed(tmp_path, models, change)
    with pytest.raises(InputError, match=r"model\.int8\.tflite: parity: golden") as caught:
        replay(folder)
    assert caught.value.exit_code == 3
    with pytest.raises(InputError, match="golden"):
        replay(folder, isolated=True)


def test_a_tiny_unit_overflows_without_a_warning(tmp_path, models):
    folder = sealed(tmp_path, models, lambda entry: entry.update(unit={"logits": 5e-324}))
    with pytest.raises(LimitError, match="inf"):
        replay(folder)


def test_the_page_decides_as_python_does(tmp_path):
    cases, wanted = [], []
    for seed in range(40):
        step = 0.1
        reference, outputs = drawn(seed, 5, 3, step)
        then = record_errors(reference, outputs, precision="int8", steps={"logits": step})
        generator = np.random.Generator(np.random.PCG64(seed))
        outputs["logits"] += (step * generator.integers(-8, 9, outputs["logits"].shape)).astype(np.float32)
        found = check_replay(then, reference, outputs)
        parity = {"measure": "golden_error", "unit": step, "errors": list(then.errors), "margin": then.margin}
        cases.append({"found": outputs["logits"].tolist(), "wanted": reference["logits"].tolist(), "parity": parity})
        wanted.append((found["passed"], f"sample {found['sample']} "))
    told = javascript(tmp_path, "judge", cases)
    assert {passed for passed, _ in wanted} == {True, False}
    for theirs, (passed, words) in zip(told, wanted, strict=True):
        assert theirs["passed"] is passed
        assert theirs["words"].startswith(words)
    nothing = {"found": [["NaN", 1, 2]], "wanted": [[0, 0, 0]], "parity": cases[0]["parity"]}
    assert javascript(tmp_path, "judge", [nothing])[0]["passed"] is False


def test_distances_are_of_the_worst_output():
    reference = {"a": np.zeros((2, 3)), "b": np.zeros((2, 2, 2))}
    outputs = {"a": np.array([[0, 1, 0], [0, 0, 0]]), "b": np.full((2, 2, 2), 0.5)}
    assert distances(reference, outputs, {"a": 1.0, "b": 0.25}).tolist() == [2.0, 2.0]
    assert distances(reference, outputs, {"a": 0.1, "b": 0.25}).tolist() == [10.0, 2.0]
