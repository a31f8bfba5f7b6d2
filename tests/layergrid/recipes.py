"""How each layer class of Keras is built and called, beside the values that `values` has for its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers as L

__all__ = ["NEVER", "RECIPES", "Recipe", "reshaped"]

SIDE = 8
PLAIN, STEPS, IMAGE, VIDEO = (192,), (8, 24), (8, 8, 3), (4, 4, 4, 3)
STEREO = (8, 4, 6)  # an image whose channels divide
TOKENS = "tokens"
Call = Callable[[Any, Any], Any]


def alone(layer: Any, x: Any) -> Any:
    return layer(x)


def paired(layer: Any, x: Any) -> Any:
    """Two inputs of one shape."""
    return layer([x, L.Rescaling(-0.5, 0.2)(x)])


def attended(layer: Any, x: Any) -> Any:
    return layer(x, x)


def in_loop(cell: Any, x: Any) -> Any:
    return L.RNN(cell)(x)


@dataclass(frozen=True)
class Recipe:
    """What a class needs beside a name.

    Attributes:
        shape: of one sample that it is called with; "tokens": whole numbers from 0 to 4 as (192,).
        given: arguments that it has in every case.
        values: argument -> values of this class, in place of those in `values`; () for none.
        also: whole sets of arguments that belong together.
    """

    shape: tuple[int, ...] | str = IMAGE
    given: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    also: tuple[Mapping[str, Any], ...] = ()
    call: Call = alone


def reshaped(x: Any, shape: tuple[int, ...] | str) -> Any:
    """The image (8, 8, 3) in -1..1 as another tensor."""
    if shape == TOKENS:
        return L.Rescaling(1.9, 2.05)(L.Reshape(PLAIN)(x))
    return x if shape == IMAGE else L.Reshape(shape)(x)


def _cells() -> tuple[Any, ...]:
    return (L.SimpleRNNCell(3), L.GRUCell(3), L.LSTMCell(3), L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]))


def _inner() -> tuple[Any, ...]:
    return (
        L.LSTM(3, recurrent_activation="hard_sigmoid"),
        L.LSTM(3, activation="hard_tanh", return_sequences=True),
        L.GRU(3, recurrent_activation="hard_sigmoid"),
        L.GRU(3, activation="leaky_relu", reset_after=False),
        L.SimpleRNN(3, activation="relu6"),
        L.SimpleRNN(3, activation="celu"),
        L.LSTM(3, go_backwards=True),
        L.LSTM(3, return_state=True),
        L.LSTM(3, unroll=True),
        L.RNN(L.LSTMCell(3)),
        L.ConvLSTM1D(2, 2),
    )


def _conv(rank: int, **given: Any) -> Recipe:
    shape = {1: STEPS, 2: STEREO, 3: VIDEO}[rank]
    pair = (2, 1, 2)[:rank]
    return Recipe(
        shape,
        {"kernel_size": 2, **given},
        {"kernel_size": (1, 2, 3, pair), "strides": (1, 2, 3, pair), "groups": (2, 3)},
        (
            {"strides": 2, "padding": "same"},
            {"strides": 3, "padding": "same", "use_bias": False},
            {"dilation_rate": 2, "padding": "same"},
            {"dilation_rate": 2, "padding": "causal"},
            {"strides": 2, "dilation_rate": 2},
            {"kernel_size": 3, "padding": "same", "activation": "relu"},
            {"groups": 2, "use_bias": False, "padding": "same"},
            {"depth_multiplier": 2, "padding": "same", "activation": "tanh"},
            {"strides": 3, "kernel_size": 2, "activation": "relu"},
            {"strides": 4, "kernel_size": 3, "padding": "same"},
            {"strides": 3, "kernel_size": 1},
            {"strides": 3, "kernel_size": 3, "output_padding": 2},
            {"strides": 3, "kernel_size": 2, "output_padding": 1, "padding": "same"},
            {"strides": 2, "kernel_size": 3, "output_padding": 1, "padding": "same"},
            {"dilation_rate": 3, "kernel_size": 2, "padding": "same"},
        ),
    )


def _pool(rank: int, **given: Any) -> Recipe:
    shape = {1: STEPS, 2: STEREO, 3: VIDEO}[rank]
    pair = (2, 1, 2)[:rank]
    values = {"pool_size": (1, 2, 3, pair), "strides": (1, 2, 3, pair), "output_size": (1, 2, 3, pair)}
    also = ({"padding": "same", "strides": 3}, {"padding": "same", "pool_size": 3, "strides": 1})
    return Recipe(shape, given, values, also)


def _pad(rank: int) -> Recipe:
    shape = {1: STEPS, 2: STEREO, 3: VIDEO}[rank]
    ends = (((1, 2), (0, 1), (1, 0))[:rank],) if rank > 1 else ((1, 2),)
    values = (0, 1, (1,) * rank if rank > 1 else 2, *ends)
    return Recipe(
        shape, {}, {"cropping": values, "padding": values, "size": (1, 2, (2, 1, 3)[:rank] if rank > 1 else 3)}
    )


def _loop(shape: tuple[int, ...] = STEPS, **given: Any) -> Recipe:
    also = (
        {"return_sequences": True, "go_backwards": True},
        {"return_sequences": True, "return_state": True},
        {"unroll": True, "return_sequences": True},
        {"use_bias": False, "reset_after": False},
        {"dropout": 0.2, "recurrent_dropout": 0.2},
        {"activation": "relu", "recurrent_activation": "hard_sigmoid"},
        {"activation": "hard_silu", "use_bias": False},
    )
    return Recipe(shape, given, {"stateful": ()}, also)


def _convloop(rank: int) -> Recipe:
    shape = {1: (4, 8, 6), 2: VIDEO, 3: (2, 2, 2, 4, 6)}[rank]
    return Recipe(
        shape, {"filters": 2, "kernel_size": 2}, {"kernel_size": (1,), "activation": ("relu",), "stateful": ()}
    )


def _norm(**given: Any) -> Recipe:
    values = {"axis": (-1, 1, 2, 3, [1], [-1], [1, 2], [-2, -1], [1, 2, 3]), "groups": (1, 2, 3, 6, -1)}
    also = ({"center": False, "scale": False}, {"axis": 1, "epsilon": 0.1}, {"axis": [1, 2], "scale": False})
    return Recipe(STEREO, given, values, also)


_ANY_AXIS = {"axis": (-1, 1, 2, 3, -2, [1, 2], [-1])}
_ATTENTION = {
    "num_heads": (1, 3),
    "key_dim": (1, 5),
    "value_dim": (4,),
    "output_shape": (5, (2, 3)),
    "attention_axes": (1,),
}
_TEXT = "takes text, which no exported file reads"
_RANDOM = {"value_range": ((0.0, 1.0),)}

# Class -> why it is no layer of a model that could be built here.
NEVER: Mapping[str, str] = {
    "FlaxLayer": "needs flax, and holds somebody's code",
    "JaxLayer": "needs jax, and holds somebody's code",
    "TFSMLayer": "reads a SavedModel from a path; the attacks have a file that names one",
    "TorchModuleWrapper": "needs torch, and holds somebody's code",
    "InputSpec": "is no layer",
    "Layer": "is the base class: it computes nothing",
    "Wrapper": "is the base class of wrappers: it computes nothing",
    "InputLayer": "is in every model",
    "MaxNumBoundingBoxes": "takes boxes, not tensors",
    "StringLookup": _TEXT,
    "TextVectorization": _TEXT,
    "Pipeline": "is no layer that a functional model can call",
}

RECIPES: Mapping[str, Recipe] = {
    "Activation": Recipe(given={"activation": "relu"}),
    "ActivityRegularization": Recipe(values={"l1": (0.1,), "l2": (0.1,)}),
    **{f"Adaptive{kind}Pooling{rank}D": _pool(rank, output_size=2) for kind in ("Average", "Max") for rank in (1, 2, 3)},
    **{kind: Recipe(call=paired) for kind in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")},
    "AdditiveAttention": Recipe(STEPS, call=paired),
    "AlphaDropout": Recipe(given={"rate": 0.5}),
    "Attention": Recipe(STEPS, values={"score_mode": ("dot", "concat")}, call=paired),
    "AugMix": Recipe(values={"num_chains": (2,), "chain_depth": (2,), "factor": (0.1,), "alpha": (0.5,), "all_ops": (False,), **_RANDOM}),
    "AutoContrast": Recipe(values=_RANDOM),
    **{f"AveragePooling{rank}D": _pool(rank, pool_size=2) for rank in (1, 2, 3)},
    "BatchNormalization": _norm(),
    "Bidirectional": Recipe(
        STEPS,
        {"layer": L.LSTM(3)},
        {
            "layer": _inner(),
            "merge_mode": ("sum", "mul", "ave", "concat", None),
            "weights": (),
            "backward_layer": (L.GRU(3, go_backwards=True), L.LSTM(3, go_backwards=True, activation="hard_sigmoid")),
        },
    ),
    "CategoryEncoding": Recipe(TOKENS, {"num_tokens": 5}, {"num_tokens": (7,), "output_mode": ("one_hot", "count")}),
    "CenterCrop": Recipe(given={"height": 4, "width": 6}, values={"height": (8, 16), "width": (8,)}),
    "Concatenate": Recipe(STEREO, values={"axis": (1, 2, 3, -2)}, call=paired),
    "ContrastLimitedAdaptiveHistogramEqualization": Recipe(values={"clip_limit": (2.0,), "tile_grid_size": ((2, 2),), **_RANDOM}),
    **{f"Conv{rank}D": _conv(rank, filters=6) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _conv(rank, filters=3) for rank in (1, 2, 3)},
    **{f"ConvLSTM{rank}D": _convloop(rank) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _pad(rank) for rank in (1, 2, 3)},
    "CutMix": Recipe(values={"factor": (0.5,)}),
    "Dense": Recipe(STEPS, {"units": 4}),
    "DepthwiseConv1D": _conv(1),
    "DepthwiseConv2D": _conv(2),
    "Discretization": Recipe(
        PLAIN,
        {"bin_boundaries": [-0.5, 0.01, 0.5]},
        {"bin_boundaries": ([0.1],), "num_bins": (), "output_mode": ("one_hot", "multi_hot", "count")},
    ),
    "Dot": Recipe(STEPS, {"axes": 1}, {"axes": (2, -1, (1, 1), (2, 2))}, call=paired),
    "Dropout": Recipe(given={"rate": 0.5}),
    "ELU": Recipe(values={"alpha": (0.2, 2.0)}),
    "EinsumDense": Recipe(
        STEPS,
        {"equation": "abc,cd->abd", "output_shape": (8, 4)},
        {"equation": (), "output_shape": (), "bias_axes": ("d", "bd"), "gptq_unpacked_column_size": ()},
        (
            {"equation": "ab...,bc->ac...", "output_shape": (4, 24)},
            {"equation": "abc,bcd->ad", "output_shape": 4, "bias_axes": "d", "activation": "relu"},
            {"equation": "...x,xy->...y", "output_shape": (8, 4)},
        ),
    ),
    "Embedding": Recipe(TOKENS, {"input_dim": 5, "output_dim": 3}, {"weights": (), "input_dim": (9,), "output_dim": (1,)}),
    "Equalization": Recipe(values={"bins": (16,), **_RANDOM}),
    "Flatten": Recipe(),
    "GRU": _loop(units=3),
    "GRUCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "GaussianDropout": Recipe(given={"rate": 0.5}),
    "GaussianNoise": Recipe(given={"stddev": 0.5}),
    **{f"Global{kind}Pooling{rank}D": _pool(rank) for kind in ("Average", "Max") for rank in (1, 2, 3)},
    "GroupNormalization": _norm(groups=3),
    "GroupQueryAttention": Recipe(
        STEPS,
        {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
        {"head_dim": (3,), "num_query_heads": (4,), "num_key_value_heads": (2,)},
        call=attended,
    ),
    "HashedCrossing": Recipe(TOKENS, {"num_bins": 5}, {"num_bins": (3,), "output_mode": ("one_hot",)}, call=paired),
    "Hashing": Recipe(TOKENS, {"num_bins": 5}, {"num_bins": (3,), "mask_value": (0,), "salt": (3,), "output_mode": ("one_hot",)}),
    "Identity": Recipe(),
    "IntegerLookup": Recipe(
        TOKENS,
        {"vocabulary": [1, 2]},
        {
            "max_tokens": (9,), "num_oov_indices": (2,), "mask_token": (0,), "oov_token": (7,), "vocabulary": ([3],),
            "vocabulary_dtype": (), "idf_weights": (), "invert": (), "output_mode": ("one_hot",), "pad_to_max_tokens": (),
            "oov_method": (), "salt": (3,),
        },
    ),
    "LSTM": _loop(units=3),
    "LSTMCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "Lambda": Recipe(given={"function": lambda x: x * 2}, values={"function": (), "output_shape": ((8, 8, 3),), "mask": (), "arguments": ({},)}),
    "LayerNormalization": _norm(),
    "LeakyReLU": Recipe(values={"negative_slope": (0.0, 0.01, 1.5)}),
    "Masking": Recipe(STEPS, values={"mask_value": (-1.0,)}, call=lambda layer, x: L.LSTM(3)(layer(x))),
    **{f"MaxPooling{rank}D": _pool(rank) for rank in (1, 2, 3)},
    "MelSpectrogram": Recipe(
        PLAIN,
        {"fft_length": 64, "sequence_stride": 32, "num_mel_bins": 8},
        {
            "fft_length": (128,), "sequence_stride": (16,), "sequence_length": (64,), "window": ("hamming",),
            "sampling_rate": (8000,), "num_mel_bins": (4,), "min_freq": (10.0,), "max_freq": (4000.0,),
            "power_to_db": (False,), "top_db": (60.0,), "mag_exp": (1.0,), "min_power": (1e-5,), "ref_power": (2.0,),
        },
    ),
    "MixUp": Recipe(values={"alpha": (0.5,)}),
    "MultiHeadAttention": Recipe(STEPS, {"num_heads": 2, "key_dim": 3}, _ATTENTION, call=attended),
    "Normalization": Recipe(
        STEREO,
        {"mean": 0.1, "variance": 0.5},
        {"axis": (-1, 1, 2, None, (1, 2), (-1,)), "mean": ([0.1] * 6,), "variance": (0.0, 1e-12), "invert": (True,)},
        ({"mean": [0.1] * 6, "variance": [0.5] * 6}, {"mean": [0.1] * 6, "variance": [0.5] * 6, "invert": True}),
    ),
    "PReLU": Recipe(values={"shared_axes": ([1], [1, 2], [1, 2, 3], [-1])}),
    "Permute": Recipe(STEREO, {"dims": (2, 1, 3)}, {"dims": ((1, 2, 3), (3, 1, 2), (3, 2, 1))}),
    "RMSNormalization": _norm(),
    "RNN": Recipe(STEPS, {"cell": L.LSTMCell(3)}, {"cell": _cells(), "stateful": ()}),
    "RandAugment": Recipe(values={"num_ops": (1,), "factor": (0.1,), **_RANDOM}),
    **{
        f"Random{kind}": Recipe(given={"factor": 0.2}, values={"factor": (0.5,), **_RANDOM})
        for kind in ("Brightness", "ColorDegeneration", "Contrast", "Hue", "Posterization", "Saturation", "Sharpness")
    },
    "RandomPosterization": Recipe(given={"factor": 4}, values={"factor": (2,), **_RANDOM}),
    "RandomColorJitter": Recipe(
        values={**_RANDOM, **{f"{kind}_factor": (0.2,) for kind in ("brightness", "contrast", "saturation", "hue")}}
    ),
    "RandomCrop": Recipe(given={"height": 4, "width": 6}, values={"height": (8,), "width": (8,)}),
    **{
        f"Random{kind}": Recipe(values={"factor": (0.5,), "scale": (0.5,), "kernel_size": (5,), "sigma": (0.5,), **_RANDOM})
        for kind in ("ElasticTransform", "GaussianBlur", "Grayscale", "Invert", "Perspective")
    },
    "RandomErasing": Recipe(values={"factor": (0.5,), "scale": ((0.1, 0.2),), **_RANDOM}),
    "RandomFlip": Recipe(values={"mode": ("horizontal", "vertical")}),
    "RandomRotation": Recipe(given={"factor": 0.1}, values={"factor": (0.5,)}),
    "RandomShear": Recipe(values={"x_factor": (0.1,), "y_factor": (0.1,)}),
    "RandomTranslation": Recipe(
        given={"height_factor": 0.1, "width_factor": 0.1}, values={"height_factor": (0.2,), "width_factor": (0.2,)}
    ),
    "RandomZoom": Recipe(given={"height_factor": 0.1}, values={"height_factor": (0.2,), "width_factor": (0.2,)}),
    "ReLU": Recipe(
        values={"max_value": (0.0, 0.5, 6.0, 1.0), "negative_slope": (0.1, 1.5), "threshold": (0.1, 0.5)},
        also=({"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.1}, {"max_value": 6.0, "threshold": 0.2}),
    ),
    "RepeatVector": Recipe(PLAIN, {"n": 2}, {"n": (1, 3)}),
    "Rescaling": Recipe(
        given={"scale": 0.5}, values={"scale": ([1.0, 2.0, 3.0], 0.0, 1e-8), "offset": (0.5, [0.1, 0.2, 0.3])}
    ),
    "Reshape": Recipe(given={"target_shape": (64, 3)}, values={"target_shape": ((-1,), (4, -1, 3), (192,), (1, 8, 8, 3))}),
    "Resizing": Recipe(
        given={"height": 4, "width": 4},
        values={"height": (7, 16), "width": (5,), "crop_to_aspect_ratio": (True,), "pad_to_aspect_ratio": (True,), "fill_mode": ("constant",)},
    ),
    "ReversibleEmbedding": Recipe(
        TOKENS, {"input_dim": 5, "output_dim": 3}, {"tie_weights": (False,), "reverse_dtype": ("float32",), "input_dim": (9,), "output_dim": (1,)}
    ),
    "STFTSpectrogram": Recipe(
        PLAIN,
        {"frame_length": 32},
        {
            "mode": ("magnitude", "psd", "angle"), "frame_length": (64,), "frame_step": (8,), "fft_length": (64,),
            "window": ("hamming",), "periodic": (True,), "scaling": ("spectrum",), "expand_dims": (True,),
        },
        call=lambda layer, x: layer(L.Reshape((192, 1))(x)),
    ),
    "SeparableConv1D": _conv(1, filters=3),
    "SeparableConv2D": _conv(2, filters=3),
    "SimpleRNN": _loop(units=3),
    "SimpleRNNCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "Softmax": Recipe(STEREO, values=_ANY_AXIS),
    "Solarization": Recipe(values={"addition_factor": (0.1,), "threshold_factor": (0.1,), **_RANDOM}),
    "SpatialDropout1D": Recipe(STEPS, {"rate": 0.5}),
    "SpatialDropout2D": Recipe(given={"rate": 0.5}),
    "SpatialDropout3D": Recipe(VIDEO, {"rate": 0.5}),
    "SpectralNormalization": Recipe(
        STEREO, {"layer": L.Conv2D(3, 2)}, {"layer": (L.Dense(3), L.DepthwiseConv2D(2)), "power_iterations": (2,)}
    ),
    "StackedRNNCells": Recipe(
        STEPS, {"cells": [L.LSTMCell(3), L.LSTMCell(2)]}, {"cells": ([L.GRUCell(3)],)},
        call=in_loop,
    ),
    "TimeDistributed": Recipe(
        STEREO,
        {"layer": L.Dense(3)},
        {
            "layer": (
                L.Conv1D(3, 2), L.Conv1D(4, 2, groups=2), L.LSTM(3), L.Flatten(), L.BatchNormalization(), L.Dropout(0.5),
                L.GRU(3, recurrent_activation="hard_sigmoid"), L.Dense(3, activation="leaky_relu"), L.Activation("celu"),
                L.Bidirectional(L.LSTM(3)), L.TimeDistributed(L.Dense(3)), L.Conv1DTranspose(2, 2, strides=3),
                L.Reshape((24,)), L.GroupNormalization(2), L.LayerNormalization(), L.MultiHeadAttention(1, 2), L.Masking(),
                keras.Sequential([keras.Input((4, 6)), L.Flatten(), L.Dense(3)]),
            )
        },
    ),
    "UnitNormalization": Recipe(STEREO, values=_ANY_AXIS),
    **{f"UpSampling{rank}D": _pad(rank) for rank in (1, 2, 3)},
    **{f"ZeroPadding{rank}D": _pad(rank) for rank in (1, 2, 3)},
}  # fmt: skip
