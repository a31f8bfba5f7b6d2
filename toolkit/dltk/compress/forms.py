"""What a kernel is held to while it is trained for an int8 file: its scales, its zeros, its codebook."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dltk.compress.codes import sparsity
from dltk.twin.graph import Layer
from dltk.twin.table import row

__all__ = ["FIXED_CODES", "PRUNED", "Form", "form_of"]

FIXED_CODES = (-127.0, 0.0, 127.0)  # in every codebook: the ends keep each channel's scale, zero keeps what is pruned
PRUNED = 0.01  # share of zeros from which on they are taken for meant


@dataclass(frozen=True)
class Form:
    """What a kernel is held to.

    Attributes:
        axes: the axes that one scale covers.
        mask: 1 where a weight may differ from zero, or None.
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


def form_of(layer: Layer, codebook: NDArray[np.float32] | None = None) -> Form:
    """What an int8 file may hold of the layer's kernel: zeros that pruning left stay zeros."""
    kernel = np.asarray(layer.weights[row(layer.kind, layer.config).kernel or 0])
    mask = (kernel != 0).astype(np.float32) if sparsity(layer) >= PRUNED else None
    return Form(_axes(layer), mask, codebook)
