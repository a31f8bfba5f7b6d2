"""Synthetic images, for golden samples and latencies where there are none of the user's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature

__all__ = ["random_patches", "synthetic_images"]


def synthetic_images(signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
    """Coloured patches with noise, uint8 (count, height, width, channels) of the shape of the model's first input."""
    height, width, channels = signature.inputs[0].sample_shape
    return random_patches(np.random.Generator(np.random.PCG64(seed)), count, (height, width, channels))


def random_patches(generator: np.random.Generator, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 (count, height, width, channels): sixteen flat patches per image, with noise."""
    height, width, channels = shape
    colours = generator.integers(0, 256, (count, 4, 4, channels))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    noise = generator.integers(-32, 33, (count, height, width, channels))
    return np.asarray(np.clip(colours[:, rows][:, :, columns] + noise, 0, 255), np.uint8)
