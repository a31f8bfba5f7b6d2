"""What a layer class needs beside its name and the values that `values` has for its arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from keras import layers as L

__all__ = [
    "IMAGE",
    "PLAIN",
    "STEPS",
    "STEREO",
    "TOKENS",
    "VIDEO",
    "Recipe",
    "attended",
    "convloop",
    "conv",
    "in_loop",
    "inner",
    "cells",
    "loop",
    "norm",
    "pad",
    "paired",
    "pool",
    "reshaped",
]

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


def cells() -> tuple[Any, ...]:
    return (L.SimpleRNNCell(3), L.GRUCell(3), L.LSTMCell(3), L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]))


def inner() -> tuple[Any, ...]:
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


def conv(rank: int, **given: Any) -> Recipe:
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


def pool(rank: int, **given: Any) -> Recipe:
    shape = {1: STEPS, 2: STEREO, 3: VIDEO}[rank]
    pair = (2, 1, 2)[:rank]
    values = {"pool_size": (1, 2, 3, pair), "strides": (1, 2, 3, pair), "output_size": (1, 2, 3, pair)}
    also = ({"padding": "same", "strides": 3}, {"padding": "same", "pool_size": 3, "strides": 1})
    return Recipe(shape, given, values, also)


def pad(rank: int) -> Recipe:
    shape = {1: STEPS, 2: STEREO, 3: VIDEO}[rank]
    ends = (((1, 2), (0, 1), (1, 0))[:rank],) if rank > 1 else ((1, 2),)
    values = (0, 1, (1,) * rank if rank > 1 else 2, *ends)
    return Recipe(
        shape, {}, {"cropping": values, "padding": values, "size": (1, 2, (2, 1, 3)[:rank] if rank > 1 else 3)}
    )


def loop(shape: tuple[int, ...] = STEPS, **given: Any) -> Recipe:
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


def convloop(rank: int) -> Recipe:
    shape = {1: (4, 8, 6), 2: VIDEO, 3: (2, 2, 2, 4, 6)}[rank]
    return Recipe(
        shape, {"filters": 2, "kernel_size": 2}, {"kernel_size": (1,), "activation": ("relu",), "stateful": ()}
    )


def norm(**given: Any) -> Recipe:
    values = {"axis": (-1, 1, 2, 3, [1], [-1], [1, 2], [-2, -1], [1, 2, 3]), "groups": (1, 2, 3, 6, -1)}
    also = ({"center": False, "scale": False}, {"axis": 1, "epsilon": 0.1}, {"axis": [1, 2], "scale": False})
    return Recipe(STEREO, given, values, also)
