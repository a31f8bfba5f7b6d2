"""Seasons of series, and the window that shows them to a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LONGEST_SEASON", "season_of", "seasonal_naive", "window_for"]

LONGEST_SEASON = 366  # rows that are looked through where no window is set: daily rows of a year
_LEAST_RISE = 0.3  # of an autocorrelation, from its lowest before a season to the season's: noise does not do that
_AS_HIGH = 0.9  # of the highest peak: the first such is the season, later ones are its multiples
_WITHOUT_SEASON = 24  # rows of a window
_TWO_SEASONS = 200  # rows of a window that holds two seasons; longer seasons stand in it once
_MOST_SERIES = 100  # that are looked through, of a table that has more


def season_of(values: NDArray[np.float64] | Sequence[NDArray[np.float64]], most: int) -> int:
    """Rows after which a series (time, columns), or each of several, repeats itself, at most `most`; 1 if it does not.

    The peak of the autocorrelation behind a valley, after a straight line was taken out: the mean over the columns.
    """
    parts = [values] if isinstance(values, np.ndarray) else list(values)
    parts = parts[:: max(1, -(-len(parts) // _MOST_SERIES))]
    most = min([most, *(len(part) // 3 for part in parts)])
    curves = [curve for part in parts for column in part.T if (curve := _autocorrelation(column, most)) is not None]
    if most < 2 or not curves:
        return 1
    curve = np.mean(curves, axis=0)
    peaks = [
        lag
        for lag in range(2, most + 1)
        if curve[lag - 1] < curve[lag] >= curve[lag + 1] and curve[lag] - curve[1:lag].min() >= _LEAST_RISE
    ]
    highest = max((curve[lag] for lag in peaks), default=0.0)
    return next((lag for lag in peaks if curve[lag] >= _AS_HIGH * highest), 1)


def _autocorrelation(column: NDArray[np.float64], most: int) -> list[float] | None:
    """At each lag up to `most` + 1; None of a straight line."""
    places = np.arange(len(column))
    rest = column - np.polyval(np.polyfit(places, column, 1), places) if len(column) > 1 else np.zeros(len(column))
    power = float(rest @ rest)
    if power <= 1e-12 * max(1.0, float(column @ column)):
        return None
    return [float(rest[lag:] @ rest[: len(rest) - lag]) / power for lag in range(most + 2)]


def window_for(season: int, rows: int) -> tuple[int, str]:
    """Rows of the window for a series of `rows` training rows, and why: two seasons, or one where it is long.

    Without a season 24 rows; never over a third of the training rows, if the season allows it.
    """
    if season == 1:
        length, why = _WITHOUT_SEASON, "no season was found"
    elif 2 * season <= _TWO_SEASONS:
        length, why = 2 * season, "two seasons"
    else:
        length, why = season, "one season"
    most = max(season, rows // 3, 1)
    return (length, why) if length <= most else (most, "a third of the training rows")


def seasonal_naive(windows: NDArray[Any], *, horizon: int, season: int) -> NDArray[Any]:
    """Windows (n, window, columns) -> (n, horizon, columns): each step as it was a season before."""
    return windows[:, windows.shape[1] - season + np.arange(horizon) % season]
