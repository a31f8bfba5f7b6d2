"""An LSTM that says what a series will be.

dltk finetune forecast --data load.csv --set data.window=48
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dltk.recipe import Built, Calibration, Contract, DataHint, Fit, Phase, PruneAndQuantize, Recipe, setting

__all__ = ["recipe"]


@dataclass(frozen=True)
class SeriesData:
    """Which columns, cut into which windows."""

    columns: tuple[str, ...] = setting((), "columns of measurements; none: all but the first, which is the time")
    window: int = setting(24, "rows that the model sees", low=1, high=100_000)
    horizon: int = setting(6, "rows that it forecasts", low=1, high=10_000)
    validation: float = setting(0.1, "share of the rows, before the last ones, kept for decisions", low=0.0, high=0.4)
    test: float = setting(0.2, "share of the rows, the last ones, kept for the final figure", low=0.0, high=0.4)
    evaluation_mb: int = setting(100, "keep up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class Model:
    """The network."""

    units: int = setting(32, "units of the LSTM", low=1, high=4096)


@dataclass(frozen=True)
class Settings:
    """One LSTM over the window, one dense layer for the whole horizon."""

    seed: int = setting(0, "of the first weights and the order", low=0)
    data: SeriesData = field(default_factory=SeriesData)
    model: Model = field(default_factory=Model)
    fit: Fit = field(default_factory=lambda: Fit(epochs=30, batch_size=32, learning_rate=3e-3, clip_norm=1.0))
    calibration: Calibration = field(default_factory=Calibration)
    compress: PruneAndQuantize = field(default_factory=PruneAndQuantize)


def build(settings: Settings, contract: Contract) -> Built:
    """LSTM, dense, (horizon, columns)."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(settings.seed)
    (shape,) = contract.outputs.values()
    horizon, columns = shape
    series = keras.Input(contract.input_shape, name="series")
    x = layers.LSTM(settings.model.units, name="lstm")(series)
    x = layers.Dense(horizon * columns, name="steps")(x)
    forecast = layers.Reshape((horizon, columns), name="forecast")(x)
    return Built(keras.Model(series, forecast, name="forecast"), (Phase("fit", settings.fit),))


recipe = Recipe(
    name="forecast",
    summary="An LSTM that forecasts the next rows of a table of measurements.",
    task="forecast",
    settings=Settings(),
    build=build,
    smoke={"model.units": 8, "fit.epochs": 2, "data.window": 12, "data.horizon": 3},
    data=DataHint(
        layout="a CSV with a header: a time column, then one column or more of numbers, oldest row first",
        sample="time,load\n2024-01-01 00:00,21.5\n2024-01-01 01:00,20.9",
        default="sine",
    ),
)
