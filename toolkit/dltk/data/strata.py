"""Samples drawn so that every class keeps its share: the one sampler of splits, limits, calibration and golden samples.

A stratum is the samples of one class. Where targets are several labels per sample, every combination is a stratum of
its own; where they are values, not classes, all samples are one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["evenly", "strata", "stratified"]


def strata(targets: NDArray[Any]) -> NDArray[np.int64]:
    """The stratum (n,) of every sample.

    Args:
        targets: (n,) class numbers, (n, labels) of 0 and 1, or values of any shape (n, ...).
    """
    if np.issubdtype(targets.dtype, np.integer) and targets.ndim == 1:
        return targets.astype(np.int64)
    if targets.ndim == 2 and np.isin(targets, (0, 1)).all():
        _, found = np.unique(targets, axis=0, return_inverse=True)
        return found.reshape(-1).astype(np.int64)
    return np.zeros(len(targets), np.int64)


def stratified(targets: NDArray[Any], *, count: int, seed: int, mixed: bool = False) -> NDArray[np.int64]:
    """Positions (min(count, n),) of samples whose strata have the shares that they have in `targets`.

    Args:
        targets: as `strata` takes them.
        mixed: not ascending, but in an order of which every first part has these shares too. The two draws differ.
    """
    if not mixed:
        return evenly(strata(targets), min(count, len(targets)), np.random.default_rng([seed, 2]))
    drawn = np.random.Generator(np.random.Philox(seed)).permutation(len(targets))
    classes = strata(targets)[drawn]
    # The i-th of n samples of a class stands at (i + 1/2) / n: sorting by that mixes the classes evenly.
    place = np.empty(len(drawn))
    for value in np.unique(classes):
        of_class = np.flatnonzero(classes == value)
        place[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return np.asarray(drawn[np.argsort(place, kind="stable")][:count], np.int64)


def evenly(groups: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions (count,), ascending: at even distances in an order that is sorted by stratum and shuffled within it.

    Args:
        groups: the stratum (n,) of every sample.
    """
    if count == 0:
        return np.zeros(0, np.int64)
    order = rng.permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    # Whole numbers: with float steps two picks could fall on one sample.
    picks = (np.arange(count, dtype=np.int64) * len(groups) + rng.integers(len(groups))) // count
    return np.sort(order[picks])
