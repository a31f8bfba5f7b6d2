"""`replay` passes a sound bundle and catches one whose parts are sound but do not belong together."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import tiny
from dltk.base.errors import EnvironmentFault, InputError, LimitError, UsageError
from dltk.edge import replay
from dltk.edge.families import family
from dltk.edge.runtime import worker


def golden(samples: np.ndarray) -> dict[str, np.ndarray]:
    tensors = family("classification").tensors(samples, tiny.SIGNATURE)
    return {"raw": samples, "tensor:image": tensors["image"], "output:logits": tiny.reference(samples)["logits"]}


def test_a_sound_bundle_passes(bundle):
    report = replay(bundle)
    assert report["passed"]
    assert report["tensors_equal"]
    assert [artifact["status"] for artifact in report["artifacts"]] == ["passed"] * 5
    assert report["artifacts"][0]["parity"]["error"] <= report["artifacts"][0]["parity"]["limit"]


def test_another_models_answers_fail(tmp_path, models):
    changed = models | {"model.float32.onnx": tiny.onnx(shift=0.01)}
    tiny.write_bundle(tmp_path / "b", changed)
    with pytest.raises(LimitError, match=r"model\.float32\.onnx") as caught:
        replay(tmp_path / "b")
    assert caught.value.exit_code == 4
    status = {found["file"]: found["status"] for found in caught.value.measured["artifacts"]}
    assert status.pop("model.float32.onnx") == "failed"
    assert set(status.values()) == {"passed"}
    assert replay(tmp_path / "b", runtime="tflite")["passed"]


def test_an_int8_file_that_answers_something_else_fails(tmp_path, models):
    samples = tiny.raws(8)
    stored = golden(samples)
    stored["output:logits"] = stored["output:logits"][:, ::-1].copy()
    tiny.write_bundle(tmp_path / "b", {"model.int8.tflite": models["model.int8.tflite"]}, golden=stored)
    with pytest.raises(LimitError, match="cosine"):
        replay(tmp_path / "b")


def test_a_file_that_does_not_load_here_fails_beside_the_others(tmp_path, models):
    tiny.write_bundle(tmp_path / "b", {"model.float32.tflite": b"no model", "model.float32.onnx": tiny.onnx()})
    with pytest.raises(LimitError, match=r"model\.float32\.tflite") as caught:
        replay(tmp_path / "b")
    assert [found["status"] for found in caught.value.measured["artifacts"]] == ["failed", "passed"]


def test_other_preprocessing_fails(tmp_path, models):
    stored = golden(tiny.raws(8))
    stored["tensor:image"] = np.nextafter(stored["tensor:image"], np.float32(2))  # one bit
    tiny.write_bundle(tmp_path / "b", {"model.float32.tflite": models["model.float32.tflite"]}, golden=stored)
    with pytest.raises(LimitError, match="tensors"):
        replay(tmp_path / "b")


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.pop("raw"),
        lambda stored: stored.pop("output:logits"),
        lambda stored: stored.update(raw=stored["raw"][:3]),
        lambda stored: stored.update({key: value[:0] for key, value in stored.items()}),
    ],
)
def test_golden_samples_that_do_not_fit_are_refused(tmp_path, models, change):
    stored = golden(tiny.raws(8))
    change(stored)
    tiny.write_bundle(tmp_path / "b", {"model.float32.tflite": models["model.float32.tflite"]}, golden=stored)
    with pytest.raises(InputError, match=r"golden\.npz"):
        replay(tmp_path / "b")


def test_labels_must_be_the_manifests(tmp_path, models):
    manifest = tiny.write_bundle(tmp_path / "b", {"model.float32.tflite": models["model.float32.tflite"]})
    signature = replace(tiny.SIGNATURE, labels=("dog", "cat", "owl"))
    (tmp_path / "b" / "manifest.json").write_bytes(replace(manifest, signature=signature).to_bytes())
    with pytest.raises(InputError, match=r"labels\.txt"):
        replay(tmp_path / "b")


def test_what_has_no_runtime_is_skipped_and_said(bundle, monkeypatch):
    monkeypatch.setattr(sys.modules["dltk.edge.replay"], "available", lambda: ("onnx",))
    found = replay(bundle)["artifacts"]
    assert [artifact["status"] for artifact in found] == ["skipped"] * 3 + ["passed"] * 2
    assert "no runtime" in found[0]["reasons"][0]
    monkeypatch.setattr(sys.modules["dltk.edge.replay"], "available", lambda: ())
    with pytest.raises(EnvironmentFault, match="pip install"):
        replay(bundle)


def test_apart_says_the_same(bundle):
    """The child makes the tensors itself; golden samples are stored with the tensors that the same code made."""
    assert replay(bundle, isolated=True) == replay(bundle)


def test_a_crash_of_the_runtime_fails_one_artifact_and_no_more(bundle, monkeypatch):
    """The child that gets the float32 TFLite file dies as a runtime does in a damaged model."""
    dies = "import os, pathlib, sys; b'TFL3' in pathlib.Path(sys.argv[1], 'model').read_bytes()[4:8] and os.abort()"
    start = worker._run_child

    def run(command, timeout):
        start([*command[:2], "-c", dies, command[-1]], timeout)
        start(command, timeout)

    monkeypatch.setattr(worker, "_run_child", run)
    with pytest.raises(
        LimitError, match=r"model\.float32\.tflite: must not crash its runtime; received SIGABRT"
    ) as caught:
        replay(bundle, isolated=True)
    assert caught.value.exit_code == 4
    found = {artifact["file"]: artifact["status"] for artifact in caught.value.measured["artifacts"]}
    assert {name for name, status in found.items() if status == "passed"} == {n for n in found if n.endswith(".onnx")}


def test_a_file_that_does_not_load_is_named_apart_too(tmp_path, models):
    tiny.write_bundle(tmp_path / "b", {"model.float32.onnx": b"no model"})
    with pytest.raises(LimitError) as caught:
        replay(tmp_path / "b", isolated=True)
    (found,) = caught.value.measured["artifacts"]
    assert found["reasons"][0].startswith("model.float32.onnx: must be a protocol buffer")
    assert "known to load in 1.0" in found["reasons"][0]


def test_an_unknown_runtime_is_a_wrong_use(bundle):
    with pytest.raises(UsageError, match="tflite"):
        replay(bundle, runtime="tensorrt")


@pytest.fixture
def photos(tmp_path):
    """Six pictures, sorted into the folders of the classes that the layer gives them."""
    image = pytest.importorskip("PIL.Image")
    samples = tiny.raws(12)
    for number, (sample, row) in enumerate(zip(samples, tiny.reference(samples)["logits"], strict=True)):
        folder = tmp_path / "photos" / tiny.LABELS[row.argmax()]
        folder.mkdir(parents=True, exist_ok=True)
        image.fromarray(sample).save(folder / f"{number}.png")
    return tmp_path / "photos"


def test_data_scores_every_artifact(bundle, photos):
    for artifact in replay(bundle, data=photos)["artifacts"]:
        assert artifact["metric"]["samples"] == 12
        assert artifact["metric"]["value"] == 1.0 or artifact["precision"] != "float32"


def test_data_with_other_labels_is_refused(bundle, photos):
    (photos / "cat").rename(photos / "zebra")
    with pytest.raises(InputError, match="zebra"):
        replay(bundle, data=photos)


@pytest.mark.parametrize(("then", "passes"), [(0.0074, True), (0.0002, False)])
def test_a_bundle_without_measured_samples_may_miss_a_mean_as_few_samples_do(
    tmp_path, models, monkeypatch, then, passes
):
    """Eight golden samples, of which one lies far off: a mean cosine of 0.985 where all test samples had 0.9926."""
    parity = {"measure": "cosine", "error": then, "tolerance": 0.99, "top1_agreement": 1.0, "top1_tolerance": 0.0}
    monkeypatch.setitem(tiny.PARITY, "int8", parity)
    stored = golden(tiny.raws(8))
    logits = stored["output:logits"] = stored["output:logits"].copy()
    row = logits[0]
    across = np.cross(row, [1.0, 0.0, 0.0])
    logits[0] = row + across / np.linalg.norm(across) * np.linalg.norm(row) * 0.55  # its cosine falls to 0.876
    tiny.write_bundle(tmp_path / "b", {"model.int8.tflite": models["model.int8.tflite"]}, golden=stored)
    if passes:
        (found,) = replay(tmp_path / "b")["artifacts"]
        assert found["parity"]["error"] > 0.01
        assert "notes" not in found["parity"]
    else:
        with pytest.raises(LimitError, match=r"mean cosine with the reference is 0\.98"):
            replay(tmp_path / "b")
