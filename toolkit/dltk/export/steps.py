"""The quantization steps of a file's outputs: the unit in which two runs of an integer file are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.edge.runtimes import Port
from dltk.export import micro

__all__ = ["steps_of"]

# What moves or selects numbers and changes none.
_MOVES = ("Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose")


def steps_of(format: str, data: bytes, ports: Sequence[Port]) -> dict[str, float | None]:
    """Output name -> its step in real numbers; None where the output is not on a grid, as that of a float softmax.

    Args:
        ports: the outputs, as they stand in the file.
    """
    if format == "tflite":
        return {port.name: step for port, step in zip(ports, micro.output_steps(data), strict=True)}
    import onnx

    graph = onnx.load_model_from_string(data).graph
    makers = {output: node for node in graph.node for output in node.output}
    constants = {item.name: item for item in graph.initializer}
    return {port.name: _step(port.name, makers, constants) for port in ports}


def _step(name: str, makers: Mapping[str, Any], constants: Mapping[str, Any]) -> float | None:
    from onnx import numpy_helper

    node = makers.get(name)
    while node is not None and node.op_type in _MOVES:
        node = makers.get(node.input[0])
    if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in constants:
        return None
    scale = numpy_helper.to_array(constants[node.input[1]])
    return float(scale.ravel()[0]) if scale.size == 1 else None
