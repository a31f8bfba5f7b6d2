"""Forecasts of two public series against season-naive ones on the same windows, by the commands a user types."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dltk.base.files import parse_json, read_capped
from dltk.edge.runtime.machine import machine
from support.figures import Figure, spread
from support.shell import console_script, once, shown

__all__ = ["ROWS", "Row", "forecasts"]

_SEEDS = (0, 1, 2)
_CELLS = ("lstm", "gru", "simple")  # the recipe's own first
_COVERAGE = (0.75, 0.85)  # what an interval of 0.8 may hold of so few values


@dataclass(frozen=True)
class Row:
    """A series by name, and the settings it is forecast with."""

    data: str
    settings: tuple[str, ...]


ROWS = {
    "airline-passengers": Row("airline-passengers", ("data.transform=log", "data.validation=0.25")),
    # Validation of 0.25 is a whole year.
    "seattle-weather": Row(
        "seattle-weather",
        (
            "data.columns=temp_max,temp_min,wind", "data.window=28", "data.horizon=7", "data.validation=0.25",
            "fit.epochs=10",
        ),
    ),
}  # fmt: skip


def forecasts(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Mean absolute error over season-naive's, and what the intervals held: three seeds a series and kind of cell.

    `limit` is unused: the series are short.
    """
    return [figure for name in ROWS for cell in _CELLS for figure in _measured(name, cell, runs)]


def _measured(name: str, cell: str, runs: Path) -> list[Figure]:
    metrics, command = [], ""
    for seed in _SEEDS:
        path, command = _trained(name, cell, seed, runs)
        metrics.append(parse_json(read_capped(path, 1_000_000), path))
    ratios = [each["mean_absolute_error"] / each["seasonal_naive_mean_absolute_error"] for each in metrics]
    held = [each["interval_coverage"] for each in metrics]
    season = metrics[0]["season"]
    what = f"{name}, {cell}: mean absolute error relative to a naive forecast with season {season}"
    low, high = _COVERAGE
    within = low <= min(held) and max(held) <= high
    return [
        _figure(what, command, ratios, "below 1", max(ratios) < 1),
        _figure(f"{name}, {cell}: share of test values in the 80% intervals", command, held, f"{low:g} to {high:g}",
                within),
    ]  # fmt: skip


def _trained(name: str, cell: str, seed: int, runs: Path) -> tuple[Path, str]:
    """The figures of a run, and the command that makes it."""
    row, own = ROWS[name], cell == _CELLS[0]
    run = runs / "-".join(["forecast", name, *([] if own else [cell]), str(seed)])
    pairs = [*row.settings, *([] if own else [f"model.cell={cell}"]), f"seed={seed}"]
    words = [console_script(), "finetune", "forecast", "--data", row.data, "--run", run]
    words += [word for pair in pairs for word in ("--set", pair)]
    return once(run, words) / "metrics.json", shown(words)


def _figure(what: str, command: str, values: list[float], target: str, met: bool) -> Figure:
    middle, words = spread(values, "{:.3f}")
    return Figure("recipe-forecast", what, command, f"{middle:.3f}", f"{words}, one seed each", target, met, machine())
