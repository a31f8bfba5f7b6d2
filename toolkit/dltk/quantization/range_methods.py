"""Range methods that clip rare values, from histograms of calibration samples.

A handful of outliers stretches a min-max range until all other values share a few steps. "mse": rounding and clipping
together cost the least squared error. "percentile": a ten-thousandth of the values is clipped. "entropy": the rounded
distribution keeps most information of the whole one (Kullback-Leibler; S. Migacz, 8-bit inference with TensorRT, GTC
2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.quantization.observers import observe_tensors
from dltk.quantization.plan import affine8
from dltk.twin.graph import Graph

__all__ = ["CLIPPING", "Clipping", "clipped_range", "histograms"]

Range = tuple[float, float]
Clipping = Literal["mse", "percentile", "entropy"]

_BINS = 2048
_SHARES = np.linspace(0.25, 1.0, 16)  # of the min-max range that are tried
_CLIPPED = 1e-4  # share of the values that "percentile" clips, half of them at each end
_LEVELS = 256


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
    for found in observe_tensors(graph, names, tensors, count, progress=progress, label="ranges"):
        sums = [total + counts.astype(np.int64) for total, counts in zip(sums, found, strict=True)]
    return dict(zip(names, sums, strict=True))


def clipped_range(
    members: Sequence[str],
    ranges: Mapping[str, Range],
    counts: Mapping[str, NDArray[np.int64]],
    method: Clipping = "mse",
) -> Range:
    """The range for tensors that share one, from the values of all of them; the widest where `counts` has none.

    Args:
        ranges: tensor -> its lowest and highest value.
        counts: tensor -> counts (2048,), as `histograms` gives them.
    """
    low, high = min(ranges[name][0] for name in members), max(ranges[name][1] for name in members)
    known = [name for name in members if name in counts]
    if not known or not high > low:
        return low, high
    values = np.concatenate([_centres(ranges[name]) for name in known])
    weights = np.concatenate([counts[name] for name in known]).astype(np.float64)
    return CLIPPING[method](values, weights, low, high) if weights.sum() else (low, high)


def _least_squares(values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float) -> Range:
    errors = [_error(values, weights, low * share, high * share) for share in _SHARES]
    best = _SHARES[int(np.argmin(errors))]
    return low * best, high * best


def _percentile(values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float) -> Range:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) / weights.sum()
    first, last = np.searchsorted(below, [_CLIPPED / 2, 1 - _CLIPPED / 2])
    # A bin's value stands for all that fell into it, so what reaches to an end of the range keeps that end.
    lowest = low if first == 0 else float(values[order[first]])
    highest = high if last >= len(order) - 1 else float(values[order[last]])
    return max(low, min(lowest, 0.0)), min(high, max(highest, 0.0))


def _entropy(values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float) -> Range:
    low, high = min(low, 0.0), max(high, 0.0)
    counts, _ = np.histogram(values, _BINS, (low, high), weights=weights)
    centres = _centres((low, high))
    # Zero is told exactly whatever the range; the many zeros behind a relu would else ask for the narrowest.
    zero = int(np.argmin(np.abs(centres)))
    counts[zero] = min(counts[zero], *counts[max(zero - 1, 0) : zero], *counts[zero + 1 : zero + 2])
    divergences = [_divergence(centres, counts, low * share, high * share) for share in _SHARES]
    best = _SHARES[int(np.argmin(divergences))]
    return low * best, high * best


def _divergence(centres: NDArray[np.float64], counts: NDArray[np.float64], low: float, high: float) -> float:
    """Information lost, in nats, when the values are represented by 256 levels over `low`..`high`."""
    inside = (centres >= low) & (centres <= high)
    kept = counts[inside]
    whole = kept.copy()  # what is clipped falls on the ends of the range
    whole[0] += counts[centres < low].sum()
    whole[-1] += counts[centres > high].sum()
    level = np.minimum(np.arange(kept.size) * _LEVELS // kept.size, _LEVELS - 1)
    filled = kept > 0
    mean = np.bincount(level, kept, _LEVELS) / np.maximum(np.bincount(level, filled, _LEVELS), 1)
    described = np.where(filled, mean[level], 0.0)
    p, q = whole / whole.sum(), described / max(described.sum(), 1e-300)
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-12))).sum())


# method -> (bin centres, how often, lowest, highest value) -> range
CLIPPING: Mapping[Clipping, Callable[[NDArray[np.float64], NDArray[np.float64], float, float], Range]] = {
    "mse": _least_squares,
    "percentile": _percentile,
    "entropy": _entropy,
}


def _centres(limits: Range) -> NDArray[np.float64]:
    edges = np.linspace(*limits, _BINS + 1)
    return (edges[:-1] + edges[1:]) / 2


def _error(values: NDArray[np.float64], weights: NDArray[np.float64], low: float, high: float) -> float:
    grid = affine8(low, high)
    steps = np.clip(np.round(values / grid.scale) + grid.zero_point, 0, 255)
    return float((weights * np.square((steps - grid.zero_point) * grid.scale - values)).sum())
