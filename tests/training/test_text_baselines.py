"""Baselines of texts, on texts whose words decide."""

from __future__ import annotations

import numpy as np

from dltk.data.dataset import Dataset, Split
from dltk.training.baselines.text import baselines


def data(texts, targets, *, test=6):
    store, targets = np.array([text.encode() for text in texts]), np.array(targets)
    rows = np.arange(len(texts))
    train, held = rows[:-test] if test else rows, rows[-test:] if test else rows[:0]
    empty = Split(store, rows[:0], targets[:0])
    return Dataset(
        Split(store, train, targets[train]), empty, Split(store, held, targets[held]), ("a", "b"), "", "", {}
    )


def test_words_and_pairs_of_words_are_learnt():
    texts = [f"not {('good', 'bad')[k % 2]} at all film {k}" for k in range(30)]
    found = baselines(data(texts, [k % 2 for k in range(30)]))
    scores = {row["name"]: row["score"] for row in found["rows"]}
    assert scores == {"most frequent class": 0.5, "TF-IDF, logistic regression": 1.0, "TF-IDF, linear SVM": 1.0}
    assert (found["metric"], found["higher_is_better"]) == ("accuracy", True)


def test_where_there_is_nothing_to_compare_there_are_none():
    assert baselines(data(["one text"] * 9, [0] * 9)) == {}
    assert baselines(data(["a text", "more text"] * 5, [0, 1] * 5, test=0)) == {}
    assert baselines(data(["!", "?"] * 9, [0, 1] * 9)) == {}
