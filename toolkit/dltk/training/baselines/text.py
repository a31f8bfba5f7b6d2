"""Baselines of labelled texts: the most frequent class, and linear models of the words and pairs of words in them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from dltk.data.dataset import Dataset, Split

__all__ = ["baselines"]

_MOST_TEXTS = 20_000  # that a baseline learns from, so that it takes seconds
_MOST_FEATURES = 200_000
_ITERATIONS = 300  # of logistic regression


def baselines(dataset: Dataset) -> Mapping[str, Any]:
    """Accuracy of each baseline on the test split, learnt from the training and the validation split.

    Args:
        dataset: raw samples are UTF-8 bytes (n,), targets class numbers (n,).

    Returns:
        "metric", "higher_is_better" and "rows", the "name" and "score" of each; empty where there is nothing to
        compare: fewer than two classes to learn from, no test split, no text with a word.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    splits = [split for split in (dataset.train, dataset.validation) if len(split)]
    texts, targets = [text for split in splits for text in _texts(split)], np.concatenate([s.targets for s in splits])
    if len(np.unique(targets)) < 2 or not len(dataset.test):
        return {}
    if len(texts) > _MOST_TEXTS:
        rows = np.sort(np.random.default_rng(0).choice(len(texts), _MOST_TEXTS, replace=False))
        texts, targets = [texts[int(row)] for row in rows], targets[rows]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=_MOST_FEATURES)
    try:
        known = words.fit_transform(texts)
    except ValueError:  # no text holds a word
        return {}
    asked, found = words.transform(_texts(dataset.test)), []
    models = (
        ("most frequent class", DummyClassifier()),
        ("TF-IDF, logistic regression", LogisticRegression(max_iter=_ITERATIONS)),
        ("TF-IDF, linear SVM", LinearSVC()),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a baseline that has not converged is still one
        for name, model in models:
            score = float(model.fit(known, targets).score(asked, dataset.test.targets))
            found.append({"name": name, "score": score})
    return {"metric": "accuracy", "higher_is_better": True, "rows": found}


def _texts(split: Split) -> list[str]:
    return [bytes(raw).decode("utf-8") for raw in split.take(slice(None))]
