"""Embeddings for categories, standardized numbers, dense layers: labels or values from the columns of a table.

    dltk finetune tabular --data people.csv --set data.target=income

Numbers also enter as bins between quantiles (piecewise-linear encoding, Gorishniy et al. 2022, arXiv:2203.05556). Small
networks side by side, each trained on its own, and a linear model give the mean as the output (an ensemble in one
graph, as in TabM, Gorishniy et al. 2024, arXiv:2410.24210).
Entity embeddings (Guo and Berkhahn 2016, arXiv:1604.06737) with one table for all columns: one look-up on the device.
Trees are hard to beat on tables (Grinsztajn et al. 2022, arXiv:2207.08815); a network is one small file of plain
layers that runs on a microcontroller.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from dltk.recipe import (
    Built,
    Calibration,
    Contract,
    DataHint,
    Fit,
    Phase,
    PruneAndQuantize,
    Recipe,
    TableFormat,
    setting,
)

__all__ = ["recipe"]


@dataclass(frozen=True)
class TabularData(TableFormat):
    """Columns, their types and the split."""

    target: tuple[str, ...] = setting((), "target columns; none: the last. Several: labels of 0 and 1, or values")
    kind: Literal["auto", "classify", "regress"] = setting(
        "auto", "labels or values; auto: by the content of the target"
    )
    numbers: tuple[str, ...] = setting((), "columns that are numbers; the others: by their content")
    categories: tuple[str, ...] = setting((), "columns that are categories, even if they contain numbers")
    ignore: tuple[str, ...] = setting((), "columns to ignore: names, and values that the device does not have")
    group: str | None = setting(None, "column; rows of one group stay in one split")
    missing: tuple[str, ...] = setting(
        (), "cells that mean a missing value, such as NA,?,-200, in the target, too; rows without a target are left out"
    )
    fill: Literal["auto", "mean", "error"] = setting(
        "auto", "a missing number: the mean of the training rows, with auto also marked in an input; or an error"
    )
    unlabelled: Literal["error", "drop"] = setting("error", "a row without a target: an error, or left out")
    rare: Literal["ask", "keep", "drop", "other"] = setting(
        "ask", "over 50 classes, or some with under 5 rows: ask, keep, leave their rows out, or join them as other"
    )
    dates: Literal["auto", "day-first", "month-first"] = setting("auto", "how dates such as 3/4/2024 are read")
    duplicates: Literal["auto", "drop", "keep"] = setting(
        "auto", "rows that equal one of another split: leave out; auto: unless they are over a fifth"
    )
    rarest: int = setting(2, "categories in fewer training rows count as unknown", low=1)
    bins: int = setting(
        16, "bins of a column, by quantiles: its piecewise-linear encoding; fewer above 30 columns or below 800 rows; "
        "0: none", low=0, high=256
    )  # fmt: skip
    clip: float = setting(5.0, "standardized numbers are clipped here, because outliers coarsen int8; 0: off", low=0.0)
    validation: float = setting(0.1, "share of the validation split", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split", low=0.0, high=0.8)
    limit: int = setting(0, "use at most this many training rows, stratified; 0: all", low=0)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """The network."""

    embedding: int = setting(8, "size of the embedding of a category", low=1, high=512)
    members: int = setting(4, "networks side by side, trained as an ensemble; the output is their mean", low=1, high=32)
    units: tuple[int, ...] = setting((64, 64), "units of each dense layer of a member", low=1)
    dropout: float = setting(0.3, "dropout after each dense layer", low=0.0, high=0.9)


@dataclass(frozen=True)
class Settings:
    """Defaults are meant for some hundreds to some hundred thousand rows."""

    seed: int = setting(0, "of the split, the first weights and the order", low=0)
    data: TabularData = field(default_factory=TabularData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(
        default_factory=lambda: Fit(
            epochs=30,
            least_steps=2_000,
            batch_size=32,
            optimizer="adamw",
            learning_rate=2e-3,
            weight_decay=0.3,
            patience=40,
            average=0.99,
            keep="loss",
        )
    )
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Embedding, concatenate, dense layers, logits or values."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    inputs, features = [], []
    if "numbers" in contract.inputs:
        numbers = keras.Input(contract.inputs["numbers"], name="numbers")
        inputs.append(numbers)
        features.append(numbers)
    if "categories" in contract.inputs:
        categories = keras.Input(contract.inputs["categories"], dtype="int32", name="categories")
        rows = int(contract.input_ranges["categories"][1]) + 1
        embedded = layers.Embedding(rows, settings.model.embedding, name="embedding")(categories)
        inputs.append(categories)
        features.append(layers.Flatten(name="embedded")(embedded))
    x = features[0] if len(features) == 1 else layers.Concatenate(name="features")(features)
    ((name, shape),) = contract.outputs.items()
    members = [_member(x, settings, number) for number in range(1, settings.model.members + 1)]
    joined = members[0] if len(members) == 1 else layers.Concatenate(name="members")(members)
    head = layers.Dense(shape[-1], use_bias=False, name="head")
    straight = layers.Dense(shape[-1], kernel_initializer="zeros", name="linear")(x)
    outputs = layers.Add(name=name)([head(joined), straight])
    model = keras.Model(inputs, outputs, name="tabular")
    parts = {"members": keras.Model(inputs, _each(joined, head, straight, settings.model))} if len(members) > 1 else {}
    return Built(model, (Phase("fit", settings.fit),), parts=parts)


def _each(joined: Any, head: Any, straight: Any, model: Model) -> Any:
    """The output of each member (n, members, outputs), whose mean is that of the model; training alone needs it."""
    import numpy as np
    from keras import ops

    own = np.repeat(np.eye(model.members, dtype="float32"), model.units[-1], axis=1) * model.members
    return ops.stack([head(joined * mask) + straight for mask in own], axis=1)


def _member(x: Any, settings: Settings, number: int) -> Any:
    """One of the networks side by side: features (n, features) -> the units of its last dense layer."""
    from keras import layers

    for depth, units in enumerate(settings.model.units, start=1):
        x = layers.Dense(units, activation="relu", name=f"dense_{number}_{depth}")(x)
        if settings.model.dropout:
            x = layers.Dropout(settings.model.dropout, seed=settings.seed + 1_000 * number + depth)(x)
    return x


recipe = Recipe(
    name="tabular",
    summary="Labels or values from the columns of a table: embeddings for categories, dense layers.",
    task="tabular",
    settings=Settings(),
    build=build,
    smoke={"model.units": (16, 16), "model.members": 2, "fit.epochs": 3, "fit.least_steps": 0, "data.limit": 500},
    data=DataHint(
        layout="a CSV with a header: columns of numbers and of categories, and the target, by default the last",
        sample="age,city,income\n31,Graz,low\n58,Linz,high",
        example="people",
    ),
)
