"""Which epoch's weights are kept, when to stop, when a plateau lowers the rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.models.backend import tf
from dltk.recipe.groups import Fit
from dltk.training.features import runner
from dltk.training.feed import Feed
from dltk.training.losses import Objective, objective
from dltk.training.views.factory import views_of

__all__ = ["Selection", "validation_figures", "validate_model"]

Score = tuple[float, float]  # compared in order; higher is better
_WORST: Score = (-math.inf, -math.inf)
_START = -1  # the epoch of the weights that a phase starts from


class Selection:
    """The best epoch so far by the validation score, and the plateau schedule's factor.

    The weights that the phase starts from compete for best, as epoch -1. Patience and plateau count from the best of
    the phase's own epochs: a phase that begins with good weights gets the same time to better them.

    Args:
        first_kept: epochs before it are not kept: what the training is for is not reached in them (a sparsity).
        start_counts: whether the weights at the start may be kept.
    """

    def __init__(self, fit: Fit, *, first_kept: int = 0, start_counts: bool = True) -> None:
        self._fit, self._first_kept, self._start_counts = fit, first_kept, start_counts
        self._best, self._own = _WORST, _WORST
        self._best_epoch = self._own_epoch = self._last_move = _START
        self.values: list[NDArray[Any]] = []
        self.factor = 1.0

    def take(self, epoch: int, score: Score, values: Sequence[NDArray[Any]]) -> bool:
        """Note `score` after `epoch` (from 0; -1: at the start); keep `values` if it is the best; returns whether.

        Args:
            values: the model's weights, arrays of any shape.
        """
        counts = self._start_counts if epoch == _START else epoch >= self._first_kept
        better = counts and score > self._best
        if better:
            self._best, self._best_epoch, self.values = score, epoch, list(values)
        if epoch != _START:
            self._note(epoch, score)
        return better

    def _note(self, epoch: int, score: Score) -> None:
        """Progress among the phase's own epochs."""
        if score > self._own and epoch >= self._first_kept:
            self._own, self._own_epoch = score, epoch
        since = epoch - max(self._own_epoch, self._last_move)
        if self._fit.schedule == "plateau" and since >= self._fit.plateau_patience:
            self.factor *= self._fit.decay_factor
            self._last_move = epoch

    @property
    def kept(self) -> int | None:
        """The best epoch, from 1; 0: the start; None where nothing was kept."""
        return self._best_epoch + 1 if self.values else None

    def exhausted(self, epochs: int) -> bool:
        """Whether the last `patience` of `epochs` epochs brought nothing better."""
        return self._own_epoch != _START and 0 < self._fit.patience <= epochs - 1 - self._own_epoch

    def numbers(self) -> NDArray[np.float64]:
        """All but the weights, float64 (8,), for a checkpoint."""
        return np.array(
            [*self._best, self._best_epoch, *self._own, self._own_epoch, self._last_move, self.factor], np.float64
        )

    def restore(self, state: Mapping[str, NDArray[Any]], values: list[NDArray[Any]]) -> None:
        """Take back `numbers()` (8,), found under "selection", and the best weights, arrays of any shape."""
        found = [float(value) for value in state["selection"]]
        self._best, self._own, self.factor = (found[0], found[1]), (found[3], found[4]), found[7]
        self._best_epoch, self._own_epoch, self._last_move = int(found[2]), int(found[5]), int(found[6])
        self.values = values


def validation_figures(
    forward: Callable[..., Any], goal: Objective, batches: Iterable[tuple[list[Any], Any]]
) -> dict[str, float]:
    """The "validation_loss", and "validation_accuracy" where exactly one class is right.

    Args:
        forward: input tensors -> the model's output, in inference mode.
        batches: inputs and what is wanted, as `Feed.validation` gives them.
    """
    losses, right = [], []
    for inputs, wanted in batches:
        logits = goal.logits(forward(*map(tf.constant, inputs)))
        losses.append(goal.losses(logits, goal.encode(tf.constant(wanted))).numpy())
        if goal.has_classes:
            known = np.asarray(wanted) < logits.shape[-1]  # ignored pixels are not
            right.append((logits.numpy().argmax(-1) == wanted)[known])
    found = {"validation_loss": float(np.concatenate(losses).mean(dtype=np.float64))}
    return found | ({"validation_accuracy": float(np.concatenate(right).mean())} if right else {})


def validate_model(
    model: Any, dataset: Dataset, signature: Signature, fit: Fit, *, progress: Progress = SILENT
) -> dict[str, float]:
    """The `validation_figures` of `model` as a phase `fit` would see it; the dataset must have a validation split."""
    views = views_of(dataset.train, None, seed=0, classes=signature.outputs[0].sample_shape[-1])
    feed = Feed(dataset, signature, views, None, model, None, fit.batch_size, 0, "validation", False, progress)
    return validation_figures(runner(model), objective(signature, dataset.train.targets, fit), feed.validation())
