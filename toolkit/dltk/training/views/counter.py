"""Random numbers as a function of what they are for, not of when they are drawn.

`uniform(seed, ids, view, slot)` mixes its arguments with splitmix64's finalizer (Steele, Lea, Flood 2014). A sample's
numbers do not depend on its batch, on the order of batches, or on how often a run was interrupted.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["derive", "generator", "permutation", "uniform"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def uniform(seed: int, ids: NDArray[np.int64], view: int, slot: int) -> NDArray[np.float64]:
    """Numbers in [0, 1), one an id, for the purpose `slot`; shape of `ids`."""
    state = _mix(np.full(np.shape(ids), derive(seed, view, slot), np.uint64) ^ _mix(np.asarray(ids).astype(np.uint64)))
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def derive(*parts: Any) -> int:
    """A seed of 64 bits out of numbers and texts; equal parts give equal seeds on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "little")


def generator(*parts: Any) -> np.random.Generator:
    """A stream of its own for `parts`."""
    return np.random.Generator(np.random.Philox(derive(*parts)))


def permutation(count: int, *parts: Any) -> NDArray[np.int64]:
    """0..count-1 (count,) in an order that is a function of `parts`."""
    return generator(*parts).permutation(count)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)))
