"""One row per layer class: how it maps to tf_keras, what may be done to it, how its output's range comes about.

The coverage table in the docs is generated from these rows. What has no row is refused before any work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "DROPPED_IN_USE",
    "IDENTITY",
    "MIXES_CHANNELS",
    "ROWS",
    "Channels",
    "Row",
    "is_fused",
    "lstm",
    "row",
    "supported",
]

RangeRule = Literal["own", "same", "unit", "tanh"]
Channels = Literal["make", "read", "pass", "couple", "concat", "reshape", "fixed"]


@dataclass(frozen=True)
class Row:
    """What dltk knows of a layer class.

    Attributes:
        spread: where the range of the output comes from. "own": measured; "same": that of the inputs, which share it
        (pool, reshape, concatenate); "unit": fixed at 0..1 (softmax, sigmoid); "tanh": fixed at -1..1.
        int8: whether both runtimes have an int8 kernel; else the layer stays float between quantized neighbours.
        kernel: index of the weight that is quantized, pruned and clustered; None where there is none.
        channel_axis: axis of that weight with one scale per output channel.
        depthwise: whether each channel is filtered alone; such kernels hold few weights and are not pruned.
        native: whether only the format's own calibration can quantize it (recurrent layers).
        crashes: whether TensorFlow's calibrator crashes on a model that holds it: then none of it calibrates natively.
        why_float: the reason shown where `int8` is false.
        channels: what becomes of the last axis when channels are cut. "make": it has channels of its own and reads its
            input's; "read": it reads its input's, its own stay; "pass": each input channel is an output channel;
            "couple": channels of all inputs belong together; "concat": they are concatenated; "reshape": they are
            distributed over positions, or gathered from them; "fixed": nothing that it reads or makes is cut.
    """

    spread: RangeRule = "own"
    int8: bool = True
    kernel: int | None = None
    channel_axis: int = -1
    depthwise: bool = False
    native: bool = False
    crashes: bool = False
    why_float: str = ""
    channels: Channels = "fixed"


_NO_KERNEL = "no int8 kernel in both runtimes"
_RECURRENT = "recurrent: ranges inside the loop belong to each runtime"
_FLOAT = Row(int8=False, why_float=_NO_KERNEL)
_FLOAT_PASS = replace(_FLOAT, channels="pass")
_FLOAT_COUPLE = replace(_FLOAT, channels="couple")
_SAME = Row(spread="same", channels="pass")
_SHAPE = Row(spread="same", channels="reshape")
_OWN = Row(channels="pass")
_EACH = Row(channels="couple")
_WEIGHTED = Row(kernel=0, channels="make")
_TRANSPOSED = Row(kernel=0, channel_axis=-2, channels="make")
_DEPTHWISE = Row(kernel=0, depthwise=True, channel_axis=-2, channels="pass")
_SEPARABLE = Row(kernel=1, channels="make")
_TABLE = Row(int8=False, kernel=0, why_float="a table look-up: its weights are small beside the file", channels="make")
_LOOP = Row(int8=False, kernel=0, native=True, why_float=_RECURRENT, channels="read")
# TensorFlow's calibrator crashes the process on the loops of GRU and SimpleRNN; they stay float in an int8 file.
_FLOAT_LOOP = Row(
    int8=False, kernel=0, crashes=True, why_float="recurrent: TensorFlow's calibrator crashes on it", channels="read"
)

ROWS: Mapping[str, Row] = {
    "Dense": _WEIGHTED,
    "Conv1D": _WEIGHTED,
    "Conv2D": _WEIGHTED,
    "Conv2DTranspose": _TRANSPOSED,
    "Conv1DTranspose": _TRANSPOSED,
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "EinsumDense": Row(kernel=0, int8=False, why_float="general einsum: no int8 kernel in both runtimes"),
    "BatchNormalization": _OWN,
    "Affine": _OWN,
    "Normalization": Row(),
    "Rescaling": _OWN,
    "LayerNormalization": _FLOAT_PASS,
    "GroupNormalization": _FLOAT,
    "UnitNormalization": _FLOAT_PASS,
    "LayerScale": _OWN,
    "Activation": _OWN,
    "ReLU": _OWN,
    "LeakyReLU": _OWN,
    "PReLU": _FLOAT_PASS,
    "ELU": _FLOAT_PASS,
    "Softmax": Row(spread="unit"),
    "Add": _EACH,
    "Subtract": _EACH,
    "Multiply": _EACH,
    "Average": _EACH,
    "Maximum": Row(spread="same", channels="couple"),
    "Minimum": Row(spread="same", channels="couple"),
    "Concatenate": Row(spread="same", channels="concat"),
    "MaxPooling1D": _SAME,
    "MaxPooling2D": _SAME,
    "AveragePooling1D": _SAME,
    "AveragePooling2D": _SAME,
    "GlobalAveragePooling1D": _OWN,
    "GlobalAveragePooling2D": _OWN,
    "GlobalMaxPooling1D": _SAME,
    "GlobalMaxPooling2D": _SAME,
    "Flatten": _SHAPE,
    "Reshape": _SHAPE,
    "Permute": _SAME,
    "RepeatVector": _SAME,
    "ZeroPadding1D": _SAME,
    "ZeroPadding2D": _SAME,
    "Cropping1D": _SAME,
    "Cropping2D": _SAME,
    "UpSampling1D": _SAME,
    "UpSampling2D": _SAME,
    "Embedding": _TABLE,
    "Masking": _FLOAT,
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
    "op.Add": _EACH,
    "op.Subtract": _EACH,
    "op.Multiply": _EACH,
    "op.Divide": _FLOAT_COUPLE,
    "op.TrueDivide": _FLOAT_COUPLE,
    "op.Negative": _FLOAT_PASS,
    "op.Relu": _OWN,
    "op.Relu6": _OWN,
    "op.Sigmoid": Row(spread="unit", channels="pass"),
    "op.Tanh": Row(spread="tanh", channels="pass"),
    "op.Softmax": Row(spread="unit"),
    "op.Silu": _OWN,
    "op.Reshape": _SHAPE,
    "op.Mean": _FLOAT_PASS,
}

# Layers that change a sample in training only: a twin computes what a user of the model sees. RandomCrop, RandomHeight
# and RandomWidth are none of them: they change the shape in use, too.
DROPPED_IN_USE = frozenset(
    {
        "ActivityRegularization",
        "Identity",
        "RandomBrightness",
        "RandomContrast",
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
    }
)

# Layers that training keeps and an exported file does not.
IDENTITY = frozenset(
    {"AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "SpatialDropout1D", "SpatialDropout2D"}
)

ACTIVATION_RANGE_RULES: Mapping[str, RangeRule] = {"softmax": "unit", "sigmoid": "unit", "tanh": "tanh"}
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
MIXES_CHANNELS = frozenset({"log_softmax", "softmax"})  # each channel's answer depends on how many others there are
FUSED_ACTIVATIONS = frozenset({"relu", "relu6"})


def supported(kind: str) -> bool:
    """Whether there is a row for the layer class."""
    return kind in ROWS


def lstm(kind: str, config: Mapping[str, object]) -> Mapping[str, object] | None:
    """The config of an LSTM, also of one inside a Bidirectional; None for any other layer."""
    if kind == "Bidirectional" and isinstance(inner := config.get("layer"), Mapping):
        kind, config = str(inner.get("class_name")), inner["config"]
    return config if kind == "LSTM" else None


def is_fused(config: Mapping[str, object]) -> bool:
    """Whether an LSTM becomes TFLite's own operator, as one of Keras' default settings does; any other is a loop."""
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True, "unroll": False}
    return all(config.get(key, value) == value for key, value in usual.items())


def row(kind: str, config: Mapping[str, object] | None = None) -> Row:
    """The row of a layer; for an `Activation` that of its function, for a `Bidirectional` that of the inner layer."""
    found = ROWS[kind]
    if config is None or kind not in ("Activation", "Bidirectional"):
        return found
    if kind == "Bidirectional":
        inner = config.get("layer")
        return ROWS.get(str(inner.get("class_name")), found) if isinstance(inner, dict) else found
    name = str(config.get("activation"))
    rules = Row(spread=ACTIVATION_RANGE_RULES.get(name, "own")) if name in ACTIVATION_INT8 else _FLOAT
    return replace(rules, channels="fixed" if name in MIXES_CHANNELS else "pass")
