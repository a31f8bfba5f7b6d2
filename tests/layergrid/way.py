"""A model's way through adopt and export in this process: done, or refused with one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers as L
from PIL import Image

import zoo
from dltk.base.errors import DltkError, LimitError
from dltk.base.progress import SILENT
from dltk.bundle import BundleOptions
from dltk.models.conventions import Input
from dltk.models.files.keras_file import open_keras
from dltk.workflows.adopt import adopt
from dltk.workflows.brought import as_deployable
from dltk.workflows.compress import compress
from dltk.workflows.export import export
from layergrid.cases import Case

__all__ = ["CLASSES", "SETTINGS", "gone", "joined", "opened", "photos", "pixels", "refused"]

CLASSES, SIDE = 3, 8
SETTINGS = ("input.check=false", "input.range=-1..1")


def photos(folder: Path) -> Path:
    """Eight images a class in `folder`."""
    generator = np.random.Generator(np.random.PCG64(0))
    for label in "abc"[:CLASSES]:
        (folder / label).mkdir(parents=True)
        for number in range(8):
            image = generator.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
            Image.fromarray(image).save(folder / label / f"{number}.png")
    return folder


def pixels(count: int = 4) -> np.ndarray:
    """float32 (count, 8, 8, 3) in -1..1."""
    generator = np.random.Generator(np.random.PCG64(1))
    return (generator.integers(0, 256, (count, SIDE, SIDE, 3)) / 127.5 - 1).astype(np.float32)


def joined(cases: Sequence[Case]) -> Any:
    """A classifier whose branches the cases make of one image; weights are seeded, statistics too.

    Raises:
        Exception: whatever Keras has against a case.
    """
    image = keras.Input((SIDE, SIDE, 3))
    flat = [L.Flatten()(made) for case in cases for made in case.make(image)]
    model = keras.Model(image, L.Dense(CLASSES)(flat[0] if len(flat) == 1 else L.Concatenate()(flat)))
    return zoo.shake(model)


def opened(path: Path) -> Any:
    """The model in a file as adopt makes it ready; what it refuses comes as a DltkError."""
    return as_deployable(open_keras(path), Input(range="-1..1"), SILENT)


def gone(path: Path, photos: Path, out: Path, *, settings: Sequence[str] = SETTINGS, int8: bool = False) -> None:
    """adopt and export in both formats, float32; with `int8` what compress makes of it, too.

    A net of random weights may lose too much in int8: then export says so in one line, as it should.
    """
    run = adopt(path, recipe="cnn", data=photos, run=out / "run", set=settings)
    export(run.path, out=out / "bundle", options=BundleOptions(golden=2))
    if int8:
        compress(run.path, steps=["quantize:ranges=min-max"], out=out / "small")
        try:
            export(out / "small", out=out / "small-bundle", options=BundleOptions(golden=2))
        except LimitError as fault:
            refused(fault)


def refused(fault: DltkError) -> str:
    """The message, which must be one line that says what to look at."""
    said = str(fault)
    assert said.isprintable(), said
    assert 20 < len(said) < 1200, said
    assert ": " in said, said
    return said
