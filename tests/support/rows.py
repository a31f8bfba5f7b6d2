"""The rows of the table "model x step": small models, and every backbone of dltk's table as a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers as L

import zoo
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.table import BACKBONES, backbone


def unknown() -> Any:
    """A layer that has no row."""
    rows = keras.Input((6,), name="rows")
    return keras.Model(rows, L.Dense(zoo.CLASSES)(L.RMSNormalization()(L.Dense(8)(rows))))


def classifier(name: str) -> Any:
    """Backbone `name` with a head, as narrow and on as small pictures as it allows."""
    spec = backbone(name)
    shape = (spec.min_size, spec.min_size, 3)
    body = build_backbone(name, input_shape=shape, weights="none", alpha=min(spec.alphas))
    pooled = L.GlobalAveragePooling2D(name="pool")(body.features)
    return keras.Model(body.inputs, L.Dense(zoo.CLASSES, name="logits")(pooled), name=name)


@dataclass(frozen=True)
class Model:
    """A row of the table.

    Attributes:
        title: how the documents call it.
        make: makes it; `matrix` gives it its weights.
        quick: among the few that are looked at in every run of the tests.
        deep: so many layers that a step of rounding grows on the way (ResNet50: to 10 steps), and that a search for
            the best ranges takes a minute: int8 takes min-max, and `matrix` compares means.
    """

    title: str
    make: Callable[[], Any]
    quick: bool = False
    deep: bool = False


QUICK = ("many", "tabular", "lstm", "unknown")
SMALL: Mapping[str, Model] = {
    name: Model(title, (dict(zoo.MODELS) | {"unknown": unknown})[name], quick=name in QUICK)
    for name, title in {
        "resnet": "convolutions, batch norm, residual additions",
        "mobile": "depthwise convolutions, ReLU6 (MobileNetV2)",
        "squeeze": "squeeze-and-excite, hard-swish, separable and transposed convolution",
        "dense_net": "batch norm without a convolution, concatenation",
        "grouped": "convolutions in groups",
        "joined": "two inputs, a nested model used for both, Rescaling inside",
        "many": "two inputs and two outputs",
        "shared": "a convolution used twice, arithmetic with constants",
        "tabular": "Normalization, softmax inside",
        "sequence": "Dense on every step of a series",
        "causal": "Conv1D, gelu, LayerNormalization",
        "separable": "separable, depthwise and transposed Conv1D, PReLU",
        "scaled": "LayerScale, depthwise convolution, LayerNormalization (ConvNeXt)",
        "attention": "self-attention",
        "lstm": "LSTM",
        "gru": "GRU",
        "bidirectional": "Bidirectional LSTM",
        "embedded": "Embedding, Bidirectional GRU",
        "masked": "Embedding that masks, LSTM",
        "frames": "TimeDistributed convolution, SimpleRNN",
        "unknown": "a layer that the table above lacks",
    }.items()
}
LARGE: Mapping[str, Model] = {
    name: Model(spec.title, partial(classifier, name), deep=True) for name, spec in BACKBONES.items()
}
MODELS: Mapping[str, Model] = {**SMALL, **LARGE}
