"""What a few lines of scikit-learn reach on the same rows, for the figures of a run: one file per kind of task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from dltk.data.dataset import Dataset

__all__ = ["baselines_of"]

_ROOMS = {  # task -> module and function; generated images have no baseline, since none of them is right or wrong
    "tabular": ("tabular", "baselines"),
    "text-classification": ("text", "baselines"),
    "image-classification": ("images", "baselines"),
    "segmentation": ("masks", "baselines"),
    "audio-keyword": ("sounds", "baselines"),
    "autoencode": ("unlabelled", "anomalies"),
    "image-text-classification": ("images", "pair_baselines"),
    "recommend": ("unlabelled", "recommendations"),
    "control": ("unlabelled", "policies"),
}


def baselines_of(task: str) -> Callable[[Dataset], Mapping[str, Any]] | None:
    """The function that computes the baselines of `task`, or None where it has none.

    It takes a data set and returns "metric", the name of the figure; "higher_is_better"; and "rows", the "name" and
    "score" of each baseline on the test split, learnt from the training and the validation split.
    """
    if task not in _ROOMS:
        return None
    room, name = _ROOMS[task]
    found: Callable[[Dataset], Mapping[str, Any]] = getattr(import_module(f"{__name__}.{room}"), name)
    return found
