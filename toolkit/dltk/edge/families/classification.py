"""Images to labels: one label per sample, or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Tensors
from dltk.edge.families.shared.files import LabelledFiles
from dltk.edge.input import preprocess
from dltk.edge.input.given import AN_IMAGE
from dltk.edge.sources import PICTURES

__all__ = ["FAMILY", "Classification", "patches"]


class Classification(LabelledFiles):
    """Raw sample: uint8 (height, width, 3)."""

    name = "classification"
    takes = AN_IMAGE
    files = PICTURES

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature defines."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes all predictions equal."""
        height, width, channels = signature.inputs[0].sample_shape
        return patches(np.random.Generator(np.random.PCG64(seed)), count, (height, width, channels))


def patches(generator: np.random.Generator, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 (count, height, width, channels): sixteen flat patches an image, with noise."""
    height, width, channels = shape
    colours = generator.integers(0, 256, (count, 4, 4, channels))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    noise = generator.integers(-32, 33, (count, height, width, channels))
    return np.asarray(np.clip(colours[:, rows][:, :, columns] + noise, 0, 255), np.uint8)


FAMILY: Family = Classification()
