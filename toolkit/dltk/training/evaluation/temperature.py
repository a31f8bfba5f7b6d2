"""One number that makes confidences honest: the temperature of a softmax (Guo et al. 2017, arXiv:1706.04599)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_temperature"]

_LOW, _HIGH = 0.05, 20.0
_ROUNDS = 60  # golden section shrinks the bracket by 0.618 a round: 60 rounds reach 1e-12 of it


def fit_temperature(logits: NDArray[Any], targets: NDArray[Any]) -> float:
    """The T in 0.05..20 with the lowest cross-entropy of softmax(logits / T).

    Args:
        logits: (n, classes), of samples that were not trained on.
        targets: int (n,).

    Where every sample is right the loss would have no minimum: any T that is lower is better. As in Platt 1999, each
    label therefore counts (n + 1) / (n + 2), and the rest is distributed over all classes.

    The loss is convex in 1 / T, so that its one minimum is found by golden section over the logarithm of T.
    """
    if not len(targets):
        return 1.0
    values = np.asarray(logits, np.float64)
    low, high, share = np.log(_LOW), np.log(_HIGH), (np.sqrt(5) - 1) / 2
    inner = [high - share * (high - low), low + share * (high - low)]
    losses = [_cross_entropy(values, targets, float(np.exp(point))) for point in inner]
    for _ in range(_ROUNDS):
        if losses[0] < losses[1]:
            high, inner[1], losses[1] = inner[1], inner[0], losses[0]
            inner[0] = high - share * (high - low)
            losses[0] = _cross_entropy(values, targets, float(np.exp(inner[0])))
        else:
            low, inner[0], losses[0] = inner[0], inner[1], losses[1]
            inner[1] = low + share * (high - low)
            losses[1] = _cross_entropy(values, targets, float(np.exp(inner[1])))
    return round(float(np.exp((low + high) / 2)), 4)  # steps of 1e-4: equal runs on other machines agree


def _cross_entropy(logits: NDArray[np.float64], targets: NDArray[Any], temperature: float) -> float:
    scaled = logits / temperature
    top = scaled.max(axis=-1)
    normalizer = top + np.log(np.exp(scaled - top[:, None]).sum(axis=-1))
    doubt = 1 / (len(targets) + 2)
    expected = (1 - doubt) * scaled[np.arange(len(targets)), targets] + doubt * scaled.mean(axis=-1)
    return float((normalizer - expected).mean())
