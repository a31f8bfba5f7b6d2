"""Which epoch's weights are kept, when to stop, when a plateau lowers the rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.recipe.groups import Fit

__all__ = ["Selection"]

Score = tuple[float, float]  # compared in order; higher is better


class Selection:
    """The best epoch so far by the validation score, and the plateau schedule's factor.

    Epochs before `first_kept` are not kept: what the training is for is not reached in them (a sparsity).
    """

    def __init__(self, fit: Fit, *, first_kept: int = 0) -> None:
        self._fit, self._first_kept = fit, first_kept
        self._best: Score = (-math.inf, -math.inf)
        self._best_epoch = self._last_move = -1
        self.values: list[NDArray[Any]] = []
        self.factor = 1.0

    def take(self, epoch: int, score: Score, values: Sequence[NDArray[Any]]) -> bool:
        """Note `score` after `epoch` (from 0); keep `values` if it is the best; returns whether it was."""
        better = score > self._best and epoch >= self._first_kept
        if better:
            self._best, self._best_epoch, self.values = score, epoch, list(values)
        since = epoch - max(self._best_epoch, self._last_move)
        if self._fit.schedule == "plateau" and since >= self._fit.plateau_patience:
            self.factor *= self._fit.decay_factor
            self._last_move = epoch
        return better

    def exhausted(self, epochs: int) -> bool:
        """Whether the last `patience` of `epochs` epochs brought nothing better."""
        return 0 < self._fit.patience <= epochs - 1 - self._best_epoch and bool(self.values)

    def numbers(self) -> NDArray[np.float64]:
        """All but the weights, for a checkpoint."""
        return np.array([*self._best, self._best_epoch, self._last_move, self.factor])

    def restore(self, state: Mapping[str, NDArray[Any]], values: list[NDArray[Any]]) -> None:
        """Take back `numbers()`, found under "selection", and the best weights."""
        first, second, best_epoch, last_move, self.factor = map(float, state["selection"])
        self._best, self._best_epoch, self._last_move = (first, second), int(best_epoch), int(last_move)
        self.values = values
