"""Weights of an ONNX graph as int8, where its activations already carry Q/DQ pairs on dltk's own grids.

The twin goes to ONNX with its fake-quant operations in place, so that every grid stands where TFLite has it; what is
left is to store the weights as int8 with a scale per channel and the biases as int32, each behind a DequantizeLinear,
the pattern that onnxruntime fuses into integer kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.export.graph.tidy import shapes
from dltk.quantization.codes import LEVELS
from dltk.quantization.plan import affine8

__all__ = ["fuse_dense", "quantize_weights"]

# operator -> axis of its weight that runs over output channels
_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
_DENSE = {"Gemm", "MatMul"}
_RESHAPES = {"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


def quantize_weights(model: Any, *, levels: int = LEVELS, per_tensor_dense: bool = False) -> None:
    """Store the weights of every weighted node with a quantized input as int8; changes `model`.

    Args:
        levels: steps above and below zero.
        per_tensor_dense: one scale for the whole weight of a Gemm or MatMul.
    """
    import onnx

    _pair_up(model)
    _pair_constants(model)
    constants = {item.name: item for item in model.graph.initializer}
    scales = {node.output[0]: node.input[1] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes: list[Any] = []
    done: dict[str, NDArray[np.float32]] = {}  # weight name -> its scales
    for node in model.graph.node:
        weight = node.input[1] if len(node.input) > 1 else ""
        plain = weight in constants and len(constants[weight].dims) >= 2
        if node.op_type in _CHANNEL_AXIS and plain and node.input[0] in scales:
            kernel = onnx.numpy_helper.to_array(constants[weight])
            axis = _axis(node, kernel)
            if weight not in done:
                whole = per_tensor_dense and node.op_type in _DENSE
                done[weight] = _store(model, nodes, weight, *_int8(kernel, None if whole else axis, levels), axis)
            node.input[1] = f"{weight}_dequantized"
            if len(node.input) > 2 and node.input[2] in constants:
                grid = onnx.numpy_helper.to_array(constants[scales[node.input[0]]])
                node.input[2] = _store_bias(model, nodes, node, constants[node.input[2]], grid * done[weight])
        nodes.append(node)
    _put_nodes(model, nodes)
    _drop_unused(model)


def _pair_up(model: Any) -> None:
    """A Q/DQ pair right before each weighted node whose input comes from one through a change of shape only.

    Values on a grid stay on it when they are reshaped; the runtimes fuse only what stands next to the node.
    """
    from onnx import helper

    made = {name: node for node in model.graph.node for name in node.output}
    nodes: list[Any] = []
    paired: dict[str, str] = {}  # tensor -> the same tensor behind its own pair
    for node in model.graph.node:
        source = made.get(node.input[0]) if node.input else None
        if node.op_type in _CHANNEL_AXIS and source is not None and source.op_type in _RESHAPES:
            while source is not None and source.op_type in _RESHAPES:
                source = made.get(source.input[0])
            if source is not None and source.op_type == "DequantizeLinear":
                name = node.input[0]
                if name not in paired:
                    grid, paired[name] = list(source.input[1:3]), f"{name}_on_grid"
                    nodes.append(helper.make_node("QuantizeLinear", [name, *grid], [f"{name}_q"], name=f"{name}_q"))
                    nodes.append(
                        helper.make_node("DequantizeLinear", [f"{name}_q", *grid], [paired[name]], name=f"{name}_dq")
                    )
                node.input[0] = paired[name]
        nodes.append(node)
    _put_nodes(model, nodes)


def _pair_constants(model: Any) -> None:
    """The constant operand of an Add, Sub or Mul with a quantized input, as uint8: else the runtime computes in
    float.
    """
    from onnx import helper, numpy_helper

    constants = {item.name: item for item in model.graph.initializer}
    on_grid = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    nodes: list[Any] = []
    paired: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type in ("Add", "Mul", "Sub") and on_grid.intersection(node.input):
            for i, name in enumerate(node.input):
                if name in constants and name not in paired:
                    grid_of = numpy_helper.to_array(constants[name])
                    grid = affine8(float(grid_of.min()), float(grid_of.max()))
                    steps = np.clip(np.round(grid_of / grid.scale) + grid.zero_point, 0, 255).astype(np.uint8)
                    parts = (steps, np.float32(grid.scale), np.uint8(grid.zero_point))
                    names = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
                    model.graph.initializer.extend(
                        numpy_helper.from_array(np.asarray(part), n) for part, n in zip(parts, names, strict=True)
                    )
                    paired[name] = f"{name}_dequantized"
                    nodes.append(helper.make_node("DequantizeLinear", names, [paired[name]], name=f"{name}_dq"))
                if name in paired:
                    node.input[i] = paired[name]
        nodes.append(node)
    _put_nodes(model, nodes)


def fuse_dense(model: Any) -> None:
    """MatMul + Add of a constant row becomes Gemm, so that no grid is needed between the two; changes `model`.

    On a series the converter puts a Reshape between the two, which then comes after the Gemm.
    """
    import onnx

    constants = {item.name: item for item in model.graph.initializer}
    ranks = {name: len(shape) for name, shape in shapes(model).items()}
    readers: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    gone: set[int] = set()
    nodes = []
    for node in model.graph.node:
        following = readers.get(node.output[0], [])
        between = following[0] if [reader.op_type for reader in following] == ["Reshape"] else None
        if between is not None:
            following = readers.get(between.output[0], [])
        if node.op_type == "MatMul" and len(following) == 1 and following[0].op_type == "Add":
            add = following[0]
            bias = next((name for name in add.input if name in constants and len(constants[name].dims) == 1), "")
            if bias and node.input[1] in constants and ranks.get(node.input[0]) == 2:
                made = list((add if between is None else node).output)
                nodes.append(onnx.helper.make_node("Gemm", [*node.input, bias], made, name=node.name))
                gone.add(id(add))
                if between is not None:
                    between.output[0] = add.output[0]
                continue
        if id(node) not in gone:
            nodes.append(node)
    _put_nodes(model, nodes)


def _put_nodes(model: Any, nodes: list[Any]) -> None:
    # Copies first: protobuf frees the nodes that it clears.
    fresh = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(fresh)


def _int8(kernel: NDArray[Any], axis: int | None, levels: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(int8 weights, scales (channels,), or () without an axis): symmetric, as TFLite's converter does it."""
    others = tuple(i for i in range(kernel.ndim) if i != axis)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    scale = np.maximum(largest, np.float32(1e-12)) / np.float32(levels)
    steps = np.clip(np.round(kernel / scale), -LEVELS, LEVELS).astype(np.int8)
    return steps, scale.astype(np.float32).reshape(() if axis is None else -1)


