"""Refusals come before the wait: no TensorFlow is imported for what can be known without it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple

import numpy as np
import pytest
from click.testing import CliRunner

from dltk.base.errors import EnvironmentFault, InputError
from dltk.cli.main import cli
from dltk.workflows import preflight
from dltk.workflows.preflight import input_and_output_shape, require_place, require_training_packages

# NumPy 2 deprecates how TensorFlow and Keras hand arrays over; it is theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

BLOCKED = """
import json, sys, time, traceback
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"tensorflow", "keras", "tf_keras", "sklearn", "optuna", "onnx", "tf2onnx"}:
            raise AssertionError(f"heavy: {name}")
sys.meta_path.insert(0, Block())
from click.testing import CliRunner
from dltk.cli.main import cli
for words in json.load(sys.stdin):
    started = time.process_time()
    done = CliRunner().invoke(cli, [*words, "--json"])
    found = json.loads(done.stdout) if done.stdout else {}
    print(json.dumps({"code": done.exit_code, **found, "seconds": time.process_time() - started}))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photos, models of three classes and of ten, a finished run, and much that is none of these."""
    import keras
    from PIL import Image

    folder, rng = tmp_path_factory.mktemp("place"), np.random.default_rng(0)
    for label in ("iris", "rose", "tulip"):
        (folder / "photos" / label).mkdir(parents=True)
        for count in range(10):
            Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).save(folder / "photos" / label / f"{count}.png")
    shutil.copytree(folder / "photos" / "rose", folder / "one" / "rose")
    for label in ("iris", "rose"):
        (folder / "few" / label).mkdir(parents=True)
        shutil.copy(folder / "photos" / label / "1.png", folder / "few" / label)
    (folder / "empty").mkdir()
    (folder / "taken").mkdir()
    (folder / "taken" / "x").write_text("1")
    (folder / "file").write_text("1")
    (folder / "text.keras").write_text("no model")
    (folder / "text.h5").write_text("no model")
    (folder / "model.onnx").write_text("no model")
    with zipfile.ZipFile(folder / "other.keras", "w") as archive:
        archive.writestr("readme.txt", "no model")
    for name, size, outputs in (("ten", 8, 10), ("three", 8, 3), ("grey", 8, 3), ("oblong", 8, 3)):
        shape = (size, 9 if name == "oblong" else size, 1 if name == "grey" else 3)
        layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(outputs), keras.layers.Softmax()]
        keras.Sequential(layers).save(folder / f"{name}.keras")
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x)]).save(folder / "code.keras")
    words = ("finetune", "cnn", "--data", "photos", "--smoke", "--set", "fit.epochs=1")
    before = os.getcwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(cli, [*words, "--run", "run"])
    finally:
        os.chdir(before)
    assert done.exit_code == 0, done.output
    shutil.copytree(folder / "run", folder / "broken")
    (folder / "broken" / "metrics.json").unlink()
    shutil.copytree(folder / "run", folder / "moved")
    data = json.loads((folder / "moved" / "data.json").read_text())
    (folder / "moved" / "data.json").write_text(json.dumps(data | {"source": "gone"}))
    return folder


ADOPT = ("--recipe", "cnn", "--data", "photos")
REFUSED = [  # words -> exit code, part of the error
    (("adopt", "none.keras", *ADOPT), 3, "the file must exist"),
    (("adopt", "text.keras", *ADOPT), 3, "whole .keras file"),
    (("adopt", "text.h5", *ADOPT), 3, "whole HDF5 file"),
    (("adopt", "other.keras", *ADOPT), 3, "whole .keras file"),
    (("adopt", "model.onnx", *ADOPT), 3, "must be a .keras or .h5 file"),
    (("adopt", "photos", *ADOPT), 3, "must be a .keras or .h5 file"),
    (("adopt", "code.keras", *ADOPT), 3, "must not hold code"),
    (("adopt", "run", *ADOPT), 3, "must be a .keras or .h5 file"),
    (("adopt", "three.keras", "--recipe", "cnn"), 3, "must be given"),
    (("adopt", "three.keras", "--recipe", "cnn", "--data", "none"), 3, "must exist"),
    (("adopt", "three.keras", "--recipe", "cnn", "--data", "one"), 3, "at least two classes"),
    (("adopt", "three.keras", "--recipe", "cnn", "--data", "empty"), 3, "one subfolder per class"),
    (("adopt", "ten.keras", *ADOPT), 3, "(batch, 3), one output per class: iris, rose, tulip"),
    (("adopt", "grey.keras", *ADOPT), 3, "RGB images"),
    (("adopt", "oblong.keras", *ADOPT), 3, "must be square"),
    (("adopt", "three.keras", *ADOPT, "--set", "data.labels=a,b,c"), 3, "must name each of iris, rose, tulip"),
    (("adopt", "three.keras", *ADOPT, "--set", "data.size=16"), 3, "must be 8"),
    (("adopt", "three.keras", *ADOPT, "--set", "fit.epoch=1"), 3, "is not known"),
    (("adopt", "three.keras", *ADOPT, "--run", "taken"), 3, "never overwritten"),
    (("adopt", "three.keras", *ADOPT, "--run", "file/x"), 3, "parent is a folder"),
    (("adopt", "three.keras", "--recipe", "control"), 3, "adopt takes"),
    (("finetune", "cnn", "--data", "none"), 3, "must exist"),
    (("finetune", "cnn", "--data", "one"), 3, "at least two classes"),
    (("finetune", "cnn", "--data", "few"), 3, "needs test samples; received 0"),
    (("finetune", "cnn", "--data", "photos/rose"), 3, "received 0.png, 1.png, 2.png, 3.png, 4.png ..."),
    (("finetune", "cnn", "--data", "photos", "--run", "taken"), 3, "never overwritten"),
    (("finetune", "cnn", "--data", "photos", "--run", "file/x/y"), 3, "parent is a folder"),
    (("finetune", "cnn", "--data", "photos", "--run", "/proc/x"), 3, "can be created"),
    (("finetune", "cnn", "--data", "photos", "--set", "data.labels=a,b"), 3, "must name each of"),
    (("finetune", "image-classification", "--data", "photos", "--set", "model.backbone=vgg"), 3, "one that dltk knows"),
    (("export", "none"), 3, "must be a run folder"),
    (("export", "photos"), 3, "is not a run"),
    (("export", "broken"), 3, "was not finished"),
    (("export", "run", "--precision", "int4"), 2, "must be one of"),
    (("export", "run", "--precision", "int8"), 3, "has no int8 ranges"),
    (("export", "run", "--format", "onnx", "--precision", "float16"), 2, "there is no such file"),
    (("export", "run", "--format", "onx"), 2, "is not one of"),
    (("export", "run", "--out", "taken"), 3, "is not a bundle"),
    (("export", "run", "--out", "file"), 3, "must be a folder"),
    (("export", "run", "--out", "file/x"), 3, "parent is a folder"),
    (("export", "run", "--sign", "none.pem"), 3, "must exist"),
    (("export", "run", "--gate", "drp=1"), 3, "is not known"),
    (("compress", "none"), 3, "must be a run folder"),
    (("compress", "broken"), 3, "was not finished"),
    (("compress", "run", "--step", "quantise"), 2, "names no step"),
    (("compress", "run", "--step", "prune:sparsity=2"), 3, "must lie between"),
    (("compress", "run", "--step", "quantize", "--step", "prune"), 3, "must come before"),
    (("compress", "run", "--run", "taken"), 3, "never overwritten"),
    (("compress", "run", "--run", "file/x"), 3, "parent is a folder"),
    (("compress", "moved"), 3, "must exist"),
]


def test_what_can_be_known_is_refused_without_tensorflow(place):
    asked = json.dumps([words for words, _, _ in REFUSED])
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED], input=asked, capture_output=True, text=True, cwd=place, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for (words, code, said), told in zip(REFUSED, found, strict=True):
        assert told["code"] == code, (words, told)
        assert said in told["error"], (words, told)
        if "few" in words:
            assert told["hint"] == "Set a larger data.test, or give more samples than 2."
        assert told["seconds"] < 2, (words, told)


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize(
    "words",
    [
        ("adopt", "three.keras", *ADOPT),
        ("finetune", "cnn", "--data", "photos", "--run", "new"),
        ("export", "run"),
        ("compress", "run"),
    ],
)
def test_a_full_disk_is_told_before_the_work(place, words, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setattr("dltk.base.disk.shutil.disk_usage", lambda _: Usage(10**9, 10**9 - 10**6, 10**6))
    before = sorted(path.name for path in place.iterdir())
    done = CliRunner().invoke(cli, [*words, "--json"])
    found = json.loads(done.stdout)
    assert (done.exit_code, found["code"]) == (5, 5), done.output
    assert "of free disk; received 1 MB" in found["error"]
    assert sorted(path.name for path in place.iterdir()) == before


def test_the_place_of_a_run_is_left_as_it_was(tmp_path):
    require_place(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("1")
    with pytest.raises(InputError, match="parent is a folder"):
        require_place(tmp_path / "file" / "b" / "c")
    with pytest.raises(EnvironmentFault, match="free disk"):
        require_place(tmp_path / "a", 10**18)


def test_missing_packages_are_told_before_anything_is_read(place, monkeypatch):
    require_training_packages()
    found = preflight.PathFinder.find_spec

    def none_that_trains(name, *further):
        return None if name in ("tensorflow", "keras", "tf_keras") else found(name, *further)

    monkeypatch.setattr(preflight.PathFinder, "find_spec", none_that_trains)
    monkeypatch.chdir(place)
    for words in (("adopt", "three.keras", *ADOPT), ("finetune", "cnn", "--data", "photos"), ("export", "run")):
        done = CliRunner().invoke(cli, list(words))
        assert done.exit_code == 5, done.output
        assert "must be installed to train" in done.stderr


def test_the_ends_of_a_model_are_read_where_they_are_certain():
    import keras

    def said(model):
        return input_and_output_shape(
            {"class_name": type(model).__name__, "config": json.loads(model.to_json())["config"]}
        )

    layers = keras.layers
    dense = keras.Sequential([keras.Input((4, 4, 3)), layers.Flatten(), layers.Dense(7), layers.Softmax()])
    assert said(dense) == ((None, 4, 4, 3), 7)
    image = keras.Input((None, None, 3))
    pooled = layers.GlobalAveragePooling2D()(image)
    assert said(keras.Model(image, layers.Dense(5)(pooled))) == ((None, None, None, 3), 5)
    two = [layers.Dense(5)(pooled), layers.Dense(2)(pooled)]
    assert said(keras.Model(image, two))[1] is None
    assert said(keras.Model(image, two[0])) == ((None, None, None, 3), 5)
    assert said(keras.Model([image, keras.Input((3,))], two[0]))[0] is None
    assert said(keras.Model(image, pooled))[1] is None
    for junk in (None, [], {}, {"config": {"layers": [3]}}, {"config": {"layers": [{"config": {"batch_shape": "x"}}]}}):
        assert input_and_output_shape(junk) == (None, None)
