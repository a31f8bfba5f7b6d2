"""Figures on the validation split: what weights are chosen by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.signature import Signature
from dltk.recipe.groups import Fit
from dltk.training.backend import tf
from dltk.training.features import runner
from dltk.training.feed import Feed
from dltk.training.losses import Objective, objective
from dltk.training.views import views_of

__all__ = ["figures", "validation_of"]


def figures(forward: Callable[..., Any], goal: Objective, batches: Iterable[tuple[list[Any], Any]]) -> dict[str, float]:
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
            right.append(logits.numpy().argmax(-1) == wanted)
    found = {"validation_loss": float(np.concatenate(losses).mean(dtype=np.float64))}
    return found | ({"validation_accuracy": float(np.concatenate(right).mean())} if right else {})


def validation_of(
    model: Any, dataset: Dataset, signature: Signature, fit: Fit, *, progress: Progress = SILENT
) -> dict[str, float]:
    """The `figures` that a phase `fit` would see of `model` as it is; the dataset must have a validation split."""
    views = views_of(dataset.train, None, seed=0, classes=signature.outputs[0].sample_shape[-1])
    feed = Feed(dataset, signature, views, None, model, None, fit.batch_size, 0, "validation", False, progress)
    return figures(runner(model), objective(signature, dataset.train.targets, fit), feed.validation())
