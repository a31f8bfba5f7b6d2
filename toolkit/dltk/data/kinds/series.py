"""From a table of measurements to a `Dataset` of windows, split in time.

Scaler, season, trend and the scale of errors are found on the training rows alone: what comes later changes none of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.kinds.series_table import columns_of
from dltk.data.named.load import TABLES, table_path
from dltk.data.seasons import LONGEST_SEASON, season_of, window_for
from dltk.edge.sources import read_table
from dltk.edge.sources.tables import PLAIN, Dialect
from dltk.edge.sources.times.parts import Part, read_parts

__all__ = ["prepare_series"]

_SINE_ROWS, _SINE_NOISE = 1500, 0.1
_FAR_APART = 10  # times the mean of one series that of another: one scale does not suit both
_NAMES_SHOWN = 5


@dataclass(frozen=True)
class _Series:
    """Measurements of one or several series; `rule`: how rows stand in time, as parameters of a signature."""

    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    rule: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dialect: Dialect = PLAIN


@dataclass(frozen=True)
class _Cut:
    """Where the splits of one series begin, in rows of all series in a row; `held_back`: rows behind its training."""

    first: int
    validation: int
    test: int
    end: int

    @property
    def held_back(self) -> int:
        return self.end - self.validation


def prepare_series(source: str, data: Any, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """Windows of the measurements in `source` and what came after them, standardized like a model's output.

    Windows lie within one series, and each series is split in time by the same shares. All share one scale.

    Args:
        source: "sine", a key of `dltk.data.named.load.TABLES`, or a CSV.
        data: settings: columns, time, dates, gaps, series, missing, window, horizon, season, transform, validation,
            test, and maybe total.

    Raises:
        InputError: naming the line, where the table is no evenly spaced series of numbers, or is too short; naming the
            settings that read it, where there are some.
        EnvironmentFault: if a named table is unavailable.
    """
    if source == "sine":
        series = _sine(seed)
    else:
        path = table_path(source, progress=progress) if source in TABLES else Path(source)
        series = _read(path, data, progress)
    for note in series.notes:
        progress.log(note)
    return _dataset(series, data, source, progress)


def _sine(seed: int) -> _Series:
    """A made-up hourly load: a day, a week, a slow rise and noise."""
    hours = np.arange(_SINE_ROWS)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(_SINE_ROWS) * _SINE_NOISE
    day, week = np.sin(2 * np.pi * hours / 24), np.sin(2 * np.pi * hours / 168)
    values = 20 + 4 * day + 2 * week + hours / _SINE_ROWS + noise
    return _Series(("load",), (Part("", values.astype(np.float32)[:, None]),))


def _read(path: Path, data: Any, progress: Progress) -> _Series:
    table = read_table(path, dialect=Dialect.of(data), note=progress.log)
    rule, columns = columns_of(table, data)
    found = read_parts(table, columns, rule, positive=data.transform == "log")
    return _Series(columns, found.parts, found.rule.parameters(), found.notes, table.dialect)


def _dataset(series: _Series, data: Any, source: str, progress: Progress) -> Dataset:
    """Windows of `series`: no measurement that is to be forecast in one split is in another's."""
    total = getattr(data, "total", 0)
    parts = [part.values[-max(1, total // len(series.parts)) :] if total else part.values for part in series.parts]
    season, window = _season_and_window(parts, data, progress)
    values, cuts = _joined(parts, series, data, window, source, progress)
    rows = {name: np.concatenate(found) for name, found in _starts(cuts, window, data.horizon).items()}
    facts = _facts([values[cut.first : cut.validation] for cut in cuts], data, season)
    report = {
        "columns": list(series.columns),
        "time": series.rule.get("time"),
        "rows": {**series.rule},
        "window": window,
        "windows": {name: len(found) for name, found in rows.items()},
        "held_back": max(cut.held_back for cut in cuts),
        **facts,
        **series.dialect.record,
    }
    store = np.moveaxis(sliding_window_view(values, window, axis=0), -1, 1)
    standardized = (_transformed(values, data) - facts["mean"]) / facts["std"]
    targets = np.moveaxis(sliding_window_view(standardized[window:].astype(np.float32), data.horizon, axis=0), -1, 1)
    asked = {name: getattr(data, name) for name in ("horizon", "transform", "validation", "test")}
    asked |= {"season": season, "window": window, "parts": [len(part) for part in parts]}
    splits = {name: Split(store, found, targets[found]) for name, found in rows.items()}
    digest = sha256(canonical_json([asked, list(series.columns)]) + np.ascontiguousarray(values).tobytes())
    train, validation, test = (splits[name] for name in ("train", "validation", "test"))
    return Dataset(train, validation, test, series.columns, digest, source, report)


def _season_and_window(parts: Sequence[NDArray[np.float32]], data: Any, progress: Progress) -> tuple[int, int]:
    """Season and window, in rows: as set, or found in the training rows.

    Raises:
        InputError: if the season is longer than the window.
    """
    seen = [part[: _from_ends(len(part), data)[0]] for part in parts]
    values = [_transformed(part, data) for part in seen if len(part) > 1]
    most = data.window or LONGEST_SEASON
    season = data.season or (season_of(values, most) if values else 1)
    window, why = (data.window, "") if data.window else window_for(season, max(map(len, seen)))
    if season > window:
        hint = "The season before must be in the model's input."
        raise InputError("setting data.season", f"must be at most data.window, {window}", season, hint)
    if why:
        words = f"season {season} rows, " if season > 1 else ""
        progress.log(f"{words}window {window} rows: {why}; data.window and data.season change them")
    return season, window


def _from_ends(length: int, data: Any) -> tuple[int, int]:
    """The first row of the validation split and of the test split."""
    test = length - max(data.horizon, round(length * data.test))
    return max(0, test - max(data.horizon, round(length * data.validation))), max(0, test)


def _joined(
    parts: Sequence[NDArray[np.float32]], series: _Series, data: Any, window: int, source: str, progress: Progress
) -> tuple[NDArray[np.float32], list[_Cut]]:
    """The rows (n, columns) of all series that are long enough, one after another, and where their splits begin."""
    kept, cuts, short, first = [], [], [], 0
    for part, values in zip(series.parts, parts, strict=True):
        validation, test = _from_ends(len(values), data)
        if validation < window + data.horizon:
            short.append(part.name)
            continue
        kept.append(values)
        cuts.append(_Cut(first, first + validation, first + test, first + len(values)))
        first += len(values)
    if not kept:
        rule = f"needs more rows for a window of {window}, a horizon of {data.horizon} and three splits"
        raise InputError(source, rule, max(map(len, parts)), "Set a smaller data.window or data.horizon.")
    if short:
        names = ", ".join(short[:_NAMES_SHOWN]) + (" ..." if len(short) > _NAMES_SHOWN else "")
        progress.log(f"series left out, too few rows: {len(short)} of {len(parts)} ({names})")
    if len(kept) > 1:
        progress.log(f"series: {len(kept)}, each split in time, with one scale for all{_scale_hint(kept, data)}")
    return np.concatenate(kept), cuts


def _scale_hint(parts: Sequence[NDArray[np.float32]], data: Any) -> str:
    """The setting that suits series of very different sizes."""
    if data.transform == "log" or not all((part > 0).all() for part in parts):
        return ""
    means = np.array([part.mean(axis=0) for part in parts], np.float64)
    ratio = float((means.max(axis=0) / means.min(axis=0)).max())
    hint = "; data.transform=log makes errors relative to them"
    return f": their means differ by a factor of {ratio:.0f}{hint}" if ratio > _FAR_APART else ""


def _starts(cuts: Sequence[_Cut], window: int, horizon: int) -> dict[str, list[NDArray[np.int64]]]:
    """The first row of every window, per split and series."""
    found: dict[str, list[NDArray[np.int64]]] = {"train": [], "validation": [], "test": []}
    for cut in cuts:
        starts = np.arange(cut.first, cut.end - window - horizon + 1)
        first, last = starts + window, starts + window + horizon  # of what is forecast
        found["train"].append(starts[last <= cut.validation])
        found["validation"].append(starts[(first >= cut.validation) & (last <= cut.test)])
        found["test"].append(starts[first >= cut.test])
    return found


def _facts(parts: Sequence[NDArray[np.float32]], data: Any, season: int) -> dict[str, Any]:
    """Facts of the training rows: scaler, season, rise per row, and the error of a season-naive forecast in them."""
    values = [_transformed(part, data) for part in parts]
    together = np.concatenate(values)
    deviation = together.std(axis=0)
    wide = [part.astype(np.float64) for part in parts]
    naive = np.concatenate([np.abs(part[season:] - part[:-season]) for part in wide])
    trends = [np.polyfit(np.arange(len(part)), part, 1)[0] for part in values]
    return {
        "transform": data.transform,
        "mean": together.mean(axis=0).tolist(),
        "std": np.where(deviation > 0, deviation, 1.0).tolist(),  # a column that never changes stays as it is
        "season": season,
        "trend": np.mean(trends, axis=0).tolist(),
        "naive_error": naive.mean(axis=0).tolist(),
    }


def _transformed(values: NDArray[np.float32], data: Any) -> NDArray[np.float64]:
    wide = values.astype(np.float64)
    return np.log(wide) if data.transform == "log" else wide
