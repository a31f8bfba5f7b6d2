"""The gate: what passes, what does not, and that the reason is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.edge.bundle.signature import TensorSpec
from dltk.edge.families import family
from dltk.edge.families.shared.base import Metric
from dltk.edge.gains import gain_with_interval
from dltk.edge.metrics import mean_cosine
from dltk.validate import Gate, Scoring, compare_outputs, run_worker

SAMPLES = tiny.raws(200)
REFERENCE = tiny.reference(SAMPLES)
RIGHT = REFERENCE["logits"].argmax(axis=1)
ACCURACY = family("classification").metrics[0]


def shifted(by: float) -> dict:
    return {"logits": REFERENCE["logits"] + np.float32(by)}


@pytest.mark.parametrize(
    ("precision", "by", "passes"),
    [
        ("float32", 0.0, True),
        ("float32", 1e-6, True),
        ("float32", 1e-3, False),
        ("float16", 1e-3, True),
        ("float16", 0.5, False),
    ],
)
def test_float_files_are_held_to_the_largest_difference(precision, by, passes):
    verdict = compare_outputs(REFERENCE, shifted(by), precision=precision, signature=tiny.SIGNATURE)
    assert verdict.passed == passes
    assert verdict.parity["measure"] == "max_abs"
    assert verdict.parity["error"] == pytest.approx(by, abs=1e-6)  # logits of about 3 have steps of 2e-7
    assert verdict.metric is None
    assert bool(verdict.reasons) != passes


def test_quantized_files_are_held_to_cosine_and_agreement():
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 1, REFERENCE["logits"].shape)
    near, far = ({"logits": (REFERENCE["logits"] + scale * noise).astype(np.float32)} for scale in (0.01, 1.0))
    good = compare_outputs(REFERENCE, near, precision="int8", signature=tiny.SIGNATURE)
    assert good.passed
    assert good.parity["top1_agreement"] >= 0.95
    bad = compare_outputs(REFERENCE, far, precision="int8", signature=tiny.SIGNATURE)
    assert not bad.passed
    assert "cosine" in bad.reasons[0]
    loose = Gate(cosine=0.0, top1_agreement=0.0)
    assert compare_outputs(REFERENCE, far, precision="int8", signature=tiny.SIGNATURE, gate=loose).passed


def test_one_near_tie_among_few_samples_does_not_decide():
    reference = {"logits": np.array([[1.0, 0.999, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], np.float32)}
    flipped = {"logits": reference["logits"].copy()}
    flipped["logits"][0, 1] = 1.001
    assert compare_outputs(reference, flipped, precision="int8", signature=tiny.SIGNATURE).passed
    flipped["logits"][1] = [3.1, 3.0, 0.0]
    assert not compare_outputs(reference, flipped, precision="int8", signature=tiny.SIGNATURE).passed


def test_the_drop_has_an_interval_and_a_limit():
    worse = {"logits": REFERENCE["logits"].copy()}
    worse["logits"][:10] = np.roll(worse["logits"][:10], 1, axis=1)  # ten of 200 wrong: 5 points
    gate = Gate(cosine=0.0, top1_agreement=0.0)
    common = {"precision": "int8", "signature": tiny.SIGNATURE, "scoring": Scoring(RIGHT, ACCURACY)}
    verdict = compare_outputs(REFERENCE, worse, gate=gate, **common)
    assert not verdict.passed
    assert verdict.metric["drop"] == pytest.approx(0.05)
    low, high = verdict.metric["interval"]
    assert 0.0 < low < 0.05 < high < 0.1  # 1.96 standard errors are 0.03
    assert compare_outputs(REFERENCE, worse, gate=Gate(cosine=0.0, top1_agreement=0.0, drop=0.06), **common).passed
    assert verdict == compare_outputs(REFERENCE, worse, gate=gate, **common)


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ({"scores": REFERENCE["logits"]}, "scores"),
        ({"logits": REFERENCE["logits"][:, :2]}, "shape"),
        ({"logits": REFERENCE["logits"][:5]}, "shape"),
        ({"logits": np.full_like(REFERENCE["logits"], np.nan)}, "finite"),
        ({"logits": np.zeros_like(REFERENCE["logits"])}, "same for every sample"),
    ],
)
def test_outputs_that_are_none(outputs, words):
    verdict = compare_outputs(REFERENCE, outputs, precision="int8", signature=tiny.SIGNATURE, gate=Gate(cosine=-1.0))
    assert not verdict.passed
    assert words in verdict.reasons[0]


def test_called_int8_but_float(models):
    result = run_worker(models["model.float32.tflite"], "tflite", tiny.SIGNATURE, SAMPLES)
    common = {"precision": "int8", "signature": tiny.SIGNATURE, "float_operators": result.float_operators}
    verdict = compare_outputs(REFERENCE, result.outputs, **common)
    assert verdict.reasons == ("called int8 but computes in float32: FULLY_CONNECTED",)
    assert compare_outputs(REFERENCE, result.outputs, left_float=("FULLY_CONNECTED",), **common).passed


@pytest.mark.parametrize(
    "file", ["model.float32.tflite", "model.int8.tflite", "model.int8-io.tflite", "model.int8.onnx"]
)
def test_real_files_pass_the_default_gate(models, file):
    _, precision, form = file.split(".")
    result = run_worker(models[file], form, tiny.SIGNATURE, SAMPLES)
    verdict = compare_outputs(
        REFERENCE,
        result.outputs,
        precision=precision,
        signature=tiny.SIGNATURE,
        gate=Gate(drop=0.05),  # one layer with an output step of 0.1 flips near ties that a trained model does not have
        scoring=Scoring(RIGHT, ACCURACY),
        float_operators=result.float_operators,
    )
    assert verdict.passed, verdict.reasons


def counted(worse=0, better=0, count=36, classes=3):
    """Two sets of logits and targets: `worse` predictions that were right become wrong, `better` the other way."""
    right = np.arange(count) % classes
    before, after = (3.0 * np.eye(classes, dtype=np.float32)[right] for _ in range(2))
    after[:worse] = np.roll(after[:worse], 1, axis=1)
    before[worse : worse + better] = np.roll(before[worse : worse + better], 1, axis=1)
    return {"logits": before}, {"logits": after}, right


LOOSE = {"cosine": -1.0, "top1_agreement": 0.0}


def decided(worse=0, better=0, count=36, *, precision="int8", targets=None, **gate):
    before, after, right = counted(worse, better, count)
    scoring = Scoring(right if targets is None else targets, ACCURACY)
    # At another step of their grids, so that nobody takes them for the float32 model.
    after = {"logits": after["logits"] * np.float32(1.01)}
    return compare_outputs(
        before, after, precision=precision, signature=tiny.SIGNATURE, gate=Gate(**LOOSE | gate), scoring=scoring
    )


@pytest.mark.parametrize(
    ("worse", "better", "count", "ends"),
    [
        (0, 0, 500, "passed"),
        (0, 0, 36, "noted"),
        (1, 0, 36, "noted"),
        (2, 2, 36, "noted"),
        (1, 0, 1, "noted"),
        (2, 0, 6, "noted"),
        (6, 0, 36, "refused"),
        (6, 0, 6, "refused"),
        (20, 5, 200, "refused"),
        (400, 350, 10_000, "passed"),
        (1000, 500, 10_000, "refused"),
    ],
)
def test_samples_decide_what_they_can(worse, better, count, ends):
    """Two points of accuracy. What cannot be decided passes with a note, and is refused where proof is asked for."""
    verdict = decided(worse, better, count)
    assert (verdict.passed, bool(verdict.notes)) == {
        "passed": (True, False), "noted": (True, True), "refused": (False, False),
    }[ends]  # fmt: skip
    assert verdict.parity.get("notes", []) == list(verdict.notes)
    changed = f"{worse + better} of {count} predictions changed"
    for words in (*verdict.notes, *verdict.reasons):
        assert f"accuracy: {changed}; {count} samples cannot decide 2 points; " in words or changed in words
    strict = decided(worse, better, count, strict=True)
    assert (strict.passed, strict.notes) == (ends == "passed", ())
    low, high = verdict.metric["interval"]
    assert low <= verdict.metric["drop"] <= high
    assert (low > 0.02, high > 0.02) == {
        "passed": (False, False), "noted": (False, True), "refused": (True, True),
    }[ends]  # fmt: skip


@pytest.mark.parametrize(("worse", "better", "count"), [(0, 0, 36), (1, 0, 36), (3, 1, 60), (0, 1, 40), (2, 2, 100)])
def test_the_number_that_would_decide_does(worse, better, count):
    (note,) = decided(worse, better, count).notes
    would = int(note.split("about ")[1].split(" would")[0].replace(",", ""))
    assert would > count
    scale = -(-would * 1.1 // count)  # whole multiples: the same shares; two digits are said
    more = decided(int(worse * scale), int(better * scale), int(count * scale))
    assert not more.notes


def test_at_the_limit_no_number_decides():
    (note,) = decided(1, 0, 50).notes  # one of 50 is two points
    assert "no realistic number of samples would" in note


@pytest.mark.parametrize(
    ("changed", "count", "ends"),
    [(7, 100, "noted"), (12, 100, "refused"), (0, 200, "passed"), (0, 36, "noted"), (1, 3, "noted"), (2, 3, "refused")],
)
def test_agreement_counts_samples_too(changed, count, ends):
    """Top-1 agreement of 0.95."""
    before, after, _ = counted(changed, 0, count)
    common = {"precision": "int8", "signature": tiny.SIGNATURE}
    verdict = compare_outputs(before, after, gate=Gate(cosine=-1.0), **common)
    assert (verdict.passed, bool(verdict.notes)) == {
        "passed": (True, False), "noted": (True, True), "refused": (False, False),
    }[ends]  # fmt: skip
    for words in (*verdict.notes, *verdict.reasons):
        assert words.startswith(f"{changed} of {count} predictions changed")
    assert compare_outputs(before, after, gate=Gate(cosine=-1.0, strict=True), **common).passed is (ends == "passed")
    if ends == "refused":
        assert compare_outputs(before, after, gate=Gate(cosine=-1.0, **verdict.accepts), **common).passed


def test_a_mean_cosine_that_few_samples_cannot_decide():
    generator = np.random.Generator(np.random.PCG64(0))
    reference = generator.normal(0, 3, (36, 5)).astype(np.float32)
    noisy = reference.copy()
    noisy[:3] += generator.normal(0, 1.5, (3, 5))  # three bad ones of 36: 0.987 on all, and 0.99 lies within
    spec = TensorSpec("logits", "float32", (None, 5), ("batch", "class"))
    common = {"precision": "dynamic", "signature": replace(tiny.SIGNATURE, outputs=(spec,), labels=tuple("abcde"))}
    gate = Gate(cosine=float(np.round(mean_cosine(reference, noisy), 3)) + 0.001, top1_agreement=0.0)
    verdict = compare_outputs({"logits": reference}, {"logits": noisy}, gate=gate, **common)
    assert verdict.passed
    (note,) = verdict.notes
    assert "which is not conclusive" in note
    everywhere = reference + generator.normal(0, 1.5, reference.shape).astype(np.float32)
    refused = compare_outputs({"logits": reference}, {"logits": everywhere}, gate=gate, **common)
    assert not refused.passed
    assert compare_outputs(
        {"logits": reference}, {"logits": everywhere}, gate=replace(gate, **refused.accepts), **common
    ).passed


def test_what_equals_the_model_before_has_nothing_to_prove():
    """Six samples prove nothing of accuracy, and need not where every output is the same to 1e-5."""
    before, _, right = counted(count=6)
    given = {"scoring": Scoring(right, ACCURACY), "gate": Gate(strict=True), "signature": tiny.SIGNATURE}
    assert compare_outputs(before, before, precision="float32", **given).passed


@pytest.mark.parametrize("count", range(6, 61, 9))
@pytest.mark.parametrize("better", [0, 1])
def test_a_gain_is_never_refused_and_never_called_a_drop(count, better):
    verdict = decided(0, better, count)
    assert verdict.passed
    assert verdict.metric["drop"] == -better / count
    words = gain_with_interval(verdict.metric)
    assert words.startswith(f"+{100 * better / count:.1f} points [-")
    assert "drop" not in "".join(verdict.notes)


def test_no_samples_and_numbers_that_are_none_are_reasons():
    nothing = {"logits": np.zeros((0, 3), np.float32)}
    common = {"precision": "int8", "signature": tiny.SIGNATURE}
    assert compare_outputs(nothing, nothing, **common).reasons == ("cannot be compared: there are no samples",)
    broken = {"logits": np.full((6, 3), np.nan, np.float32)}
    (reason,) = compare_outputs(broken, broken, **common).reasons
    assert "of the reference has numbers that are not finite" in reason
    odd = replace(ACCURACY, scores=lambda outputs, targets, signature: np.array([np.nan] + [1.0] * 5))
    before, after, right = counted(count=6)
    verdict = compare_outputs(before, after, scoring=Scoring(right, odd), **common)
    assert verdict.metric is None
    assert verdict.reasons == ("accuracy cannot be computed: it is no finite number on 1 of 6 samples",)


@pytest.mark.parametrize(("scale", "ends"), [(1.001, "passed"), (1.5, "refused")])
def test_a_metric_that_is_no_share_is_relative(scale, ends):
    """A mean absolute error of about 3: 2 percent of it may be lost."""
    errors = np.random.Generator(np.random.PCG64(2)).uniform(2, 4, 200)
    metric = Metric("mean_absolute_error", False, False, lambda outputs, *_: errors * outputs["logits"][:, 0])
    before, after = ({"logits": np.full((200, 3), by, np.float32) + np.eye(3, dtype=np.float32)[np.arange(200) % 3] * 0}
                     for by in (1.0, scale))  # fmt: skip
    gate = Gate(**LOOSE)
    given = {"scoring": Scoring(errors, metric), "gate": gate, "precision": "int8", "signature": tiny.SIGNATURE}
    verdict = compare_outputs(before, after, **given)
    assert verdict.passed is (ends == "passed"), verdict.reasons
    assert "changed" not in verdict.metric
    if ends == "refused":
        assert "worse by more than 2%" in verdict.reasons[0]
        assert compare_outputs(before, after, **given | {"gate": replace(gate, **verdict.accepts)}).passed


def test_a_limit_that_was_missed_is_named_with_one_that_is_met():
    verdict = compare_outputs(REFERENCE, shifted(1e-3), precision="float32", signature=tiny.SIGNATURE)
    gate = Gate(**verdict.accepts)
    assert compare_outputs(REFERENCE, shifted(1e-3), precision="float32", signature=tiny.SIGNATURE, gate=gate).passed
    refused = decided(6, 0, 36)
    assert decided(6, 0, 36, drop=refused.accepts["drop"]).passed
    assert decided(1, 0, 36, strict=True, drop=decided(1, 0, 36, strict=True).accepts["drop"]).passed
