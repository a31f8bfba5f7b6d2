"""A compression makes a whole Run, never touches the one it came from, and goes on where it was interrupted."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest

import small
from dltk.base.errors import InputError, StepOrderError, UsageError
from dltk.base.progress import Silent
from dltk.quantization.plan import QuantizationPlan
from dltk.run import Run
from dltk.workflows import compress

pytestmark = small.QUIET
FLOAT16 = ("quantize:precision=float16",)


class Stop(Silent):
    """Interrupts where a bar with this label would begin."""

    def __init__(self, label):
        super().__init__()
        self.label = label

    def bar(self, label, total):
        if label.startswith(self.label):
            raise KeyboardInterrupt
        return super().bar(label, total)


def without_times(report):
    """A report, less what two runs of the same work differ in."""
    found = json.loads(json.dumps(report))
    for row in [*found["artifacts"], *found["bought"]]:
        row.pop("p50_ms")
    found.pop("commands")  # they name the run's own folder
    for step in found["steps"]:
        for row in step["figures"].get("epochs", []):
            row.pop("seconds")
    return found


def test_what_comes_out_is_a_run(trained, compressed):
    run = Run.open(compressed.path)
    assert run.recipe.name == "cnn"
    assert run.settings() == Run.open(trained.path).settings()
    assert QuantizationPlan.load(run.quantization_path).ranges == "shared"
    assert run.read_json("data") == Run.open(trained.path).read_json("data")
    raws, targets = run.evaluation()
    assert all(np.array_equal(a, b) for a, b in zip((raws, targets), Run.open(trained.path).evaluation(), strict=True))
    assert not run.checkpoints.exists()
    assert not list(run.path.rglob(".dltk-*"))


def test_the_kernels_in_the_run_have_the_zeros_the_report_names(compressed):
    import keras

    model = keras.saving.load_model(compressed.path / "model.keras")
    prune = compressed.found["steps"][0]
    assert prune["changed"]
    for name in prune["changed"]:
        share = float((np.asarray(model.get_layer(name).kernel) == 0).mean())
        assert share == prune["figures"]["sparsity"][name] == pytest.approx(0.4, abs=1e-3)  # whole weights only


def test_the_drop_is_counted_from_the_source(trained, compressed):
    """Both files are held against the model before compression, on the same samples."""
    accuracy = Run.open(trained.path).read_json("metrics")["accuracy"]
    rows = {row["file"]: row for row in compressed.found["artifacts"]}
    assert set(rows) == {"model.float32.tflite", "model.int8.tflite"}
    for row in rows.values():
        assert row["metric"]["reference"] == pytest.approx(accuracy, abs=1e-9)
        assert row["metric"]["drop"] == pytest.approx(accuracy - row["metric"]["value"], abs=1e-9)
    assert rows["model.int8.tflite"]["bytes"] < rows["model.float32.tflite"]["bytes"]
    assert rows["model.int8.tflite"]["passed"], rows["model.int8.tflite"]["reasons"]


def test_without_steps_the_recipes_own_plan_is_taken(trained, tmp_path, monkeypatch):
    """And the source is as it was, to the byte."""
    before = small.files(trained.path)
    monkeypatch.chdir(trained.path.parent)
    made = compress(trained.path.name)
    assert made.run.path == type(trained.path)(f"{trained.path.name}-compressed")
    assert [(step["name"], step["settings"]["precision"]) for step in made.report["steps"]] == [("quantize", "int8")]
    assert made.report["steps"][0]["figures"]["calibration"]["samples"] == 50  # as the run's settings say
    assert made.run.read_json("metrics") == Run.open(trained.path).read_json("metrics")
    assert (made.run.path / "model.keras").is_file()
    assert small.files(trained.path) == before
    shutil.rmtree(made.run.path)


def test_a_finished_step_is_not_taken_again(trained, compressed, tmp_path):
    """Interrupted behind pruning, then resumed: the same model and report as undisturbed."""
    steps = ("prune:sparsity=0.4,epochs=2,batch_size=32", "quantize")
    with pytest.raises(KeyboardInterrupt):
        compress(trained.path, steps=steps, out=tmp_path / "run", progress=Stop("calibrating"))
    with pytest.raises(InputError, match="never overwritten"):
        compress(trained.path, steps=steps, out=tmp_path / "run")
    with pytest.raises(InputError, match="begun with other steps or another model"):
        compress(trained.path, steps=("prune", "quantize"), out=tmp_path / "run", resume=True)
    progress = Silent()
    made = compress(trained.path, steps=steps, out=tmp_path / "run", resume=True, progress=progress)
    assert "prune: is done already" in progress.said
    for name in ("model.keras", "quantization.npz", "baseline.npz", "metrics.json", "signature.json"):
        assert (made.run.path / name).read_bytes() == (compressed.path / name).read_bytes(), name
    assert without_times(made.report) == without_times(Run.open(compressed.path).read_json("report"))
    again = compress(trained.path, steps=steps, out=tmp_path / "run", resume=True, progress=progress)
    assert again.report == made.report
    assert "is finished already" in progress.said[-1]


def test_killed_before_anything_but_the_plan_was_written(trained, tmp_path, monkeypatch):
    module = sys.modules["dltk.run"]
    write = module.write_atomic

    def dying(path, data):
        if path.name == "recipe.json":
            raise KeyboardInterrupt
        write(path, data)

    monkeypatch.setattr(module, "write_atomic", dying)
    with pytest.raises(KeyboardInterrupt):
        compress(trained.path, steps=FLOAT16, out=tmp_path / "run")
    monkeypatch.setattr(module, "write_atomic", write)
    made = compress(trained.path, steps=FLOAT16, out=tmp_path / "run", resume=True)
    assert {row["precision"] for row in made.report["artifacts"]} == {"float32", "float16"}
    assert made.run.is_finished


@pytest.mark.parametrize(
    ("steps", "error", "code"),
    [
        (("prun",), UsageError, 2),
        (("quantize", "prune"), StepOrderError, 3),
        (("prune:sparsity=2",), InputError, 3),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_made(trained, tmp_path, steps, error, code):
    with pytest.raises(error) as caught:
        compress(trained.path, steps=steps, out=tmp_path / "run")
    assert caught.value.exit_code == code
    assert not (tmp_path / "run").exists()


def test_what_is_no_run_or_quantized_already_is_refused(trained, compressed, tmp_path):
    with pytest.raises(InputError, match="must be a run folder"):
        compress(tmp_path / "none")
    with pytest.raises(InputError, match="is quantized already"):
        compress(compressed.path, out=tmp_path / "run")
    shutil.copytree(trained.path, tmp_path / "torn")
    (tmp_path / "torn" / "metrics.json").unlink()
    with pytest.raises(InputError, match="was not finished"):
        compress(tmp_path / "torn", out=tmp_path / "run")
    shutil.copytree(trained.path, tmp_path / "other data")
    data = json.loads((tmp_path / "other data" / "data.json").read_bytes()) | {"digest": "0" * 64}
    (tmp_path / "other data" / "data.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="must still be the data"):
        compress(tmp_path / "other data", out=tmp_path / "run")
    shutil.copytree(trained.path, tmp_path / "damaged")
    whole = (tmp_path / "damaged" / "model.keras").read_bytes()
    (tmp_path / "damaged" / "model.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"model\.keras"):
        compress(tmp_path / "damaged", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
