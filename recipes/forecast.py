"""A recurrent network that forecasts a series.

    dltk finetune forecast --data load.csv --set data.window=48

The network forecasts the change from the season before, which is in its window: a rising series leaves the range that
it was trained on, its changes do not. If a series grows by a percentage, use its logarithm:

    dltk finetune forecast --data airline-passengers --set data.transform=log

LSTM: Hochreiter and Schmidhuber 1997. GRU: Cho et al. 2014 (arXiv:1406.1078).
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
class SeriesData(TableFormat):
    """Columns and windows."""

    columns: tuple[str, ...] = setting((), "columns of measurements; none: all but the time and the series")
    time: tuple[str, ...] = setting(
        (), "the time column, or a date and a time of day; none: the column that reads as dates, else the first"
    )
    dates: Literal["auto", "day-first", "month-first", "year-first"] = setting(
        "auto", "order of the numbers in dates such as 03/04/21; auto: the one that the column allows"
    )
    gaps: Literal["refuse", "fill", "interpolate", "rows"] = setting(
        "refuse", "missing rows and values; fill: repeat the last, interpolate: straight line, rows: count rows"
    )
    series: tuple[str, ...] = setting((), "columns that name the series of a row, of several in one table")
    missing: tuple[str, ...] = setting((), "texts for a missing value, beside an empty cell, NA, NaN, null, None and ?")
    window: int = setting(
        0, "rows of the model's input; 0: two seasons, one if it is long, 24 without", low=0, high=100_000
    )
    horizon: int = setting(6, "rows of the forecast", low=1, high=10_000)
    season: int = setting(0, "rows of a season, at most data.window; 0: found in the training rows", low=0)
    total: int = setting(0, "use at most this many rows, the last ones; 0: all", low=0)
    transform: Literal["none", "log"] = setting("none", "log: for values above 0 that grow by a percentage")
    validation: float = setting(
        0.2, "share of the validation split, the rows before the test split; also for intervals", low=0.0, high=0.4
    )
    test: float = setting(0.2, "share of the test split, the last rows", low=0.0, high=0.4)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """The network."""

    cell: Literal["simple", "lstm", "gru"] = setting("lstm", "kind of the recurrent layers")
    layers: int = setting(1, "number of recurrent layers", low=1, high=8)
    units: int = setting(32, "units of each layer", low=1, high=4096)
    dropout: float = setting(0.0, "dropout after each layer", low=0.0, high=0.9)
    forecasts: Literal["value", "change", "seasonal-change"] = setting(
        "seasonal-change", "target: values, or their difference from the last row, or from the season before"
    )


@dataclass(frozen=True)
class Settings:
    """Recurrent layers over the window, one dense layer for the whole horizon."""

    seed: int = setting(0, "of the first weights and the order", low=0)
    data: SeriesData = field(default_factory=SeriesData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=30, batch_size=32, learning_rate=3e-3, clip_norm=1.0))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """Recurrent layers, dense, (horizon, columns); added to the values that the target is relative to."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    model = settings.model
    (shape,) = contract.outputs.values()
    horizon, columns = shape
    window = contract.input_shape[0]
    cell = {"simple": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[model.cell]
    series = keras.Input(contract.input_shape, name="series")
    x = series
    if model.forecasts != "value":  # the shape of the window, whatever its level
        last = layers.Flatten(name="last")(layers.Cropping1D((window - 1, 0), name="last_row")(series))
        x = layers.Subtract(name="against_last")([series, layers.RepeatVector(window, name="level")(last)])
    for number in range(model.layers):
        on = number + 1 < model.layers
        x = cell(model.units, return_sequences=on, name=f"{model.cell}_{number + 1}")(x)
        x = layers.Dropout(model.dropout, seed=settings.seed + number, name=f"dropout_{number + 1}")(x)
    x = layers.Dense(horizon * columns, name="steps")(x)
    answer: Any = layers.Reshape((horizon, columns), name="forecast" if model.forecasts == "value" else "changes")(x)
    if model.forecasts != "value":
        season = contract.facts["season"] if model.forecasts == "seasonal-change" else 1
        answer = layers.Add(name="forecast")([_season_before(series, window, horizon, season), answer])
    return Built(keras.Model(series, answer, name="forecast"), (Phase("fit", settings.fit),))


def _season_before(series: Any, window: int, horizon: int, season: int) -> Any:
    """The last season of the window, repeated up to the horizon."""
    from keras import layers

    whole, rest = divmod(horizon, season)
    first = window - season
    parts = [layers.Cropping1D((first, 0), name="season")(series)] * whole
    if rest:
        parts.append(layers.Cropping1D((first, season - rest), name="part_of_season")(series))
    return parts[0] if len(parts) == 1 else layers.Concatenate(axis=1, name="seasons")(parts)


recipe = Recipe(
    name="forecast",
    summary="A recurrent network that forecasts the next rows of a table of measurements, with an interval.",
    task="forecast",
    settings=Settings(),
    build=build,
    smoke={
        "model.units": 8,
        "fit.epochs": 2,
        "data.window": lambda settings: max(12, settings.data.season),
        "data.horizon": 3,
        # Each split needs a window and what comes after it.
        "data.total": lambda settings: max(600, 8 * (settings.data.window + settings.data.horizon)),
    },
    data=DataHint(
        layout="a CSV with a header: an evenly spaced time column and columns of numbers, in order of time",
        sample="time,load\n2024-01-01 00:00,21.5\n2024-01-01 01:00,20.9",
        default="sine",
        example="load",
    ),
)
