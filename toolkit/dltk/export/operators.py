"""What the operators of an emitted file may be, and the oldest runtime that loads it."""

from __future__ import annotations

from collections.abc import Collection

from dltk.compress.plan import QuantizationPlan
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["allowed_float", "minimum_runtime"]

# Operators that hold weights: where one of them computes in float32, a file is not int8, whatever it is called.
_WEIGHTED = {
    "Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "Gemm", "MatMul", "CONV_2D", "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED", "TRANSPOSE_CONV",
}  # fmt: skip
# Changes of shape compute nothing; for the others onnxruntime has no int8 kernel on a CPU.
_FREE = {"Concat", "Flatten", "PAD", "Pad", "Reshape", "Squeeze", "Transpose", "Unsqueeze", "RESHAPE", "TRANSPOSE"}
_NO_KERNEL = {"ConvTranspose", "Sigmoid", "Softmax", "Tanh"}
# Functions that a format writes as several operators: the ones inside have no range of their own.
_COMPOSED = {"gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "silu", "swish"}

_MINIMUM = {"tflite": "ai-edge-litert 1.0.0", "onnx": "onnxruntime 1.15.0"}


def allowed_float(graph: Graph, plan: QuantizationPlan | None, found: Collection[str]) -> set[str]:
    """Those of `found` (operators that compute in float32) that an int8 file of `graph` may have.

    None that hold weights, unless the plan leaves such a layer float; others only beside a layer that the plan leaves
    float, or where an activation is made of several operators.
    """
    weighted_float = plan is not None and any(
        row(graph.layers[name].kind).kernel is not None for name in plan.floats if name in graph.layers
    )
    if weighted_float:
        return set(found)
    composed = any(
        layer.kind == "LeakyReLU" or str(layer.config.get("activation")) in _COMPOSED for layer in graph.layers.values()
    )
    if composed or (plan is not None and plan.floats):
        return (set(found) - _WEIGHTED) | _NO_KERNEL
    return _FREE | _NO_KERNEL


def minimum_runtime(format: str) -> str:
    """The oldest wheel that installs on Python 3.11 and was seen to load and run dltk's files."""
    return _MINIMUM[format]
