"""One number that makes confidences honest: the temperature of a softmax (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_temperature"]

_LOW, _HIGH = 0.05, 20.0
_NEAR = 1e-9  # of the logarithm of T


def fit_temperature(logits: NDArray[Any], targets: NDArray[Any]) -> float:
    """The T in 0.05..20 with the lowest cross-entropy of softmax(logits / T).

    Args:
        logits: (n, classes), of samples that were not trained on.
        targets: int (n,).

    Where every sample is right the loss would have no minimum: any T that is lower is better. As in Platt 1999, each
    label therefore counts (n + 1) / (n + 2), and the rest is distributed over all classes.

    The loss is convex in 1 / T, so that Brent's method finds its one minimum over the logarithm of T.
    """
    if not len(targets):
        return 1.0
    from scipy.optimize import minimize_scalar

    values = np.asarray(logits, np.float64)

    def loss(point: float) -> float:
        return _cross_entropy(values, targets, float(np.exp(point)))

    found = minimize_scalar(loss, bounds=(np.log(_LOW), np.log(_HIGH)), method="bounded", options={"xatol": _NEAR})
    return round(float(np.exp(found.x)), 4)  # steps of 1e-4: equal runs on other machines agree


def _cross_entropy(logits: NDArray[np.float64], targets: NDArray[Any], temperature: float) -> float:
    scaled = logits / temperature
    top = scaled.max(axis=-1)
    normalizer = top + np.log(np.exp(scaled - top[:, None]).sum(axis=-1))
    doubt = 1 / (len(targets) + 2)
    expected = (1 - doubt) * scaled[np.arange(len(targets)), targets] + doubt * scaled.mean(axis=-1)
    return float((normalizer - expected).mean())
