"""Baselines of masks: the most frequent class, and a classifier of single pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset, Split
from dltk.edge.metrics import confusion_matrix
from dltk.training.baselines.classifiers import drawn

__all__ = ["baselines"]

_MOST = 20_000  # pixels that the classifier learns from
_MOST_IMAGES = 400  # that they are drawn from
_TESTED = 1_000_000  # pixels of the test split that are classified, evenly spaced where there are more
_TREES = 50
_NEAR = 2  # pixels on each side whose mean colour is a feature


def baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Mean intersection over union of each baseline on the test split; see `baselines_of`.

    Args:
        dataset: raw samples uint8 (n, height, width, channels), targets class numbers (n, height, width); numbers
            without a class are left out.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    classes = len(dataset.labels)
    known, learnt = _pixels_to_learn_from(dataset, classes)
    if len(np.unique(learnt)) < 2 or not len(dataset.test):
        return {}
    step = max(1, dataset.test.targets.size // _TESTED)
    frequent = int(np.bincount(learnt).argmax())
    counts = {"most frequent class": np.zeros((classes, classes), np.int64)}
    counts["classifier of pixels"] = np.zeros((classes, classes), np.int64)
    with threadpool_limits(1):  # on a busy machine, threads wait for each other
        model = HistGradientBoostingClassifier(max_iter=_TREES, random_state=0).fit(known, learnt)
        for number in range(len(dataset.test)):
            features, wanted = _pixels(dataset.test, number)
            chosen = np.flatnonzero(wanted < classes)[number % step :: step]
            if len(chosen):
                wanted, found = wanted[chosen], model.predict(features[chosen])
                counts["most frequent class"] += confusion_matrix(wanted, np.full_like(wanted, frequent), classes)
                counts["classifier of pixels"] += confusion_matrix(wanted, found, classes)
    rows = [{"name": name, "score": _mean_iou(table)} for name, table in counts.items()]
    return {"metric": "mean_iou", "higher_is_better": True, "rows": rows}


def _pixels_to_learn_from(dataset: Dataset, classes: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (n, features) and classes (n,) of pixels that have a class, as many from each image."""
    parts = drawn(dataset, most=_MOST_IMAGES)
    each = -(-_MOST // max(1, sum(len(positions) for _, positions in parts)))
    rng = np.random.default_rng(0)
    found: list[NDArray[np.float32]] = []
    learnt: list[NDArray[np.int64]] = []
    for split, positions in parts:
        for number in positions:
            features, wanted = _pixels(split, int(number))
            chosen = rng.permutation(np.flatnonzero(wanted < classes))[:each]
            found.append(features[chosen])
            learnt.append(wanted[chosen])
    return np.concatenate(found), np.concatenate(learnt)


def _pixels(split: Split, number: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Of each pixel of an image: its colour, the mean colour near it and in its image, its place (pixels, features);
    and its number in the mask (pixels,).
    """
    from scipy.ndimage import uniform_filter

    image = split.take(slice(number, number + 1))[0].astype(np.float32)
    height, width, channels = image.shape
    near = uniform_filter(image, size=(2 * _NEAR + 1, 2 * _NEAR + 1, 1), mode="nearest")
    whole = np.broadcast_to(image.mean(axis=(0, 1)), image.shape)
    places = np.moveaxis(np.indices((height, width)), 0, -1).astype(np.float32)
    features = np.concatenate([image, near, whole, places], axis=-1)
    return features.reshape(-1, 3 * channels + 2), split.targets[number].reshape(-1).astype(np.int64)


def _mean_iou(counts: NDArray[np.int64]) -> float:
    """Over the classes that occur in targets or predictions, from a confusion matrix (classes, classes)."""
    right = counts.diagonal()
    unions = counts.sum(axis=0) + counts.sum(axis=1) - right
    return float(np.mean(right[unions > 0] / unions[unions > 0]))
