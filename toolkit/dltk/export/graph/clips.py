"""Activations that cut at a bound, in the integers of their grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["clip_in_integers"]

_BOUNDS = {"Clip": None, "Relu": (0.0, np.inf)}
_LARGEST = 255
_ROUNDING = 1e-6  # of a bound: the scale of a grid that ends there is a float32


def clip_in_integers(model: Any) -> None:
    """Clip the integers instead of the floats in a Relu or Clip whose grid exceeds its bounds; changes `model`.

    What is joined by a Concat shares a grid, and one of its parts may reach further than a relu6 beside it. onnxruntime
    drops an activation that its grid makes idle, and computes the layer before any other in float. To round and then to
    cut is to cut and then to round.
    """
    import onnx

    constants = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in list(model.graph.node):
        maker, following = made.get(node.input[0]) if node.op_type in _BOUNDS else None, readers.get(node.output[0], [])
        if maker is None or maker.op_type == "DequantizeLinear" or len(readers[node.input[0]]) > 1:
            continue
        known = constants.keys() >= {name for each in (node, *following) for name in each.input[1:] if name}
        if known and [reader.op_type for reader in following] == ["QuantizeLinear"]:
            _clip_after(model, node, following[0], constants)


def _clip_after(model: Any, activation: Any, quantizer: Any, constants: Mapping[str, Any]) -> None:
    """Put the bounds of `activation` behind `quantizer`, where its grid does not end with them already."""
    import onnx

    scale, zero = float(constants[quantizer.input[1]]), constants[quantizer.input[2]]
    ends = [(end - int(zero)) * scale for end in (0, _LARGEST)]
    bounds = _bounds(activation, constants)
    if zero.dtype != np.uint8 or (
        ends[0] >= bounds[0] - _ROUNDING * abs(bounds[0]) and ends[1] <= bounds[1] * (1 + _ROUNDING)
    ):
        return
    cut = [int(np.clip(np.rint(bound / scale) + int(zero), 0, _LARGEST)) for bound in bounds]
    target = quantizer.output[0]
    names = [f"{target}_{end}" for end in ("lowest", "highest")]
    for name, value in zip(names, cut, strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.uint8), name))
    quantizer.input[0] = activation.input[0]
    quantizer.output[0] = f"{target}_uncut"
    position = list(model.graph.node).index(quantizer) + 1
    model.graph.node.insert(position, onnx.helper.make_node("Clip", [quantizer.output[0], *names], [target]))
    model.graph.node.remove(activation)


def _bounds(activation: Any, constants: Mapping[str, Any]) -> tuple[float, float]:
    known = _BOUNDS[activation.op_type]
    if known is not None:
        return known
    low, high = (*activation.input[1:], "", "")[:2]
    return float(constants[low]) if low else -np.inf, float(constants[high]) if high else np.inf
