"""Figures against scikit-learn's and against hand-made cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.training import as_text, predict_outputs, report
from dltk.training.evaluation.temperature import fit_temperature
from training import kit

EXACT = 1e-12  # relative: the same float64 sums


@pytest.fixture(scope="module")
def answers():
    """Logits twice as sure as they should be, and the classes drawn from the honest probabilities."""
    draw = np.random.Generator(np.random.PCG64(2))
    honest = draw.standard_normal((4000, 3)) * 1.5
    chances = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    targets = np.array([draw.choice(3, p=row) for row in chances])
    return 2 * honest, targets


def test_single_labels_equal_scikit_learn(answers):
    logits, targets = answers
    found, predicted = report(logits, targets, kit.SIGNATURE), logits.argmax(1)
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert found["accuracy"] == metrics.accuracy_score(targets, predicted)
    assert found["top_k"]["2"] == metrics.top_k_accuracy_score(targets, scores, k=2)
    assert found["confusion"] == metrics.confusion_matrix(targets, predicted).tolist()
    assert found["macro"]["f1"] == pytest.approx(metrics.f1_score(targets, predicted, average="macro"), rel=EXACT)
    area = metrics.roc_auc_score(targets, scores, multi_class="ovr")
    assert found["macro"]["auc"] == pytest.approx(area, rel=EXACT)
    for number, row in enumerate(found["classes"]):
        expected = metrics.precision_score(targets, predicted, labels=[number], average="macro")
        assert row["precision"] == pytest.approx(expected, rel=EXACT)
        assert row["samples"] == (targets == number).sum()
    assert all(curve[0] == [0.0, pytest.approx(curve[0][1])] and curve[-1] == [1.0, 1.0] for curve in found["roc"])
    json.dumps(found, allow_nan=False)


def test_temperature_undoes_overconfidence(answers):
    """Twice too sure: T is 2. Its standard error with 2,000 samples is about 0.07; three of them."""
    logits, targets = answers
    found = report(logits[:2000], targets[:2000], kit.SIGNATURE, validation=(logits[2000:], targets[2000:]))
    assert found["calibration"]["temperature"] == pytest.approx(2.0, abs=0.21)
    before, after = (found["calibration"][f"expected_calibration_error{end}"] for end in ("", "_fitted"))
    assert after < 0.04 < before
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, np.int64)) == 1.0


def test_temperature_is_the_minimum(answers):
    logits, targets = answers
    best = fit_temperature(logits, targets)

    def loss(temperature):
        scaled = logits / temperature
        return metrics.log_loss(targets, np.exp(scaled) / np.exp(scaled).sum(1, keepdims=True))

    assert loss(best) < min(loss(best * 1.01), loss(best / 1.01))


def test_a_class_without_samples_has_no_area():
    found = report(np.eye(3)[[0, 1, 1, 0]], np.array([0, 1, 0, 0]), kit.SIGNATURE)
    assert found["classes"][2] == {
        "label": "owl", "samples": 0, "precision": 0.0, "recall": 0.0, "f1": 0.0, "auc": None
    }  # fmt: skip
    assert found["macro"]["auc"] is not None
    assert "owl" in as_text(found)


def test_probabilities_of_an_adopted_model_count_like_logits(answers):
    logits, targets = answers
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    inside = report(scores, targets, kit.SIGNATURE.with_postprocess({"op": "identity"}))
    outside = report(logits, targets, kit.SIGNATURE)
    calibration = "expected_calibration_error"
    # Probabilities under 1e-7 are raised to it, which moves confidences by as much.
    assert inside["calibration"][calibration] == pytest.approx(outside["calibration"][calibration], abs=1e-6)
    assert inside["accuracy"] == outside["accuracy"]


def test_several_labels_equal_scikit_learn():
    draw = np.random.Generator(np.random.PCG64(3))
    targets = (draw.random((500, 3)) < 0.3).astype(np.float32)
    logits = draw.standard_normal((500, 3)) + 2 * targets - 1
    found = report(logits, targets, kit.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.5}))
    chosen = logits >= 0
    assert found["macro"]["f1"] == pytest.approx(metrics.f1_score(targets, chosen, average="macro"), rel=EXACT)
    assert found["macro"]["auc"] == pytest.approx(metrics.roc_auc_score(targets, logits), rel=EXACT)
    assert found["exact_match"] == metrics.accuracy_score(targets, chosen)
    assert "exact match" in as_text(found)


def test_values_are_judged_in_the_units_of_the_data():
    axes = ("batch", "time", "column")
    signature = Signature(
        "forecast", "series", (TensorSpec("series", "float32", (None, 4, 1), axes),),
        (TensorSpec("forecast", "float32", (None, 2, 1), axes),),
        ({"op": "window", "length": 4, "columns": ["load"]},),
        ({"op": "unstandardize", "mean": [5.0], "std": [10.0]},), ("load",)
    )  # fmt: skip
    found = report(np.array([[[0.0], [1.0]]]), np.array([[[0.1], [0.5]]]), signature)
    assert found["mean_absolute_error"] == pytest.approx(3.0, rel=EXACT)  # 1 and 5
    assert [row["mean_absolute_error"] for row in found["horizon"]] == pytest.approx([1.0, 5.0], rel=EXACT)
    assert found["root_mean_squared_error"] == pytest.approx(np.sqrt(13), rel=EXACT)
    assert "+2" in as_text(found)


def test_a_model_is_evaluated_batch_by_batch():
    made, data = kit.model(), kit.dataset()
    small, large = (predict_outputs(made, data.test, kit.SIGNATURE, batch_size=size) for size in (7, 30))
    assert small == pytest.approx(large, abs=1e-6)  # float32 in another order
    found = report(large, data.test.targets, kit.SIGNATURE)
    assert found["samples"] == 30
    assert found["accuracy"] == float((large.argmax(1) == data.test.targets).mean())
    assert "target \\ found" in as_text(found)
    assert "expected calibration error" in as_text(found)


def test_an_empty_test_split_is_an_error():
    with pytest.raises(InputError, match="test split: must hold samples"):
        report(np.zeros((0, 3)), np.zeros(0, np.int64), kit.SIGNATURE)
