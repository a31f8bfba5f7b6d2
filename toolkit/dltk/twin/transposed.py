"""Transposed convolutions whose stride is larger than their kernel, as both formats have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dltk.twin.graph import Graph, Layer

__all__ = ["widen_kernels"]

_KINDS = ("Conv1DTranspose", "Conv2DTranspose")


def widen_kernels(graph: Graph) -> Graph:
    """Kernels that leave rows between their strides empty get zeros for those rows.

    TensorFlow's output reaches behind the last kernel then; ONNX has no negative padding, which would express this.
    """
    layers = {name: _widened(layer) if layer.kind in _KINDS else layer for name, layer in graph.layers.items()}
    return replace(graph, layers=layers)


def _widened(layer: Layer) -> Layer:
    kernel, config = layer.weights[0], layer.config
    sizes = kernel.shape[:-2]
    strides = _each(config.get("strides", 1), len(sizes))
    given = config.get("output_padding")
    if given is None:
        missing = [max(stride - size, 0) for stride, size in zip(strides, sizes, strict=True)]
    elif config.get("padding") == "valid":
        missing = list(_each(given, len(sizes)))
    else:
        return layer
    if not any(missing):
        return layer
    wide = np.pad(kernel, [*((0, more) for more in missing), (0, 0), (0, 0)])
    changed: Mapping[str, Any] = {"kernel_size": wide.shape[:-2]}
    if given is not None:
        changed = {**changed, "output_padding": (0,) * len(sizes)}
    return replace(layer, config={**config, **changed}, weights=(wide, *layer.weights[1:]))


def _each(value: Any, count: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (int(value),) * count
