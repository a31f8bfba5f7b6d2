"""What the operators of an emitted file may be, and the oldest runtime that loads it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import version

from dltk.quantization.plan import QuantizationPlan
from dltk.twin.graph import Graph
from dltk.twin.table import row

__all__ = ["allowed_float_operators", "minimum_runtime"]

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

# The oldest wheels that install on Python 3.11 and were seen to load and run dltk files. For TFLite, oldest first:
# the highest version of an operator that the wheel has, where a later wheel has a higher one. Every version was tried.
_ONNX, _NEWEST = "onnxruntime 1.15.0", "ai-edge-litert"
_TFLITE: Mapping[str, Mapping[str, int]] = {
    "tflite-runtime 2.14.0": {
        "ADD": 5, "BROADCAST_TO": 3, "CAST": 5, "CONCATENATION": 4, "CONV_2D": 7, "COS": 1, "DEQUANTIZE": 5,
        "DILATE": 0, "DYNAMIC_UPDATE_SLICE": 1, "EMBEDDING_LOOKUP": 3, "EQUAL": 4, "FILL": 4, "FULLY_CONNECTED": 10,
        "GATHER": 6, "GATHER_ND": 4, "GELU": 2, "LOG": 1, "MUL": 7, "NOT_EQUAL": 3, "PACK": 4, "PAD": 4, "PADV2": 4,
        "QUANTIZE": 3, "REDUCE_WINDOW": 0, "REVERSE_V2": 3, "RSQRT": 2, "SIN": 1, "SLICE": 6, "SOFTMAX": 3, "SPLIT": 4,
        "SPLIT_V": 2, "SQRT": 1, "TRANSPOSE": 6, "TRANSPOSE_CONV": 4, "UNPACK": 4,
    },
    "ai-edge-litert 1.0.0": {
        "ADD": 5, "BROADCAST_TO": 3, "CAST": 6, "CONCATENATION": 4, "COS": 1, "DEQUANTIZE": 6,
        "DYNAMIC_UPDATE_SLICE": 2, "EMBEDDING_LOOKUP": 4, "EQUAL": 4, "FILL": 4, "FULLY_CONNECTED": 13, "GATHER": 7,
        "GATHER_ND": 5, "GELU": 2, "MUL": 7, "NOT_EQUAL": 3, "PACK": 4, "PAD": 4, "PADV2": 4, "QUANTIZE": 3,
        "REVERSE_V2": 3, "SIN": 1, "SLICE": 6, "SOFTMAX": 3, "SPLIT": 4, "SPLIT_V": 2, "SQRT": 1, "TRANSPOSE": 6,
        "UNPACK": 4,
    },
}  # fmt: skip


def allowed_float_operators(graph: Graph, plan: QuantizationPlan | None, found: Mapping[str, int]) -> set[str]:
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
    """How many operators with weights the layers `names` are in the file; None if unknown."""
    uses, count = graph.uses(), 0
    for name in names:
        kind = graph.layers[name].kind if name in graph.layers else ""
        if kind in _SINGLE:
            count += uses.get(name, 0)
        elif kind in _SEVERAL or (kind and kind not in _NONE and row(kind).kernel is not None):
            return None
    return count


def minimum_runtime(format: str, data: bytes) -> str:
    """The oldest runtime that loads a file: it knows every operator in it, in the version that the file asks for.

    Args:
        data: of a TFLite file; all ONNX files are of one opset, and need the same.
    """
    if format == "onnx":
        return _ONNX
    asked = _versions(data)
    for name, highest in _TFLITE.items():
        if all(number <= highest.get(operator, number) for operator, number in asked.items()):
            return name
    return f"{_NEWEST} {version(_NEWEST)}"  # it has run there


def _versions(data: bytes) -> dict[str, int]:
    """Operator -> the highest version of it in a TFLite file."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
    model, found = schema.Model.GetRootAs(data, 0), dict[str, int]()
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        found[name] = max(code.Version(), found.get(name, 0))
    return found
