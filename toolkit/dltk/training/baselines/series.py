"""Simple forecasts of the same windows: the last row, the season before, and a ridge autoregression on the window."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset, Split
from dltk.data.seasons import seasonal_naive
from dltk.edge.bundle.signature import Signature
from dltk.edge.input.preprocess import apply_ops, to_data_units

__all__ = ["compare_series"]

_PENALTIES = (1e-2, 1.0, 1e2, 1e4)  # of the ridge, for sums of squares of standardized rows
_WITHOUT_VALIDATION = 1  # the place of the penalty that is taken unseen
_MOST_WINDOWS = 20_000  # that the ridge is fitted on, evenly spaced
_NAMES = {"last_value": "the last value", "seasonal_naive": "the season before", "ridge": "a ridge autoregression"}


def compare_series(dataset: Dataset, signature: Signature, error: float) -> dict[str, Any]:
    """Mean absolute error of each simple forecast on the test split, and a sentence that compares the model with them.

    The penalty of the ridge is chosen on the validation split, where there is one; its rows train no forecast.

    Args:
        error: mean absolute error of the model on the test split, in the unit of the data.

    Returns:
        "last_value_mean_absolute_error", "ridge_mean_absolute_error" ..., and "comparison".
    """
    season, ops = int(dataset.report["season"]), signature.postprocess
    wanted = to_data_units(dataset.test.targets, ops)
    windows = dataset.test.take(slice(None)).astype(np.float64)
    horizon = wanted.shape[1]
    found = {
        "last_value": windows[:, -1:],
        "seasonal_naive": seasonal_naive(windows, horizon=horizon, season=season),
        "ridge": to_data_units(_ridge(dataset, signature), ops),
    }
    errors = {name: float(np.abs(values - wanted).mean()) for name, values in found.items()}
    better = sorted((value, name) for name, value in errors.items() if value <= error)
    if better:
        names = ", ".join(f"{_NAMES[name]} ({value:.4g})" for value, name in better)
        comparison = f"the model ({error:.4g}) does not beat {names} on the test split"
    else:
        value, name = min((value, name) for name, value in errors.items())
        comparison = f"the model ({error:.4g}) beats the best simple forecast, {_NAMES[name]} ({value:.4g})"
    return {f"{name}_mean_absolute_error": value for name, value in errors.items()} | {"comparison": comparison}


def _ridge(dataset: Dataset, signature: Signature) -> NDArray[np.float64]:
    """Standardized forecasts (n, horizon, columns) of the test split, linear in the changes within the window."""
    from sklearn.linear_model import Ridge

    step = max(1, len(dataset.train) // _MOST_WINDOWS)
    seen, wanted, _ = _changes(dataset.train, signature, slice(None, None, step))
    judged, truth, _ = _changes(dataset.validation, signature, slice(None))
    test, _, last = _changes(dataset.test, signature, slice(None))
    targets_shape = dataset.test.targets.shape
    models = [Ridge(alpha=penalty).fit(seen, wanted) for penalty in _PENALTIES]
    errors = [float(np.abs(model.predict(judged) - truth).mean()) if len(judged) else 0.0 for model in models]
    best = models[int(np.argmin(errors))] if any(errors) else models[_WITHOUT_VALIDATION]
    return np.asarray(best.predict(test).reshape(targets_shape) + last)


def _changes(
    split: Split, signature: Signature, chosen: slice
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Window and targets relative to the last row, flat (n, ...), and that row (n, 1, columns)."""
    windows = apply_ops(split.take(chosen), signature.preprocess).astype(np.float64)
    last = windows[:, -1:]
    targets = np.asarray(split.targets[chosen], np.float64)
    # The last row is 0 there, and left out, unless it is all there is.
    seen = (windows - last)[:, :-1] if windows.shape[1] > 1 else windows
    width = targets.shape[1] * targets.shape[2]
    return seen.reshape(len(seen), seen.shape[1] * seen.shape[2]), (targets - last).reshape(len(seen), width), last
