"""From a table of measurements to a `Dataset` of windows, split in time.

Scaler, season, trend and the scale of errors are found on the training rows alone: what comes later changes none of
them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.named.load import TABLES, table_path
from dltk.edge.families.series import measurements
from dltk.edge.sources import read_table, step_of
from dltk.edge.sources.tables import PLAIN, Dialect

__all__ = ["prepare_series", "season_of", "seasonal_naive"]

_SINE_ROWS, _SINE_NOISE = 1500, 0.1
_LEAST_RISE = 0.3  # of an autocorrelation, from its lowest before a season to the season's: noise does not do that
_AS_HIGH = 0.9  # of the highest peak: the first such is the season, later ones are its multiples


@dataclass(frozen=True)
class _Series:
    """Measurements (time, columns), float32, oldest first; `time`: the time column and its step."""

    columns: tuple[str, ...]
    values: NDArray[np.float32]
    time: Mapping[str, Any] | None = field(default=None)
    dialect: Dialect = PLAIN

    def end(self, rows: int) -> _Series:
        """Its last `rows`; all of it where that is 0."""
        return replace(self, values=self.values[-rows:]) if rows else self


def prepare_series(source: str, data: Any, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """Windows of the measurements in `source` and what came after them, standardized like a model's output.

    Args:
        source: "sine", a key of `dltk.data.named.load.TABLES`, or a CSV.
        data: settings: columns, window, horizon, season, transform, validation, test, and maybe total.

    Raises:
        InputError: naming the line, where the table is no evenly spaced series of numbers, or is too short.
        EnvironmentFault: if a named table is unavailable.
    """
    if source == "sine":
        series = _sine(seed)
    else:
        path = table_path(source, progress=progress) if source in TABLES else Path(source)
        series = _read(path, data, progress)
    series = series.end(getattr(data, "total", 0))
    if data.season > data.window:
        hint = "The season before must be in the model's input."
        raise InputError("setting data.season", f"must be at most data.window, {data.window}", data.season, hint)
    return _dataset(series, data, source)


def season_of(values: NDArray[np.float64], most: int) -> int:
    """Rows after which a series (time, columns) repeats itself, at most `most`; 1 where it does not.

    The peak of the autocorrelation behind a valley, after a straight line was taken out: the mean over the columns.
    """
    most = min(most, len(values) // 3)
    places = np.arange(len(values))
    found = []
    for column in values.T:
        rest = column - np.polyval(np.polyfit(places, column, 1), places)
        if (power := float(rest @ rest)) > 1e-12 * max(1.0, float(column @ column)):
            found.append([float(rest[lag:] @ rest[: len(rest) - lag]) / power for lag in range(most + 2)])
    if most < 2 or not found:
        return 1
    curve = np.mean(found, axis=0)
    peaks = [
        lag
        for lag in range(2, most + 1)
        if curve[lag - 1] < curve[lag] >= curve[lag + 1] and curve[lag] - curve[1:lag].min() >= _LEAST_RISE
    ]
    highest = max((curve[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if curve[lag] >= _AS_HIGH * highest), 1)


def seasonal_naive(windows: NDArray[Any], *, horizon: int, season: int) -> NDArray[Any]:
    """Windows (n, window, columns) -> (n, horizon, columns): each step as it was a season before."""
    return windows[:, windows.shape[1] - season + np.arange(horizon) % season]


def _sine(seed: int) -> _Series:
    """A made-up hourly load: a day, a week, a slow rise and noise."""
    hours = np.arange(_SINE_ROWS)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(_SINE_ROWS) * _SINE_NOISE
    day, week = np.sin(2 * np.pi * hours / 24), np.sin(2 * np.pi * hours / 168)
    values = 20 + 4 * day + 2 * week + hours / _SINE_ROWS + noise
    return _Series(("load",), values.astype(np.float32)[:, None])


def _read(path: Path, data: Any, progress: Progress) -> _Series:
    """The first column of the file is the time, unless `data.columns` has it; they, or all others, are measurements."""
    table = read_table(path, dialect=Dialect.of(data), note=progress.log)
    columns = tuple(data.columns) or table.header[1:]
    if not columns:
        raise InputError(f"{path}:1", "must name a time column and at least one column of measurements", table.header)
    values, first = measurements(table, columns, positive=data.transform == "log"), table.header[0]
    time = None if first in columns else {"column": first, **asdict(step_of(table, first))}
    return _Series(columns, values, time, table.dialect)


def _dataset(series: _Series, data: Any, source: str) -> Dataset:
    """Windows of `series`: no measurement that is to be forecast in one split is in another's."""
    length, window, horizon = len(series.values), data.window, data.horizon
    test_from = length - max(horizon, round(length * data.test))
    validation_from = test_from - max(horizon, round(length * data.validation))
    if validation_from < window + horizon:
        rule = f"needs more rows for a window of {window}, a horizon of {horizon} and three splits"
        raise InputError(source, rule, length, "Set a smaller data.window or data.horizon.")
    starts = np.arange(length - window - horizon + 1)
    first, last = starts + window, starts + window + horizon  # of what is forecast
    rows = {
        "train": starts[last <= validation_from],
        "validation": starts[(first >= validation_from) & (last <= test_from)],
        "test": starts[first >= test_from],
    }
    facts = _facts(series.values[:validation_from], data)
    report = {
        "columns": list(series.columns),
        "time": series.time,
        "windows": {name: len(found) for name, found in rows.items()},
        "held_back": length - validation_from,
        **facts,
        **series.dialect.record,
    }
    store = np.moveaxis(sliding_window_view(series.values, window, axis=0), -1, 1)
    standardized = (_transformed(series.values, data) - facts["mean"]) / facts["std"]
    targets = np.moveaxis(sliding_window_view(standardized[window:].astype(np.float32), horizon, axis=0), -1, 1)
    asked = {name: getattr(data, name) for name in ("window", "horizon", "season", "transform", "validation", "test")}
    splits = {name: Split(store, found, targets[found]) for name, found in rows.items()}
    digest = sha256(canonical_json([asked, list(series.columns)]) + np.ascontiguousarray(series.values).tobytes())
    train, validation, test = (splits[name] for name in ("train", "validation", "test"))
    return Dataset(train, validation, test, series.columns, digest, source, report)


def _facts(seen: NDArray[np.float32], data: Any) -> dict[str, Any]:
    """Facts of the training rows: scaler, season, rise per row, and the error of a season-naive forecast in them."""
    values = _transformed(seen, data)
    season = data.season or season_of(values, data.window)
    deviation = values.std(axis=0)
    naive = np.abs(np.diff(seen.astype(np.float64), axis=0) if season == 1 else seen[season:] - seen[:-season])
    return {
        "transform": data.transform,
        "mean": values.mean(axis=0).tolist(),
        "std": np.where(deviation > 0, deviation, 1.0).tolist(),  # a column that never changes stays as it is
        "season": season,
        "trend": np.polyfit(np.arange(len(values)), values, 1)[0].tolist(),
        "naive_error": naive.mean(axis=0).tolist(),
    }


def _transformed(values: NDArray[np.float32], data: Any) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    return np.log(wide) if data.transform == "log" else wide
