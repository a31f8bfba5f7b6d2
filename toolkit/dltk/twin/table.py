"""One row a layer class: how it maps to tf_keras, what may be done to it, how its output's range comes about.

The coverage table in the docs is generated from these rows. What has no row is refused before any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["DROPPED_IN_USE", "IDENTITY", "ROWS", "Row", "row", "supported"]

Spread = Literal["own", "same", "unit", "tanh"]


@dataclass(frozen=True)
class Row:
    """What dltk knows of a layer class.

    Attributes:
        spread: where the range of the output comes from. "own": measured; "same": that of the inputs, which are tied
            together (pool, reshape, concatenate); "unit": fixed at 0..1 (softmax, sigmoid); "tanh": fixed at -1..1.
        int8: whether both runtimes have an int8 kernel; else the layer stays float between quantized neighbours.
        kernel: index of the weight that is quantized, pruned and clustered; None where there is none.
        channel_axis: axis of that weight with one scale an output channel.
        depthwise: whether each channel is filtered alone; such kernels hold few weights and are not pruned.
        native: whether only the format's own calibration can quantize it (recurrent layers).
        why_float: the reason shown where `int8` is false.
    """

    spread: Spread = "own"
    int8: bool = True
    kernel: int | None = None
    channel_axis: int = -1
    depthwise: bool = False
    native: bool = False
    why_float: str = ""


_NO_KERNEL = "no int8 kernel in both runtimes"
_RECURRENT = "recurrent: ranges inside the loop belong to each runtime"
_FLOAT = Row(int8=False, why_float=_NO_KERNEL)
_SAME = Row(spread="same")
_OWN = Row()
_WEIGHTED = Row(kernel=0)
_LOOP = Row(int8=False, kernel=0, native=True, why_float=_RECURRENT)
# TensorFlow's calibrator crashes the process on the loops of GRU and SimpleRNN; they stay float in an int8 file.
_FLOAT_LOOP = Row(int8=False, kernel=0, why_float="recurrent: TensorFlow's calibrator crashes on it")

ROWS: Mapping[str, Row] = {
    "Dense": _WEIGHTED,
    "Conv1D": _WEIGHTED,
    "Conv2D": _WEIGHTED,
    "Conv2DTranspose": Row(kernel=0, channel_axis=-2),
    "Conv1DTranspose": Row(kernel=0, channel_axis=-2),
    "DepthwiseConv1D": Row(kernel=0, depthwise=True, channel_axis=-2),
    "DepthwiseConv2D": Row(kernel=0, depthwise=True, channel_axis=-2),
    "SeparableConv1D": Row(kernel=1),
    "SeparableConv2D": Row(kernel=1),
    "EinsumDense": Row(kernel=0, int8=False, why_float="general einsum: no int8 kernel in both runtimes"),
    "BatchNormalization": _OWN,
    "Affine": _OWN,
    "Normalization": _OWN,
    "Rescaling": _OWN,
    "LayerNormalization": _FLOAT,
    "GroupNormalization": _FLOAT,
    "UnitNormalization": _FLOAT,
    "LayerScale": _OWN,
    "Activation": _OWN,
    "ReLU": _OWN,
    "LeakyReLU": _OWN,
    "PReLU": _FLOAT,
    "ELU": _FLOAT,
    "Softmax": Row(spread="unit"),
    "Add": _OWN,
    "Subtract": _OWN,
    "Multiply": _OWN,
    "Average": _OWN,
    "Maximum": _SAME,
    "Minimum": _SAME,
    "Concatenate": _SAME,
    "MaxPooling1D": _SAME,
    "MaxPooling2D": _SAME,
    "AveragePooling1D": _SAME,
    "AveragePooling2D": _SAME,
    "GlobalAveragePooling1D": _OWN,
    "GlobalAveragePooling2D": _OWN,
    "GlobalMaxPooling1D": _SAME,
    "GlobalMaxPooling2D": _SAME,
    "Flatten": _SAME,
    "Reshape": _SAME,
    "Permute": _SAME,
    "RepeatVector": _SAME,
    "ZeroPadding1D": _SAME,
    "ZeroPadding2D": _SAME,
    "Cropping1D": _SAME,
    "Cropping2D": _SAME,
    "UpSampling1D": _SAME,
    "UpSampling2D": _SAME,
    "Embedding": Row(int8=False, kernel=0, why_float="a table look-up: its weights are small beside the file"),
    "SimpleRNN": _FLOAT_LOOP,
    "LSTM": _LOOP,
    "GRU": _FLOAT_LOOP,
    "Bidirectional": _FLOAT_LOOP,
    "TimeDistributed": _FLOAT,
    "MultiHeadAttention": _FLOAT,
    "Attention": _FLOAT,
    "Dropout": _SAME,
    "SpatialDropout1D": _SAME,
    "SpatialDropout2D": _SAME,
    "GaussianNoise": _SAME,
    "GaussianDropout": _SAME,
    "AlphaDropout": _SAME,
    "op.Add": _OWN,
    "op.Subtract": _OWN,
    "op.Multiply": _OWN,
    "op.Divide": _FLOAT,
    "op.TrueDivide": _FLOAT,
    "op.Negative": _FLOAT,
    "op.Relu": _OWN,
    "op.Relu6": _OWN,
    "op.Sigmoid": Row(spread="unit"),
    "op.Tanh": Row(spread="tanh"),
    "op.Softmax": Row(spread="unit"),
    "op.Silu": _OWN,
    "op.Reshape": _SAME,
    "op.Mean": _FLOAT,
}

# Layers that change a sample in training only: a twin computes what a user of the model sees.
DROPPED_IN_USE = frozenset(
    {
        "ActivityRegularization",
        "Identity",
        "RandomBrightness",
        "RandomContrast",
        "RandomCrop",
        "RandomFlip",
        "RandomHeight",
        "RandomRotation",
        "RandomTranslation",
        "RandomWidth",
        "RandomZoom",
    }
)
DROPPED_IN_USE = DROPPED_IN_USE - {"RandomCrop", "RandomHeight", "RandomWidth"}  # these change the shape in use too

# Layers that training keeps and an exported file does not.
IDENTITY = frozenset(
    {"AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"}
)

ACTIVATION_SPREAD: Mapping[str, Spread] = {"softmax": "unit", "sigmoid": "unit", "tanh": "tanh"}
ACTIVATION_INT8 = frozenset(
    {
        "relu",
        "relu6",
        "leaky_relu",
        "silu",
        "swish",
        "hard_silu",
        "hard_swish",
        "hard_sigmoid",
        "sigmoid",
        "softmax",
        "tanh",
    }
)
FUSED_ACTIVATIONS = frozenset({"relu", "relu6"})


def supported(kind: str) -> bool:
    """Whether there is a row for the layer class."""
    return kind in ROWS


def row(kind: str, config: Mapping[str, object] | None = None) -> Row:
    """The row of a layer; an `Activation` answers by its function, a `Bidirectional` by the layer inside."""
    found = ROWS[kind]
    if config is None or kind not in ("Activation", "Bidirectional"):
        return found
    if kind == "Bidirectional":
        inner = config.get("layer")
        return ROWS.get(str(inner.get("class_name")), found) if isinstance(inner, dict) else found
    name = str(config.get("activation"))
    if name not in ACTIVATION_INT8:
        return _FLOAT
    return Row(spread=ACTIVATION_SPREAD.get(name, "own"))
