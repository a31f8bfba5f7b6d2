"""Baselines of a table: the most frequent class or the mean, a linear model, gradient boosting."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Dataset, Split

__all__ = ["baselines"]

_MOST_ROWS = 20_000  # that a baseline learns from, so that it takes seconds
_MOST_CLASSES = 50  # boosting trains trees for each class
_ITERATIONS = 1_000  # of logistic regression


def baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Accuracy, or r2 where the target is a value, of each baseline on the test split; see `baselines_of`.

    Empty where there are several targets, or nothing to compare: fewer than two classes among the rows to learn from.

    Args:
        dataset: raw samples with the fields "numbers", NaN where empty, and "categories"; targets (n,) or (n, 1).
    """
    from threadpoolctl import threadpool_limits

    values = not dataset.labels
    splits = [split for split in (dataset.train, dataset.validation) if len(split)]
    targets = np.concatenate([split.targets.reshape(len(split), -1) for split in splits])
    if targets.shape[1] != 1 or len(np.unique(targets)) < 2 or not len(dataset.test):
        return {}
    wanted, learnt = dataset.test.targets.reshape(-1), targets[:, 0]
    known, asked = _features(splits, dataset.test)
    if len(learnt) > _MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(learnt), _MOST_ROWS, replace=False))
        known, learnt = known[rows], learnt[rows]
    rows_of = []
    # One thread: trees of few rows gain nothing by more, and on a busy machine threads wait for each other.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # a baseline that has not converged is still one
        for name, model in _models(values, classes=len(np.unique(learnt))):
            rows_of.append({"name": name, "score": float(model.fit(known, learnt).score(asked, wanted))})
    return {"metric": "r2" if values else "accuracy", "higher_is_better": True, "rows": rows_of}


def _models(values: bool, *, classes: int) -> Iterator[tuple[str, Any]]:
    from sklearn import dummy, ensemble, linear_model
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if values:
        yield "mean", dummy.DummyRegressor()
        yield "ridge regression", make_pipeline(StandardScaler(), linear_model.Ridge())
        yield "gradient boosting", ensemble.HistGradientBoostingRegressor(random_state=0)
        return
    yield "most frequent class", dummy.DummyClassifier()
    yield "logistic regression", make_pipeline(StandardScaler(), linear_model.LogisticRegression(max_iter=_ITERATIONS))
    if classes <= _MOST_CLASSES:
        yield "gradient boosting", ensemble.HistGradientBoostingClassifier(random_state=0)


def _features(splits: list[Split], test: Split) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features (n, features) to learn from and of the test split: numbers, then each category as a column of 0 or 1.

    An empty number is the mean of its column.
    """
    learnt = np.concatenate([split.take(slice(None)) for split in splits])
    asked = np.asarray(test.take(slice(None)))
    known: list[NDArray[np.float64]] = []
    found: list[NDArray[np.float64]] = []
    names = learnt.dtype.names or ()
    if "numbers" in names:
        numbers = learnt["numbers"].astype(np.float64)
        filled = ~np.isnan(numbers)
        means = np.where(filled, numbers, 0.0).sum(axis=0) / np.maximum(filled.sum(axis=0), 1)
        for raws, parts in ((learnt, known), (asked, found)):
            parts.append(np.where(np.isnan(raws["numbers"]), means, raws["numbers"].astype(np.float64)))
    if "categories" in names:
        different = np.unique(learnt["categories"])  # rows of one vocabulary for all columns
        for raws, parts in ((learnt, known), (asked, found)):
            parts.append((raws["categories"][:, :, None] == different).any(axis=1).astype(np.float64))
    return np.concatenate(known, axis=1), np.concatenate(found, axis=1)
