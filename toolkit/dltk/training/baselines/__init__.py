"""What a few lines of scikit-learn reach on the same rows, for the figures of a run: one file per kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from dltk.data.dataset import Dataset

__all__ = ["baselines_of"]

_ROOMS = {  # task -> module; others have no baselines
    "tabular": "dltk.training.baselines.tabular",
    "text-classification": "dltk.training.baselines.text",
}


def baselines_of(task: str) -> Callable[[Dataset], Mapping[str, Any]] | None:
    """The function that computes the baselines of `task`, or None where it has none.

    It takes a data set and returns "metric", the name of the figure; "higher_is_better"; and "rows", the "name" and
    "score" of each baseline on the test split, learnt from the training and the validation split.
    """
    return import_module(_ROOMS[task]).baselines if task in _ROOMS else None
