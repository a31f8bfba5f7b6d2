"""Gaussian noise on raw samples: the same numbers for the same sample on every machine, in whatever batch it comes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PIXELS", "add_noise", "column_deviations"]

PIXELS = np.float32(255.0)  # the range of uint8 images


def add_noise(
    raws: NDArray[Any], ids: NDArray[np.int64], *, deviation: float, seed: int, scale: ArrayLike = PIXELS
) -> NDArray[Any]:
    """Raw samples (n, ...) with noise, in their own dtype; whole numbers are rounded and stay in 0..255.

    Args:
        ids: (n,), one number per sample: with `seed` it decides the noise.
        deviation: standard deviation of the noise, as a share of `scale`.
        scale: what shares are of, a number or one per column.
    """
    drawn = np.empty(raws.shape, np.float32)
    for place, number in enumerate(np.asarray(ids, np.int64)):
        stream = np.random.Generator(np.random.Philox(key=[seed % 2**64, int(number)]))
        stream.standard_normal(dtype=np.float32, out=drawn[place, ...])
    drawn *= np.asarray(scale, np.float32) * np.float32(deviation)
    drawn += raws
    if np.issubdtype(raws.dtype, np.integer):
        drawn = np.clip(np.rint(drawn), 0, 255)
    return drawn.astype(raws.dtype)


def column_deviations(rows: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The standard deviation (columns,) of each column of (n, columns); 1 for a column that never changes."""
    found = rows.std(axis=0, dtype=np.float64)
    return np.where(found > 0, found, 1.0)
