"""Make new images like those of a data set, from a seed number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.images import channels, prepare_images, size_of
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.recipe import Built, Contract
from dltk.tasks.base import Samples, SplitTask

__all__ = ["TASK"]

_EVALUATION = 64  # seed numbers kept with a run: an image is made of each, so a few suffice to compare two models


class _Generate(SplitTask):
    """The data set holds real images, for the discriminator; a sample of the device is a seed number."""

    name = "generate"
    family = "generator"
    trainer = "gan"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A folder of images, or the name digits.")
        return prepare_images(data, settings.data, seed=settings.seed, progress=progress, least_classes=1)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        side = size_of(dataset)
        return Contract({"latent": (settings.latent,)}, {"image": (side, side, channels(settings.data))})

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        side = size_of(dataset)
        shape = (None, side, side, channels(settings.data))
        image = TensorSpec("image", "float32", shape, ("batch", "height", "width", "channel"), (-1.0, 1.0))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(TensorSpec("latent", "float32", (None, settings.latent), ("batch", "latent")),),
            outputs=(image,),
            preprocess=({"op": "normal", "shape": [settings.latent]},),
            postprocess=({"op": "to_uint8", "multiply": 127.5, "add": 127.5},),
        )

    def calibration(self, dataset: Dataset, *, count: int, seed: int) -> NDArray[Any]:
        return _seeds(count, seed, stream=0)

    def evaluation(self, dataset: Dataset, *, limit_bytes: int, seed: int) -> Samples:
        return _seeds(_EVALUATION, seed, stream=1), np.zeros(_EVALUATION, np.int64)

    def golden(self, dataset: Dataset, *, count: int, seed: int) -> Samples:
        return _seeds(count, seed, stream=2), np.zeros(count, np.int64)


TASK = _Generate()


def _seeds(count: int, seed: int, *, stream: int) -> NDArray[np.int64]:
    """Seed numbers (count,); calibration, evaluation and golden samples draw from streams of their own."""
    generator = np.random.Generator(np.random.Philox(key=[seed, stream]))
    return generator.integers(0, 2**31, size=count, dtype=np.int64)
