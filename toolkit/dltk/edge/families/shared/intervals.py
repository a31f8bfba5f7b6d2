"""How far off a forecast may be: ends that grow with the changes that its window has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Op

__all__ = ["interval_ends", "window_scale"]

_LEAST_SCALE = 1e-3  # of a standardized window that does not change


def window_scale(windows: NDArray[np.floating], season: int) -> NDArray[np.float64]:
    """float64 (n, 1, columns): how much standardized `windows` (n, length, columns) change.

    The larger of the mean absolute change from row to row and from season to season; a window of one row has none.
    """
    wide = np.asarray(windows, np.float64)
    found = np.zeros((len(wide), 1, wide.shape[2]))
    for lag in {1, season}:
        if lag < wide.shape[1]:
            found = np.maximum(found, np.abs(wide[:, lag:] - wide[:, :-lag]).mean(axis=1, keepdims=True))
    return found + _LEAST_SCALE


def interval_ends(
    ops: Sequence[Op], shape: tuple[int, int], windows: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """What lies between a forecast and the low and high end of its interval, standardized, or None without an interval.

    Args:
        ops: the steps after the model.
        shape: (horizon, columns).
        windows: the standardized windows (n, length, columns) that were forecast from.

    Returns:
        float64 (n, horizon, columns) each; (1, horizon, columns) where they are the same for every window.

    Raises:
        InputError: if the step does not fit the outputs.
    """
    op = next((op for op in ops if op["op"] == "interval"), None)
    if op is None:
        return None
    try:
        low, high = (np.asarray(op[end], np.float64) for end in ("low", "high"))
    except (KeyError, TypeError, ValueError) as fault:
        raise InputError("postprocess: interval", "must have numbers as low and high", dict(op)) from fault
    if low.shape != shape or high.shape != shape or not np.isfinite([low, high]).all():
        raise InputError("postprocess: interval", f"low and high must be finite, of shape {shape}", low.shape)
    if "season" not in op:
        return low[None], high[None]
    scale = window_scale(windows, int(op["season"]))
    if scale.shape[2] != shape[1]:
        raise InputError("postprocess: interval", f"its windows must have {shape[1]} columns", scale.shape[2])
    return low * scale, high * scale
