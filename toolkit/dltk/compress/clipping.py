"""Ranges that clip what is rare: the mean squared error of rounding and clipping together is the least.

A handful of outliers stretches a min-max range until all other values share a few steps. Histograms of calibration
samples tell what a narrower range would lose and gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.compress.observe import observe
from dltk.compress.plan import affine8
from dltk.twin.graph import Graph

__all__ = ["clipped", "histograms"]

Range = tuple[float, float]

_BINS = 2048
_SHARES = np.linspace(0.25, 1.0, 16)  # of the min-max range that are tried


def histograms(
    graph: Graph,
    ranges: Mapping[str, Range],
    tensors: Mapping[str, NDArray[Any]],
    *,
    progress: Progress = SILENT,
) -> dict[str, NDArray[np.int64]]:
    """Tensor -> counts (2048,) over its min-max range."""
    import tensorflow as tf

    names = [name for name, (low, high) in ranges.items() if high > low and name not in tensors]
    limits = [tf.constant(ranges[name], tf.float32) for name in names]

    def count(watched: list[Any]) -> list[Any]:
        return [tf.histogram_fixed_width(value, limit, _BINS) for value, limit in zip(watched, limits, strict=True)]

    sums: list[Any] = [0] * len(names)
    for found in observe(graph, names, tensors, count, progress=progress, label="ranges"):
        sums = [total + counts.astype(np.int64) for total, counts in zip(sums, found, strict=True)]
    return dict(zip(names, sums, strict=True))


def clipped(members: Sequence[str], ranges: Mapping[str, Range], counts: Mapping[str, NDArray[np.int64]]) -> Range:
    """The range for tensors that share one, with the least mean squared error over all their values."""
    low, high = min(ranges[name][0] for name in members), max(ranges[name][1] for name in members)
    known = [name for name in members if name in counts]
    if not known or not high > low:
        return low, high
    centres = np.concatenate([_centres(ranges[name]) for name in known])
    weights = np.concatenate([counts[name] for name in known]).astype(np.float64)
    errors = [_error(centres, weights, low * share, high * share) for share in _SHARES]
    best = _SHARES[int(np.argmin(errors))]
    return low * best, high * best


def _centres(limits: Range) -> NDArray[np.float64]:
    edges = np.linspace(*limits, _BINS + 1)
    return (edges[:-1] + edges[1:]) / 2


def _error(values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float) -> float:
    grid = affine8(low, high)
    steps = np.clip(np.round(values / grid.scale) + grid.zero_point, 0, 255)
    return float((weights * np.square((steps - grid.zero_point) * grid.scale - values)).sum())
