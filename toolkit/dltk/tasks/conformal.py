"""Intervals of forecasts: split conformal prediction, scaled by the changes that a window has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Errors", "half_widths", "independent_samples"]

Errors = NDArray[np.float64]  # absolute errors over the scale of their window, (n, horizon, columns)

# Both were tuned on 15 public series of statsmodels, pmdarima, arch, vega_datasets and the data sets of R.
_WEIGHT_OF_TRAINING = 30.0  # independent validation samples that count as much as the training split
_OPTIMISM = 1.1  # of errors on new rows over those on the rows that a model was trained on
_LEAST = 1e-9


def half_widths(validation: Errors, training: Errors, level: float) -> NDArray[np.float64]:
    """(horizon, columns): the multiple of a window's scale that a share `level` of the errors stays within.

    The quantile of the validation errors, relative to the mean of their step (Papadopoulos et al. 2002; Lei et al.
    2018, arXiv:1604.04173). Windows that begin a row apart share most of what happened, so n of them are worth
    2 n / (horizon + 1) independent ones. Few such are drawn towards the training errors, as a weighted geometric mean:
    that, and no wider quantile, stands for their small number.

    Args:
        validation: errors (n, horizon, columns); n is at least 1.
        training: errors (m, horizon, columns); none of them if m is 0.
    """
    independent = independent_samples(len(validation), validation.shape[1])
    found = _quantiles(validation, level)
    if not len(training):
        return found
    weight = independent / (independent + _WEIGHT_OF_TRAINING)
    seen = _OPTIMISM * _quantiles(training, level)
    return np.asarray(np.maximum(found, _LEAST) ** weight * np.maximum(seen, _LEAST) ** (1 - weight))


def independent_samples(windows: int, horizon: int) -> float:
    """How many independent samples that many overlapping windows are worth, at least 1."""
    return max(1.0, 2 * windows / (horizon + 1))


def _quantiles(errors: Errors, share: float) -> NDArray[np.float64]:
    steps = errors.mean(axis=0) + _LEAST
    relative = (errors / steps).reshape(-1, errors.shape[2])
    return np.asarray(np.quantile(relative, share, axis=0) * steps)
