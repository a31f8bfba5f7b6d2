"""Images of their own size, from training to the bundle: `data.size=0` is resolved the same way at each step."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.edge import load
from dltk.run import Run
from dltk.workflows import compress, export, finetune
from dltk.workflows.compress import CompressOptions
from small import QUIET

pytestmark = QUIET
SIDE = 20
SETTINGS = ("data.size=0", "data.total=0", "fit.epochs=1", "model.filters=4,8", "calibration.samples=20")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number in range(60):
        place = folder / ("dark" if number % 2 else "light") / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 100, (SIDE, SIDE, 3)) + (0 if number % 2 else 150)
        Image.fromarray(pixels.astype(np.uint8)).save(place)
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    progress = Silent()
    path = tmp_path_factory.mktemp("runs") / "run"
    run = finetune("cnn", data=str(photos), smoke=True, run=path, set=SETTINGS, progress=progress)
    assert any(f"size {SIDE}: the images are {SIDE} x {SIDE}" in line for line in progress.said)
    return run


def shape(run: Run) -> tuple[int, ...]:
    return run.signature.inputs[0].sample_shape


def test_training_compression_and_export_have_the_size_of_the_images(trained, photos, tmp_path):
    assert shape(trained) == (SIDE, SIDE, 3)
    assert trained.settings().data.size == 0
    assert trained.data["report"]["size"] == SIDE
    options = CompressOptions(control=False)
    small = compress(trained.path, out=tmp_path / "int8", steps=("quantize",), options=options).run
    assert shape(small) == (SIDE, SIDE, 3)
    export(small.path, out=tmp_path / "bundle")
    model = load(tmp_path / "bundle")
    assert model.signature.inputs[0].sample_shape == (SIDE, SIDE, 3)
    assert len(model.predict(photos / "dark" / "1.png")) == 2


def test_a_finished_run_is_resumed_at_its_size(trained, photos):
    again = finetune("cnn", data=str(photos), smoke=True, run=trained.path, set=SETTINGS, resume=True)
    assert shape(again) == (SIDE, SIDE, 3)


def test_images_of_another_size_are_other_data(trained, photos, tmp_path):
    """A run that took its size from its data cannot be compressed with others."""
    for path in photos.rglob("*.png"):
        with Image.open(path) as image:
            larger = image.resize((28, 28))
        larger.save(path)
    with pytest.raises(InputError, match="must still be the data the run was made with"):
        compress(trained.path, out=tmp_path / "int8", steps=("quantize",))
