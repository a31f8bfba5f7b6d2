"""The device's metrics equal scikit-learn's, and the bootstrap covers what it should."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.edge import metrics

GENERATOR = np.random.Generator(np.random.PCG64(0))
LOGITS = GENERATOR.normal(size=(500, 6)).astype(np.float32)
TARGETS = GENERATOR.integers(0, 6, 500)


def test_equal_to_scikit_learn():
    known = pytest.importorskip("sklearn.metrics")
    predicted = LOGITS.argmax(axis=1)
    assert metrics.accuracy(LOGITS, TARGETS) == pytest.approx(known.accuracy_score(TARGETS, predicted), abs=1e-12)
    for k in (1, 2, 5):
        wanted = known.top_k_accuracy_score(TARGETS, LOGITS, k=k)
        assert metrics.top_k_accuracy(LOGITS, TARGETS, k=k) == pytest.approx(wanted, abs=1e-12)
    matrix = metrics.confusion_matrix(TARGETS, predicted, 6)
    assert np.array_equal(matrix, known.confusion_matrix(TARGETS, predicted, labels=range(6)))


def test_cosine_equals_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    other = LOGITS + GENERATOR.normal(0, 0.1, LOGITS.shape)
    wanted = np.diag(pairwise.cosine_similarity(LOGITS, other)).mean()
    assert metrics.mean_cosine(LOGITS, other) == pytest.approx(wanted, abs=1e-7)  # scikit-learn's is float32 in part
    zero = np.zeros((1, 3))
    assert metrics.mean_cosine(zero, zero) == 1.0
    assert metrics.mean_cosine(zero, zero + 1) == 0.0


def test_differences():
    other = LOGITS.copy()
    other[3, 2] += 0.25
    assert metrics.max_abs_difference(LOGITS, other) == pytest.approx(0.25, abs=1e-6)  # a float32 sum
    assert metrics.top1_agreement(LOGITS, LOGITS) == 1.0
    assert metrics.top1_agreement(LOGITS, -LOGITS) == 0.0
    assert np.isnan(metrics.max_abs_difference(LOGITS, LOGITS * np.nan))


def test_calibration_error_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    # bins of confidence: 0.9 twice, one right: gap 0.4 x 2; 0.6 right: 0.4; 0.7 wrong: 0.7
    found = metrics.expected_calibration_error(probabilities, np.array([0, 1, 0, 0]), bins=10)
    assert found == pytest.approx((0.8 + 0.4 + 0.7) / 4)


def test_softmax_of_large_logits():
    assert metrics.softmax(np.array([[1e4, 1e4, -1e4]])).tolist() == [[0.5, 0.5, 0.0]]


def test_the_bootstrap_is_repeatable_and_centred():
    a, b = GENERATOR.random(2000) < 0.9, GENERATOR.random(2000) < 0.8
    found = metrics.paired_bootstrap(a, b, seed=5)
    assert found == metrics.paired_bootstrap(a, b, seed=5)
    estimate, low, high = found
    assert estimate == pytest.approx(a.mean() - b.mean())
    # The percentile interval of a mean is the normal one up to terms of 1/n: 1.96 standard errors a side.
    error = np.std(a.astype(float) - b) / np.sqrt(2000)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.06)  # 2000 rounds place a 2.5% quantile to about 3%
    assert metrics.paired_bootstrap(a, a, seed=0) == (0.0, 0.0, 0.0)


def test_the_bootstrap_does_not_depend_on_its_pieces(monkeypatch):
    a, b = GENERATOR.random(300), GENERATOR.random(300)
    whole = metrics.paired_bootstrap(a, b, seed=1, rounds=100)
    monkeypatch.setattr(metrics, "_CELLS", 900)  # three rounds at a time
    # A matrix product of another height may sum in another order.
    assert metrics.paired_bootstrap(a, b, seed=1, rounds=100) == pytest.approx(whole, abs=1e-12)
