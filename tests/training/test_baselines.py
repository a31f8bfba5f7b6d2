"""Baselines of tables: simple cases with a known best, and the line that compares the network with them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk.training.baselines import baselines_of
from dltk.training.evaluation.text import as_text, baselines_line

RNG = np.random.default_rng(0)
KIND = np.dtype([("numbers", np.float32, (2,)), ("categories", np.int32, (1,))])


class Part:
    def __init__(self, raws, targets):
        self.raws, self.targets = raws, targets

    def __len__(self):
        return len(self.raws)

    def take(self, rows):
        return self.raws[rows]


def table(target, labels=()):
    raws = np.zeros(600, KIND)
    raws["numbers"] = RNG.normal(size=(600, 2))
    raws["categories"] = RNG.integers(0, 3, (600, 1))
    targets = np.asarray(target(raws["numbers"], raws["categories"][:, 0]))
    raws["numbers"][::50, 0] = np.nan
    parts = (slice(0, 400), slice(400, 450), slice(450, 600))
    train, validation, test = (Part(raws[rows], targets[rows]) for rows in parts)
    return SimpleNamespace(train=train, validation=validation, test=test, labels=labels)


def scores(dataset):
    found = baselines_of("tabular")(dataset)
    return found["metric"], {row["name"]: row["score"] for row in found["rows"]}


def test_values_of_a_line_and_of_a_step():
    metric, found = scores(table(lambda numbers, kind: (numbers[:, 1] + kind)[:, None]))
    assert metric == "r2"
    assert found["ridge regression"] > 0.95
    assert found["mean"] == pytest.approx(0, abs=0.05)
    _, found = scores(table(lambda numbers, kind: (np.abs(numbers[:, 1]) > 0.7).astype(np.float64)[:, None]))
    assert found["gradient boosting"] > 0.9
    assert found["ridge regression"] < 0.2


def test_classes():
    metric, found = scores(table(lambda numbers, kind: (kind == 1).astype(np.int64), labels=("a", "b")))
    assert metric == "accuracy"
    assert found["logistic regression"] == found["gradient boosting"] == 1.0
    assert 0.5 < found["most frequent class"] < 0.8


def test_where_nothing_can_be_compared_there_are_none():
    assert baselines_of("generate") is None
    assert baselines_of("tabular")(table(lambda numbers, kind: np.zeros(600, np.int64), labels=("a", "b"))) == {}
    assert baselines_of("tabular")(table(lambda numbers, kind: (numbers > 0) * 1.0, labels=("a", "b"))) == {}


@pytest.mark.parametrize(
    ("own", "higher", "behind"), [(0.9, True, True), (0.92, True, False), (0.95, True, False), (0.9, False, False)]
)
def test_the_line_reports_where_the_network_does_not_pay(own, higher, behind):
    rows = [{"name": "most frequent class", "score": 0.91}, {"name": "logistic regression", "score": 0.919}]
    metrics = {
        "samples": 9,
        "accuracy": own,
        "baselines": {"metric": "accuracy", "higher_is_better": higher, "rows": rows},
    }
    line = baselines_line(metrics)
    assert line.startswith(f"accuracy {own:.3f}; beside it most frequent class 0.910, logistic regression 0.919")
    assert line.endswith("the network does not pay here") == behind
    assert line in as_text(metrics)
