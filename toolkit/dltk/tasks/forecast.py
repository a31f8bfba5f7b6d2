"""What a series of measurements will be, from a window of what it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.edge.signature import Signature, TensorSpec
from dltk.edge.sources import read_table
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]

_SINE_ROWS, _SINE_NOISE = 1500, 0.1


@dataclass(frozen=True)
class _Series:
    """Measurements (time, columns), float32, oldest first."""

    columns: tuple[str, ...]
    values: NDArray[np.float32]


class _Forecast(SplitTask):
    """A sample is a window (window, columns) in the file's unit; its target the (horizon, columns) after it,
    standardized like the model's output.
    """

    name = "forecast"
    family = "series"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        source = data or "sine"
        series = _sine(settings.seed) if source == "sine" else _read(Path(source), settings.data.columns)
        return _dataset(series, settings.data, source)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        columns = len(dataset.report["columns"])
        return Contract({"series": (settings.data.window, columns)}, {"forecast": (settings.data.horizon, columns)})

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        columns = list(dataset.report["columns"])
        moments = {"mean": list(dataset.report["mean"]), "std": list(dataset.report["std"])}
        axes = ("batch", "time", "column")
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(TensorSpec("series", "float32", (None, settings.data.window, len(columns)), axes),),
            outputs=(TensorSpec("forecast", "float32", (None, settings.data.horizon, len(columns)), axes),),
            preprocess=(
                {"op": "window", "length": settings.data.window, "columns": columns},
                {"op": "standardize", **moments},
            ),
            postprocess=({"op": "unstandardize", **moments},),
            labels=tuple(columns),
        )


TASK = _Forecast()


def _sine(seed: int) -> _Series:
    """A made-up hourly load: a day, a week, a slow rise and noise."""
    hours = np.arange(_SINE_ROWS)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(_SINE_ROWS) * _SINE_NOISE
    day, week = np.sin(2 * np.pi * hours / 24), np.sin(2 * np.pi * hours / 168)
    values = 20 + 4 * day + 2 * week + hours / _SINE_ROWS + noise
    return _Series(("load",), values.astype(np.float32)[:, None])


def _read(path: Path, wanted: tuple[str, ...]) -> _Series:
    """The first column of the file is the time; `wanted`, or all others, are measurements."""
    table = read_table(path)
    columns = wanted or table.header[1:]
    if not columns:
        raise InputError(f"{path}:1", "must name a time column and at least one column of measurements", table.header)
    return _Series(tuple(columns), table.numbers(columns))


def _dataset(series: _Series, data: Any, source: str) -> Dataset:
    """Windows of `series`, split in time: no measurement that is to be forecast in one split is in another's."""
    length, window, horizon = len(series.values), data.window, data.horizon
    test_from = length - max(horizon, round(length * data.test))
    validation_from = test_from - max(horizon, round(length * data.validation))
    if validation_from < window + horizon:
        rule = f"needs more rows for a window of {window}, a horizon of {horizon} and three splits"
        raise InputError(source, rule, length, "Set data.window or data.horizon lower.")
    starts = np.arange(length - window - horizon + 1)
    first, last = starts + window, starts + window + horizon  # of what is forecast
    rows = {
        "train": starts[last <= validation_from],
        "validation": starts[(first >= validation_from) & (last <= test_from)],
        "test": starts[first >= test_from],
    }
    seen = series.values[:validation_from].astype(np.float64)
    mean, deviation = seen.mean(axis=0), seen.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)  # a column that never changes stays as it is
    report = {
        "columns": list(series.columns),
        "mean": mean.tolist(),
        "std": deviation.tolist(),
        "windows": {name: len(found) for name, found in rows.items()},
    }
    store = np.moveaxis(sliding_window_view(series.values, window, axis=0), -1, 1)
    standardized = ((series.values - mean) / deviation).astype(np.float32)
    targets = np.moveaxis(sliding_window_view(standardized[window:], horizon, axis=0), -1, 1)
    asked = {"window": window, "horizon": horizon, "validation": data.validation, "test": data.test}
    train, validation, test = (Split(store, found, targets[found]) for found in rows.values())
    digest = sha256(canonical_json([asked, list(series.columns)]) + np.ascontiguousarray(series.values).tobytes())
    return Dataset(train, validation, test, series.columns, digest, source, report)