def _axis(node: Any, kernel: NDArray[Any]) -> int:
    attributes: Mapping[str, Any] = {item.name: item for item in node.attribute}
    if node.op_type == "Gemm" and "transB" in attributes and attributes["transB"].i:
        return 0
    return kernel.ndim - 1 if node.op_type == "MatMul" else _CHANNEL_AXIS[node.op_type]


def _store(
    model: Any, nodes: list[Any], name: str, weights: NDArray[Any], scale: NDArray[np.float32], axis: int
) -> NDArray[np.float32]:
    from onnx import helper, numpy_helper

    parts = (weights, scale, np.zeros(scale.shape, weights.dtype))
    names = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(part), n) for part, n in zip(parts, names, strict=True)
    )
    along = {"axis": axis} if scale.ndim else {}
    nodes.append(helper.make_node("DequantizeLinear", names, [f"{name}_dequantized"], name=f"{name}_dq", **along))
    return scale


def _store_bias(model: Any, nodes: list[Any], node: Any, bias: Any, scale: NDArray[np.float32]) -> str:
    from onnx import numpy_helper

    values = numpy_helper.to_array(bias).astype(np.float64)
    limit = 2**31 - 1
    stored = np.clip(np.round(values / scale), -limit, limit).astype(np.int32)
    # One bias may serve two nodes with other input grids, so the name carries the node's.
    name = f"{node.name or node.output[0]}_bias"
    _store(model, nodes, name, stored, scale.astype(np.float32), 0)
    return f"{name}_dequantized"


def _drop_unused(model: Any) -> None:
    used = {name for node in model.graph.node for name in node.input} | {value.name for value in model.graph.output}
    kept = [item for item in model.graph.initializer if item.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]
