"""The integers that a kernel becomes in an int8 file, seen from its float weights. Pure NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.twin.graph import Layer
from dltk.twin.table import row

__all__ = ["LEVELS", "is_clustered", "distinct_codes", "int8_codes", "largest", "per_channel_to_kernel", "sparsity"]

LEVELS = 127  # of int8 on each side of zero, symmetric: TFLite's grid for weights

_INEXACT = 1e-3  # of a step: float32 rounds what batch norm folding multiplied by about 1e-5 of one
_FEW, _MANY = 64, 256  # different codes, weights: an ordinary kernel of more than 256 weights takes more than 64 codes


def int8_codes(layer: Layer, *, levels: int = LEVELS) -> NDArray[np.int8] | None:
    """The kernel as int8 steps of max |w| / `levels` a channel, in the kernel's shape.

    None where the layer has no kernel, or where a weight lies between two steps: rounding would change it.
    """
    kernel = _kernel(layer)
    if kernel is None:
        return None
    steps = kernel / (per_channel_to_kernel(layer, largest(layer)).astype(np.float64) / levels)
    found = np.round(steps)
    return found.astype(np.int8) if np.abs(steps - found).max(initial=0.0) < _INEXACT else None


def distinct_codes(layer: Layer) -> int:
    """How many different codes the kernel takes, zero among them; 0 where it has none (see `int8_codes`)."""
    found = int8_codes(layer)
    return 0 if found is None else int(np.unique(found).size)


def is_clustered(layer: Layer) -> bool:
    """Whether the kernel was made of few values that int8 keeps exactly: scaling single weights would undo that."""
    kernel = _kernel(layer)
    return kernel is not None and kernel.size > _MANY and 0 < distinct_codes(layer) < _FEW


def sparsity(layer: Layer) -> float:
    """Share of the kernel's weights that are exactly zero; 0.0 where it has no kernel."""
    kernel = _kernel(layer)
    return 0.0 if kernel is None or not kernel.size else float((kernel == 0).mean())


def largest(layer: Layer) -> NDArray[np.float32]:
    """Largest |w| a channel (channels,) of the layer's kernel, at least 1e-12."""
    rules = row(layer.kind, layer.config)
    kernel = np.abs(np.asarray(layer.weights[rules.kernel or 0], np.float32))
    if rules.depthwise:
        found = kernel.reshape(-1, int(np.prod(kernel.shape[-2:]))).max(0)
    else:
        axis = rules.channel_axis % kernel.ndim
        found = kernel.max(axis=tuple(i for i in range(kernel.ndim) if i != axis))
    return np.asarray(np.maximum(found, np.float32(1e-12)))


def per_channel_to_kernel(layer: Layer, values: NDArray[Any]) -> NDArray[Any]:
    """One value per channel (channels,), of any dtype, in the shape that multiplies the layer's kernel."""
    rules = row(layer.kind, layer.config)
    shape = layer.weights[rules.kernel or 0].shape
    if rules.depthwise:
        return values.reshape(*(1,) * (len(shape) - 2), *shape[-2:])
    axis = rules.channel_axis % len(shape)
    return values.reshape([-1 if i == axis else 1 for i in range(len(shape))])


def _kernel(layer: Layer) -> NDArray[np.float64] | None:
    index = row(layer.kind, layer.config).kernel
    return None if index is None or not layer.weights else np.asarray(layer.weights[index], np.float64)
