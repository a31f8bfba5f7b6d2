"""Classifiers that learn in seconds from features of samples: what baselines of several tasks share."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset, Split

__all__ = ["Features", "drawn", "features_of", "linear_classifier", "scored"]

Features = Callable[[NDArray[Any]], NDArray[Any]]  # raw samples (n, ...) -> numbers (n, features)

_BATCH = 256  # samples whose features are computed at a time
_MOST = 4_000  # samples that a baseline learns from, so that it takes seconds
_ITERATIONS = 200  # of logistic regression


def drawn(dataset: Dataset, *, most: int = _MOST) -> list[tuple[Split, NDArray[np.int64]]]:
    """The training and the validation split, each with the positions (k,) to learn from: at most `most` in all."""
    splits = [split for split in (dataset.train, dataset.validation) if len(split)]
    owners = np.repeat(np.arange(len(splits)), [len(split) for split in splits])
    positions = np.concatenate([np.arange(len(split)) for split in splits])
    chosen = np.arange(len(owners))
    if len(chosen) > most:
        chosen = np.sort(np.random.default_rng(0).choice(len(chosen), most, replace=False))
    return [(split, positions[chosen][owners[chosen] == number]) for number, split in enumerate(splits)]


def features_of(parts: Iterable[tuple[Split, NDArray[np.int64]]], features: Features) -> NDArray[np.float32]:
    """The features (n, features) of the samples at some positions of splits, computed a batch at a time."""
    found = [
        np.asarray(features(split.take(positions[start : start + _BATCH])), np.float32)
        for split, positions in parts
        for start in range(0, len(positions), _BATCH)
    ]
    return np.concatenate(found)


def linear_classifier() -> Any:
    """Logistic regression of standardized features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=_ITERATIONS))


def scored(dataset: Dataset, models: Mapping[str, tuple[Features, Callable[[], Any]]]) -> Mapping[str, Any]:
    """Accuracy of the most frequent class and of each of `models` on the test split; see `baselines_of`.

    With several labels per sample: the share of samples whose labels are all right, one model per label. Empty where
    there is nothing to compare: a label, or all samples, of one class alone.

    Args:
        models: name -> features, and what makes a classifier of scikit-learn.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.multioutput import MultiOutputClassifier
    from threadpoolctl import threadpool_limits

    parts = drawn(dataset)
    learnt = np.concatenate([split.targets[positions] for split, positions in parts])
    several, wanted = learnt.ndim > 1, np.asarray(dataset.test.targets)
    if not len(wanted) or (learnt == learnt[0]).all(axis=0).any():
        return {}
    tested = [(dataset.test, np.arange(len(wanted)))]
    rows = []
    with warnings.catch_warnings(), threadpool_limits(1):  # on a busy machine, threads wait for each other
        warnings.simplefilter("ignore")  # a baseline that has not converged is still one
        named = {"most frequent class": (_nothing, DummyClassifier), **models}
        for name, (features, make) in named.items():
            model = MultiOutputClassifier(make()) if several else make()
            found = model.fit(features_of(parts, features), learnt).predict(features_of(tested, features))
            right = (found == wanted).all(axis=1) if several else found == wanted
            rows.append({"name": name, "score": float(right.mean())})
    return {"metric": "exact_match" if several else "accuracy", "higher_is_better": True, "rows": rows}


def _nothing(raws: NDArray[Any]) -> NDArray[np.float32]:
    return np.zeros((len(raws), 1), np.float32)
