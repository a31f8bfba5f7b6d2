"""Codebooks: the few values that all weights of a kernel share, found by k-means over its int8 codes.

Codes are steps of each channel's own scale, so that one codebook serves all channels, and a file of int8 weights holds
no more different bytes than the codebook has values (Han et al. 2015, arXiv:1510.00149, on the grid of int8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dltk.quantization.codes import LEVELS, largest, per_channel_to_kernel, sparsity
from dltk.twin.graph import Layer
from dltk.twin.table import row

__all__ = ["FIXED_CODES", "KernelConstraint", "PRUNED", "find_codebook", "kernel_constraint", "histogram"]

_GRID = np.arange(-127.0, 128.0)
_ROUNDS, _DRAWS = 100, 4


def histogram(layer: Layer) -> NDArray[np.float64]:
    """How much each code -127..127 weighs (255,): counts times the squared scale, zeros left out."""
    kernel = np.asarray(layer.weights[row(layer.kind, layer.config).kernel or 0], np.float64)
    scale = per_channel_to_kernel(layer, largest(layer)).astype(np.float64) / LEVELS
    codes = np.clip(np.round(kernel / scale), -LEVELS, LEVELS).astype(np.int64)
    weights = np.broadcast_to(scale**2, kernel.shape) * (kernel != 0)
    return np.bincount(codes.ravel() + 127, weights.ravel(), minlength=255).astype(np.float64)


def find_codebook(layer: Layer, clusters: int, *, start: str, seed: int) -> NDArray[np.float32]:
    """The free values (clusters - 3,) of the layer's codebook; -127, 0 and 127 belong to each.

    Args:
        start: "kmeans++" (Arthur & Vassilvitskii 2007) or "linear": evenly spaced over the range.
    """
    weights, free = histogram(layer), clusters - len(FIXED_CODES)
    if free <= 0 or not weights.any():
        return np.zeros(0, np.float32)
    found = _linear(weights, free) if start == "linear" else _plus_plus(weights, free, seed)
    free = len(found)
    fixed = np.asarray(FIXED_CODES)
    for _ in range(_ROUNDS):
        centres = np.concatenate([found, fixed])
        nearest = np.abs(_GRID[:, None] - centres).argmin(1)
        mass = np.bincount(nearest, weights, minlength=len(centres))[:free]
        sums = np.bincount(nearest, weights * _GRID, minlength=len(centres))[:free]
        moved = np.where(mass > 0, sums / np.maximum(mass, 1e-30), found)
        if np.allclose(moved, found, atol=1e-3):
            break
        found = moved
    return np.sort(found).astype(np.float32)


def _linear(weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Evenly spaced below and above zero, which has a value of its own."""
    held, below = _GRID[weights > 0], count // 2
    sides = (np.linspace(held.min(), 0, below + 2), np.linspace(0, held.max(), count - below + 2))
    return np.concatenate([side[1:-1] for side in sides])


def _plus_plus(weights: NDArray[np.float64], count: int, seed: int) -> NDArray[np.float64]:
    """Each value is drawn where the ones there are serve worst, the best of a few draws; the fixed ones come first."""
    rng, centres = np.random.default_rng(seed), list(FIXED_CODES)
    for _ in range(count):
        distance = np.square(_GRID[:, None] - np.asarray(centres)).min(1)
        cost = weights * distance
        if not cost.any():
            break
        drawn = rng.choice(_GRID, size=_DRAWS, p=cost / cost.sum())
        left = [(weights * np.minimum(distance, np.square(_GRID - value))).sum() for value in drawn]
        centres.append(float(drawn[int(np.argmin(left))]))
    return np.asarray(centres[len(FIXED_CODES) :], np.float64)


FIXED_CODES = (-127.0, 0.0, 127.0)  # in every codebook: the ends keep each channel's scale, zero keeps what is pruned
PRUNED = 0.01  # share of zeros from which on they are taken for meant


@dataclass(frozen=True)
class KernelConstraint:
    """The constraint of a kernel.

    Attributes:
        axes: the axes that one scale covers.
        mask: 1 where a weight may differ from zero, in the kernel's shape, or None.
        codebook: values (k,) in steps of the scale, `FIXED_CODES` left out; None: all of -127..127.
    """

    axes: tuple[int, ...]
    mask: NDArray[np.float32] | None = None
    codebook: NDArray[np.float32] | None = None


def _axes(layer: Layer) -> tuple[int, ...]:
    """The axes of the layer's kernel that share a scale: all but those of its output channels."""
    rules = row(layer.kind, layer.config)
    rank = layer.weights[rules.kernel or 0].ndim
    own = {rank - 1, rank - 2} if rules.depthwise else {rules.channel_axis % rank}
    return tuple(i for i in range(rank) if i not in own)


def kernel_constraint(layer: Layer, codebook: NDArray[np.float32] | None = None) -> KernelConstraint:
    """What an int8 file may hold of the layer's kernel: zeros that pruning left stay zeros.

    Args:
        codebook: free values (k,), as `find_codebook` finds them; None: all codes.
    """
    kernel = np.asarray(layer.weights[row(layer.kind, layer.config).kernel or 0])
    mask = (kernel != 0).astype(np.float32) if sparsity(layer) >= PRUNED else None
    return KernelConstraint(_axes(layer), mask, codebook)
