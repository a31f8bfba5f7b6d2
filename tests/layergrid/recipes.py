"""How each layer class of Keras is built and called, or why it is not."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import layers as L

from layergrid.kinds import (
    PLAIN,
    STEPS,
    STEREO,
    TOKENS,
    VIDEO,
    Recipe,
    attended,
    cells,
    conv,
    convloop,
    in_loop,
    inner,
    loop,
    norm,
    pad,
    paired,
    pool,
)
from layergrid.preprocessing import PREPROCESSING

__all__ = ["NEVER", "RECIPES"]

_ANY_AXIS = {"axis": (-1, 1, 2, 3, -2, [1, 2], [-1])}
_ATTENTION = {
    "num_heads": (1, 3),
    "key_dim": (1, 5),
    "value_dim": (4,),
    "output_shape": (5, (2, 3)),
    "attention_axes": (1,),
}
_TEXT = "takes text, which no exported file reads"

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
    **PREPROCESSING,
    "Activation": Recipe(given={"activation": "relu"}),
    "ActivityRegularization": Recipe(values={"l1": (0.1,), "l2": (0.1,)}),
    **{f"Adaptive{kind}Pooling{rank}D": pool(rank, output_size=2) for kind in ("Average", "Max") for rank in (1, 2, 3)},
    **{kind: Recipe(call=paired) for kind in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract")},
    "AdditiveAttention": Recipe(STEPS, call=paired),
    "AlphaDropout": Recipe(given={"rate": 0.5}),
    "Attention": Recipe(STEPS, values={"score_mode": ("dot", "concat")}, call=paired),
    **{f"AveragePooling{rank}D": pool(rank, pool_size=2) for rank in (1, 2, 3)},
    "BatchNormalization": norm(),
    "Bidirectional": Recipe(
        STEPS,
        {"layer": L.LSTM(3)},
        {
            "layer": inner(),
            "merge_mode": ("sum", "mul", "ave", "concat", None),
            "weights": (),
            "backward_layer": (L.GRU(3, go_backwards=True), L.LSTM(3, go_backwards=True, activation="hard_sigmoid")),
        },
    ),
    "Concatenate": Recipe(STEREO, values={"axis": (1, 2, 3, -2)}, call=paired),
    **{f"Conv{rank}D": conv(rank, filters=6) for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": conv(rank, filters=3) for rank in (1, 2, 3)},
    **{f"ConvLSTM{rank}D": convloop(rank) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": pad(rank) for rank in (1, 2, 3)},
    "Dense": Recipe(STEPS, {"units": 4}),
    "DepthwiseConv1D": conv(1),
    "DepthwiseConv2D": conv(2),
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
    "Embedding": Recipe(
        TOKENS, {"input_dim": 5, "output_dim": 3}, {"weights": (), "input_dim": (9,), "output_dim": (1,)}
    ),
    "Flatten": Recipe(),
    "GRU": loop(units=3),
    "GRUCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "GaussianDropout": Recipe(given={"rate": 0.5}),
    "GaussianNoise": Recipe(given={"stddev": 0.5}),
    **{f"Global{kind}Pooling{rank}D": pool(rank) for kind in ("Average", "Max") for rank in (1, 2, 3)},
    "GroupNormalization": norm(groups=3),
    "GroupQueryAttention": Recipe(
        STEPS,
        {"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1},
        {"head_dim": (3,), "num_query_heads": (4,), "num_key_value_heads": (2,)},
        call=attended,
    ),
    "Identity": Recipe(),
    "LSTM": loop(units=3),
    "LSTMCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "Lambda": Recipe(
        given={"function": lambda x: x * 2},
        values={"function": (), "output_shape": ((8, 8, 3),), "mask": (), "arguments": ({},)},
    ),
    "LayerNormalization": norm(),
    "LeakyReLU": Recipe(values={"negative_slope": (0.0, 0.01, 1.5)}),
    "Masking": Recipe(STEPS, values={"mask_value": (-1.0,)}, call=lambda layer, x: L.LSTM(3)(layer(x))),
    **{f"MaxPooling{rank}D": pool(rank) for rank in (1, 2, 3)},
    "MultiHeadAttention": Recipe(STEPS, {"num_heads": 2, "key_dim": 3}, _ATTENTION, call=attended),
    "Normalization": Recipe(
        STEREO,
        {"mean": 0.1, "variance": 0.5},
        {"axis": (-1, 1, 2, None, (1, 2), (-1,)), "mean": ([0.1] * 6,), "variance": (0.0, 1e-12), "invert": (True,)},
        ({"mean": [0.1] * 6, "variance": [0.5] * 6}, {"mean": [0.1] * 6, "variance": [0.5] * 6, "invert": True}),
    ),
    "PReLU": Recipe(values={"shared_axes": ([1], [1, 2], [1, 2, 3], [-1])}),
    "Permute": Recipe(STEREO, {"dims": (2, 1, 3)}, {"dims": ((1, 2, 3), (3, 1, 2), (3, 2, 1))}),
    "RMSNormalization": norm(),
    "RNN": Recipe(STEPS, {"cell": L.LSTMCell(3)}, {"cell": cells(), "stateful": ()}),
    "ReLU": Recipe(
        values={"max_value": (0.0, 0.5, 6.0, 1.0), "negative_slope": (0.1, 1.5), "threshold": (0.1, 0.5)},
        also=({"max_value": 0.5, "negative_slope": 0.1, "threshold": 0.1}, {"max_value": 6.0, "threshold": 0.2}),
    ),
    "RepeatVector": Recipe(PLAIN, {"n": 2}, {"n": (1, 3)}),
    "Rescaling": Recipe(
        given={"scale": 0.5}, values={"scale": ([1.0, 2.0, 3.0], 0.0, 1e-8), "offset": (0.5, [0.1, 0.2, 0.3])}
    ),
    "Reshape": Recipe(
        given={"target_shape": (64, 3)}, values={"target_shape": ((-1,), (4, -1, 3), (192,), (1, 8, 8, 3))}
    ),
    "ReversibleEmbedding": Recipe(
        TOKENS,
        {"input_dim": 5, "output_dim": 3},
        {"tie_weights": (False,), "reverse_dtype": ("float32",), "input_dim": (9,), "output_dim": (1,)},
    ),
    "SeparableConv1D": conv(1, filters=3),
    "SeparableConv2D": conv(2, filters=3),
    "SimpleRNN": loop(units=3),
    "SimpleRNNCell": Recipe(STEPS, {"units": 3}, call=in_loop),
    "Softmax": Recipe(STEREO, values=_ANY_AXIS),
    "SpatialDropout1D": Recipe(STEPS, {"rate": 0.5}),
    "SpatialDropout2D": Recipe(given={"rate": 0.5}),
    "SpatialDropout3D": Recipe(VIDEO, {"rate": 0.5}),
    "SpectralNormalization": Recipe(
        STEREO, {"layer": L.Conv2D(3, 2)}, {"layer": (L.Dense(3), L.DepthwiseConv2D(2)), "power_iterations": (2,)}
    ),
    "StackedRNNCells": Recipe(
        STEPS,
        {"cells": [L.LSTMCell(3), L.LSTMCell(2)]},
        {"cells": ([L.GRUCell(3)],)},
        call=in_loop,
    ),
    "TimeDistributed": Recipe(
        STEREO,
        {"layer": L.Dense(3)},
        {
            "layer": (
                L.Conv1D(3, 2),
                L.Conv1D(4, 2, groups=2),
                L.LSTM(3),
                L.Flatten(),
                L.BatchNormalization(),
                L.Dropout(0.5),
                L.GRU(3, recurrent_activation="hard_sigmoid"),
                L.Dense(3, activation="leaky_relu"),
                L.Activation("celu"),
                L.Bidirectional(L.LSTM(3)),
                L.TimeDistributed(L.Dense(3)),
                L.Conv1DTranspose(2, 2, strides=3),
                L.Reshape((24,)),
                L.GroupNormalization(2),
                L.LayerNormalization(),
                L.MultiHeadAttention(1, 2),
                L.Masking(),
                keras.Sequential([keras.Input((4, 6)), L.Flatten(), L.Dense(3)]),
            )
        },
    ),
    "UnitNormalization": Recipe(STEREO, values=_ANY_AXIS),
    **{f"UpSampling{rank}D": pad(rank) for rank in (1, 2, 3)},
    **{f"ZeroPadding{rank}D": pad(rank) for rank in (1, 2, 3)},
}
