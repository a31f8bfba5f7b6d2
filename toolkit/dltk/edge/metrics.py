"""The few metrics that a device needs, in NumPy; tests hold them equal to scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "confusion_matrix",
    "cosines",
    "expected_calibration_error",
    "max_abs_difference",
    "mean_cosine",
    "paired_bootstrap",
    "ranks",
    "reliability",
    "softmax",
    "top1_agreement",
    "top_k_accuracy",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
_CELLS = 4_000_000  # numbers held at a time while resampling: 32 MB


def softmax(logits: Floats, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (n, classes) of logits (n, classes)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def accuracy(scores: Floats, targets: Ints) -> float:
    """Share of samples whose highest of `scores` (n, classes) is at `targets` (n,)."""
    return float((scores.argmax(axis=-1) == targets).mean())


def top_k_accuracy(scores: Floats, targets: Ints, *, k: int) -> float:
    """Share of samples whose target is among the `k` highest scores; of equal scores the later class counts first."""
    best = np.argsort(scores, axis=-1, kind="stable")[:, -k:]
    return float((best == np.asarray(targets)[:, None]).any(axis=-1).mean())


def confusion_matrix(targets: Ints, predicted: Ints, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): row is the target, column the prediction."""
    cells = np.asarray(targets, np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def mean_cosine(reference: Floats, found: Floats) -> float:
    """The mean of `cosines`."""
    return float(cosines(reference, found).mean())


def cosines(reference: Floats, found: Floats) -> NDArray[np.float64]:
    """The cosine (n,) of each sample between two arrays (n, ...); two zero vectors are alike, one is not."""
    a = np.asarray(reference, np.float64).reshape(len(reference), -1)
    b = np.asarray(found, np.float64).reshape(len(found), -1)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    return np.asarray(np.where(both_zero, 1.0, (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)))


def max_abs_difference(reference: Floats, found: Floats) -> float:
    """The largest difference between two arrays, in their own unit; NaN where either holds one."""
    return float(np.abs(np.asarray(reference, np.float64) - np.asarray(found, np.float64)).max())


def top1_agreement(reference: Floats, found: Floats) -> float:
    """Share of samples for which two arrays (n, classes) have their highest score at the same class."""
    return float((reference.argmax(axis=-1) == found.argmax(axis=-1)).mean())


def ranks(scores: Floats, targets: Ints) -> NDArray[np.int64]:
    """The place (n,), from 1, of an item among all items by `scores` (n, items); ties count against it.

    Args:
        targets: the number of the item (n,); or (n, 1 + k): that, and behind it items that are no candidates, such as
            those a user has already, with -1 where there are none.
    """
    wanted = np.asarray(targets, np.int64).reshape(len(scores), -1)
    before = scores >= np.take_along_axis(scores, wanted[:, :1], axis=-1)
    rows, columns = np.nonzero(wanted[:, 1:] >= 0)
    before[rows, wanted[rows, 1 + columns]] = False
    before[np.arange(len(wanted)), wanted[:, 0]] = True  # itself
    return before.sum(axis=-1).astype(np.int64)


def expected_calibration_error(probabilities: Floats, targets: Ints, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence (Guo et al. 2017, arXiv:1706.04599)."""
    counts, confidence, right = _bins(probabilities, targets, bins)
    return float(np.abs(confidence - right).sum() / counts.sum())


def reliability(probabilities: Floats, targets: Ints, *, bins: int = 15) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, samples) of each equal bin of confidence that holds any, in order of confidence."""
    counts, confidence, right = _bins(probabilities, targets, bins)
    return [
        (float(confidence[i] / counts[i]), float(right[i] / counts[i]), int(counts[i])) for i in counts.nonzero()[0]
    ]


def _bins(probabilities: Floats, targets: Ints, bins: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A bin: samples, sum of confidences, correct predictions."""
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == targets
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return (
        np.bincount(which, minlength=bins),
        np.bincount(which, weights=confidence, minlength=bins),
        np.bincount(which, weights=right, minlength=bins),
    )


def paired_bootstrap(
    a: Floats, b: Floats, *, seed: int, rounds: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """How much the mean of scores `a` (n,) lies above that of `b` (n,), on the same samples.

    Samples are drawn with replacement `rounds` times, the same ones for both (Efron's percentile interval).

    Returns:
        (estimate, low, high): the difference of means and the ends of its `level` interval.
    """
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    values, counts = np.unique(differences, return_counts=True)
    generator, share = np.random.Generator(np.random.PCG64(seed)), counts / counts.sum()
    means = np.empty(rounds)
    chunk = max(1, _CELLS // len(values))
    for start in range(0, rounds, chunk):
        # Drawing n samples is drawing how often each different value occurs: right or wrong answers have three.
        drawn = generator.multinomial(len(differences), share, size=min(chunk, rounds - start))
        means[start : start + chunk] = drawn @ values / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(differences.mean()), float(low), float(high)
