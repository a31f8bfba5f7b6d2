"""What the operators of an emitted file may be, and the oldest runtime that loads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

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
_NO_KERNEL = {"ConvTranspose", "ReduceMean", "Sigmoid", "Softmax", "Tanh"}
# Functions that a format writes as several operators: the ones inside have no range of their own.
_COMPOSED = {"gelu", "hard_sigmoid", "hard_silu", "hard_swish", "leaky_relu", "silu", "swish"}

# Layers that are one operator with weights a use in both formats, or none; any other may be several.
_SEVERAL = {"MultiHeadAttention", "TimeDistributed"}
_SINGLE = {"Affine", "Conv1D", "Conv2D", "Dense", "DepthwiseConv2D"}
_NONE = {"Conv2DTranspose", "Embedding"}  # a transposed one has no int8 kernel in onnxruntime anyway

_MINIMUM = {"tflite": "ai-edge-litert 1.0.0", "onnx": "onnxruntime 1.15.0"}


def allowed_float(graph: Graph, plan: QuantizationPlan | None, found: Mapping[str, int]) -> set[str]:
    """Those of `found` (operator that computes in float32 -> how often) that an integer file of `graph` may have.

    Of those that hold weights as many as the plan leaves float, and no more; others only beside a layer that the plan
    leaves float, or where an activation is made of several operators.
    """
    floats = plan.floats if plan is not None else {}
    composed = any(
        layer.kind == "LeakyReLU" or str(layer.config.get("activation")) in _COMPOSED for layer in graph.layers.values()
    )
    if not composed and not floats:
        return _FREE | _NO_KERNEL
    weighted = {name: count for name, count in found.items() if name in _WEIGHTED - _NO_KERNEL}
    most = _weighted_uses(graph, floats)
    fits = most is None or sum(weighted.values()) <= most
    return (set(found) - (set() if fits else set(weighted))) | _NO_KERNEL


def _weighted_uses(graph: Graph, names: Collection[str]) -> int | None:
    """How many operators with weights the layers `names` are in the file; None where nobody knows."""
    uses, count = graph.uses(), 0
    for name in names:
        kind = graph.layers[name].kind if name in graph.layers else ""
        if kind in _SINGLE:
            count += uses.get(name, 0)
        elif kind in _SEVERAL or (kind and kind not in _NONE and row(kind).kernel is not None):
            return None
    return count


def minimum_runtime(format: str) -> str:
    """The oldest wheel that installs on Python 3.11 and was seen to load and run dltk's files."""
    return _MINIMUM[format]
