"""Whatever small test split it was exported with, a bundle validates: here, apart, alone, and without TensorFlow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import small
from dltk.base.errors import LimitError
from dltk.edge import replay
from dltk.edge.bundle.arrays import read_npz, save_npz
from dltk.edge.bundle.integrity import read_bundle
from dltk.run import Run
from dltk.validate import Gate
from dltk.workflows import adopt, compress, export
from dltk.workflows.compress import CompressOptions
from dltk.workflows.exporting import rehearse
from workflows.test_export import light

pytestmark = small.QUIET
OPEN = Gate(cosine=-1.0, top1_agreement=0.0, drop=1.0)  # whether a model is good is not what is asked here


def require_valid(folder):
    """By every way there is to replay a bundle on this machine."""
    for isolated in (False, True):
        found = replay(folder, isolated=isolated)
        assert {each["status"] for each in found["artifacts"]} == {"passed"}
        assert {each["parity"]["measure"] for each in found["artifacts"]} == {"golden_error"}
    done = light("validate", folder, "--json")
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-I", folder / "run.pyz", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def with_split(run, folder, seed, count):
    """The run with `count` of its test samples, drawn by `seed`."""
    shutil.copytree(run, folder)
    made = Run.open(folder)
    raws, targets = made.evaluation()
    kept = np.random.Generator(np.random.PCG64(seed)).permutation(len(raws))[:count]
    save_npz(made.evaluation_path, {"raws": raws[kept], "targets": targets[kept]})
    save_npz(made.baseline_path, {name: value[kept] for name, value in read_npz(made.baseline_path).items()})
    return folder


@pytest.mark.parametrize(("seed", "count"), [(1, 6), (2, 23)])
def test_a_bundle_of_a_small_split_validates(compressed, tmp_path, seed, count):
    """By the default gate: two epochs of training leave near ties, and what so few samples show of them is noted."""
    folder = export(with_split(compressed.path, tmp_path / "run", seed, count), out=tmp_path / "bundle").path
    require_valid(folder)
    for artifact in read_bundle(folder).manifest.artifacts:
        then = artifact.parity["golden"]
        assert len(then["errors"]) == min(8, count)
        assert then["why"].startswith("other processors and runtimes")
        if artifact.precision != "float32":
            assert any(f"of {count} predictions changed" in note for note in artifact.parity["notes"])


def test_notes_are_printed_kept_and_with_strict_refused(compressed, tmp_path):
    run = with_split(compressed.path, tmp_path / "run", 3, 12)
    words = ("export", run, "--format", "tflite", "--out", tmp_path / "bundle")
    done = small.invoke(*words)
    assert done.exit_code == 0, done.output
    assert "Passed, but there are too few test samples to decide:" in done.stdout
    assert "12 samples cannot decide 2 points; about " in done.stdout
    assert "gain [95% interval]" in done.stdout
    assert re.search(r"points \[.*\] +\d of 12$", done.stdout, re.MULTILINE)
    report = json.loads((tmp_path / "bundle" / "report.json").read_bytes())
    assert any("cannot decide" in note for row in report["artifacts"] for note in row["notes"])
    assert "cannot decide 2 points" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    done = small.invoke("report", tmp_path / "bundle")
    assert "cannot decide 2 points" in done.stdout
    done = small.invoke(*words[:-1], tmp_path / "strict", "--strict")
    assert done.exit_code == 4
    assert "Without --strict, a file passes with a note if the samples cannot decide." in done.stderr
    assert not (tmp_path / "strict").exists()
    moved = done.stderr.partition("All pass with ")[2].partition(" Without")[0].rstrip(".").split()
    assert moved[::2] == ["--gate"] * (len(moved) // 2)
    done = small.invoke(*words[:-1], tmp_path / "strict", "--strict", *moved)  # the advice works
    assert done.exit_code == 0, done.output
    assert read_bundle(tmp_path / "strict").manifest.gate["strict"] is True


def test_a_file_that_answers_otherwise_in_the_replay_is_not_sealed(compressed, tmp_path, monkeypatch):
    """The second time a sample lies farther off than the first: nothing is written."""
    whole = rehearse.record_errors

    def luckier(*given, **named):
        then = whole(*given, **named)
        return type(then)(then.unit, tuple(0.0 for _ in then.errors), 1e-9, then.why)

    monkeypatch.setattr(rehearse, "record_errors", luckier)
    with pytest.raises(
        LimitError, match=r"must give the measured predictions in a replay;.* golden sample .* No bundle was written"
    ):
        export(compressed.path, out=tmp_path / "bundle", formats=("tflite",), precisions=("int8",))
    assert not (tmp_path / "bundle").exists()


def noise(folder, classes, each, seed):
    """`each` pictures of noise around a grey of their own in a folder for each class."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for label in range(classes):
        place = folder / f"class-{label:02d}"
        place.mkdir(parents=True)
        for number in range(each):
            pixels = generator.normal(40 + 170 * label / classes, 40, (12, 12, 3))
            Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(place / f"{number}.png")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    ("classes", "each", "seed", "last"), [(2, 15, 0, "linear"), (3, 60, 1, "softmax"), (20, 15, 2, "linear")]
)
def test_any_model_on_any_small_split_validates(tmp_path, classes, each, seed, last):
    """6, 36 and 60 test pictures of an untrained model, of which every prediction is nearly a tie."""
    import keras

    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(classes, activation=last),
    ]
    keras.Sequential([keras.Input((12, 12, 3)), *layers]).save(tmp_path / "model.keras")
    data = noise(tmp_path / "data", classes, each, seed)
    pairs = ("data.size=12", "input.range=0..1", "input.check=false", f"seed={seed}", "calibration.samples=30")
    run = adopt(tmp_path / "model.keras", recipe="cnn", data=data, run=tmp_path / "run", set=pairs)
    assert len(run.evaluation()[0]) == classes * each // 5
    less = compress(run.path, steps=("quantize",), options=CompressOptions(control=False), out=tmp_path / "less").run
    require_valid(export(less.path, out=tmp_path / "bundle", gate=OPEN).path)
