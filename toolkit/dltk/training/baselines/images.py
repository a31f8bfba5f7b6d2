"""Baselines of images: the most frequent class, and logistic regression on small pixels and on gradients; and of images
with texts: logistic regression on one of the two alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset
from dltk.training.baselines.classifiers import linear_classifier, scored

__all__ = ["baselines", "gradients", "pair_baselines", "small_pixels"]

_SIDE = 16  # of the small images, in pixels
_CELLS = 6  # of an image, along each axis, that have a histogram of gradients
_DIRECTIONS = 9
_WORDS = 2**12  # columns that words are hashed into


def baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Accuracy, or exact match of several labels, of each baseline on the test split; see `baselines_of`.

    Args:
        dataset: raw samples uint8 (n, height, width, channels).
    """
    models = {
        "logistic regression on pixels": (small_pixels, linear_classifier),
        "logistic regression on gradients": (gradients, linear_classifier),
    }
    return scored(dataset, models)


def pair_baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Accuracy of each baseline on the test split; see `baselines_of`.

    Args:
        dataset: raw samples are records of uint8 "image" (height, width, channels) and "text", bytes of UTF-8.
    """
    models = {
        "logistic regression on the images": (_images, linear_classifier),
        "logistic regression on the texts": (_words, _word_classifier),
    }
    return scored(dataset, models)


def small_pixels(raws: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images (n, height, width, channels) as the means of at most 16 x 16 areas, flat (n, features)."""
    found = _means(raws.astype(np.float32), _SIDE)
    return np.asarray(found.reshape(len(found), -1) / 255, np.float32)


def gradients(raws: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of the directions of gradients (n, features) in 6 x 6 areas of images (n, height, width, channels).

    After Dalal and Triggs 2005 (doi:10.1109/CVPR.2005.177), without overlapping blocks.
    """
    grey = raws.astype(np.float32).mean(axis=-1)
    down, right = np.gradient(grey, axis=(1, 2))
    place = np.arctan2(down, right) % np.pi * (_DIRECTIONS / np.pi)
    low = np.floor(place).astype(np.int64)
    shares = np.zeros((*grey.shape, _DIRECTIONS), np.float32)
    size = np.hypot(down, right)
    for number, share in ((low % _DIRECTIONS, 1 - (place - low)), ((low + 1) % _DIRECTIONS, place - low)):
        values = np.take_along_axis(shares, number[..., None], axis=-1) + (size * share)[..., None]
        np.put_along_axis(shares, number[..., None], values, axis=-1)
    cells = _means(shares, _CELLS)
    length = np.linalg.norm(cells, axis=-1, keepdims=True)
    each = cells / (length + 0.1 * length.mean(axis=(1, 2, 3), keepdims=True) + 1e-6)
    return np.asarray(each.reshape(len(raws), -1), np.float32)


def _means(values: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Values (n, height, width, k) as the means of areas, at most `most` along each axis."""
    for axis in (1, 2):
        size = values.shape[axis]
        starts = np.unique(np.arange(most) * size // most) if size > most else np.arange(size)
        widths = np.diff([*starts, size]).astype(np.float32)
        sums = np.add.reduceat(values, starts, axis=axis)
        values = np.asarray(sums / np.expand_dims(widths, tuple(range(1, 4 - axis))), np.float32)
    return values


def _images(raws: NDArray[Any]) -> NDArray[np.float32]:
    return small_pixels(raws["image"])


def _words(raws: NDArray[Any]) -> NDArray[np.float32]:
    from sklearn.feature_extraction.text import HashingVectorizer

    texts = [bytes(text).decode("utf-8", errors="replace") for text in raws["text"]]
    return np.asarray(HashingVectorizer(n_features=_WORDS, ngram_range=(1, 2)).transform(texts).toarray(), np.float32)


def _word_classifier() -> Any:
    """Logistic regression of words: not standardized, since most columns are zero."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10.0, max_iter=200)
