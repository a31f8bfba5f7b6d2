"""Intervals at 95% of what samples show, where they are few and rates near 0 or 1, too; and how many would decide."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "enough_samples_text",
    "mean_decides",
    "mean_interval",
    "samples_needed",
    "paired_interval",
    "share_interval",
]

_Z = 1.959964  # of the normal distribution, two-sided 95%
_EXACT_TO = 2000  # samples up to which binomial terms are summed
_NORMAL_FROM = 1000  # samples from which a mean is as good as normal, and resampling only slow
_ROUNDS = 2000
_MOST = 1_000_000  # samples that nobody has

Interval = tuple[float, float]


def share_interval(count: int, total: int) -> Interval:
    """The share of which `count` of `total` samples are an example: exact (Clopper and Pearson 1934).

    Of more than 2000 samples Wilson's, which is as good there.
    """
    if total > _EXACT_TO:
        return _wilson(count, total)
    low = 0.0 if count == 0 else _root(lambda p: _at_most(count - 1, total, p), 0.975, 0.0, 1.0)
    high = 1.0 if count == total else _root(lambda p: _at_most(count, total, p), 0.025, 0.0, 1.0)
    return low, high


def _at_most(count: int, total: int, share: float) -> float:
    """The probability that at most `count` of `total` samples are an example, where `share` of all are."""
    if share <= 0 or share >= 1:
        return 1.0 if share <= 0 or count >= total else 0.0
    numbers = np.arange(1, total + 1)
    factors = np.concatenate([[0.0], np.cumsum(np.log(numbers))])
    taken = np.arange(count + 1)
    logs = factors[total] - factors[taken] - factors[total - taken]
    logs = logs + taken * math.log(share) + (total - taken) * math.log1p(-share)
    return float(np.exp(logs).sum())


def _wilson(count: int, total: int) -> Interval:
    share, spread = count / total, _Z * _Z / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / total + spread / (4 * total))
    return (0.0 if count == 0 else middle - half), (1.0 if count == total else middle + half)


def paired_interval(worse: float, better: float, total: float) -> Interval:
    """How much lower a share is after a change that made `worse` of `total` samples wrong and `better` right.

    The score interval of paired shares (Tango 1998, Statistics in Medicine 17:891): with 0 and 0 it has a width.
    """

    def score(shift: float) -> float:
        b = -(worse + better) + (2 * total - worse + better) * shift
        c = -better * shift * (1 - shift)
        least = (math.sqrt(max(0.0, b * b - 8 * total * c)) - b) / (4 * total)
        variance = total * (2 * least + shift * (1 - shift))
        away = worse - better - total * shift
        return away / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, away)

    estimate = (worse - better) / total
    return _root(score, _Z, -1.0, estimate), _root(score, -_Z, estimate, 1.0)


def _root(falling: Any, wanted: float, low: float, high: float) -> float:
    """Where a falling function takes the value `wanted`, between `low` and `high`."""
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def mean_interval(values: NDArray[Any], *, seed: int = 0) -> Interval:
    """The mean that `values` (n,) are samples of: by resampling, and by the normal distribution from 1000 on."""
    found = np.asarray(values, np.float64)
    mean, count = float(found.mean()), len(found)
    if count >= _NORMAL_FROM:
        half = _Z * float(found.std(ddof=1)) / math.sqrt(count)
        return mean - half, mean + half
    drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, count, (_ROUNDS, count))
    low, high = np.quantile(found[drawn].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def samples_needed(decides: Callable[[float], bool], count: int) -> int | None:
    """The number of samples from which on they decide, if further samples are like these `count`; None: too many to
    collect.

    Args:
        decides: whether that number does; once it does, so does every larger one.
    """
    low, high = float(count), 2.0 * count
    while not decides(high):
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 0.005 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return math.ceil(high)


def mean_decides(variance: float, away: float) -> Callable[[float], bool]:
    """For `samples_needed`: whether a mean that lies `away` from its limit differs from it; `variance` is that of a
    sample.
    """
    return lambda count: _Z * math.sqrt(variance / count) < away


def enough_samples_text(count: int | None) -> str:
    """`about 510 would`: what a number of samples that was computed is worth."""
    if count is None:
        return "no realistic number of samples would: it lies at the limit"
    return f"about {float(f'{count:.2g}'):,.0f} would"
