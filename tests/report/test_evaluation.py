"""A report reads what an evaluation writes, and the figures of the other tests have its form."""

from __future__ import annotations

import numpy as np
import pytest

import tiny
from dltk.report.metrics import read_metrics

pytest.importorskip("sklearn", reason="an evaluation needs the extra train")
pytest.importorskip("tensorflow", reason="an evaluation needs the extra train")


def test_a_classifier(kit):
    from dltk.training import report

    logits, targets = kit.answers(3)
    found = report(logits, targets, tiny.SIGNATURE, validation=(logits[:30], targets[:30]))
    made = kit.classification()
    assert read_metrics(found, "metrics.json") == found
    assert set(made) == set(found)
    assert set(made["classes"][0]) == set(found["classes"][0])
    assert made["confusion"] == found["confusion"]
    assert made["accuracy"] == found["accuracy"]


def test_several_labels_a_sample(kit):
    from dltk.training import report

    logits, _ = kit.answers(3)
    signature = tiny.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.5})
    found = report(logits, (logits > 1).astype(np.float32), signature)
    assert read_metrics(found, "metrics.json") == found


def test_a_forecast(kit):
    from dltk.training import report

    targets = np.random.Generator(np.random.PCG64(6)).normal(0, 1, (20, 2, 1)).astype(np.float32)
    found = report(targets + np.float32(0.1), targets, kit.SERIES)
    assert read_metrics(found, "metrics.json") == found
    assert set(found) == set(kit.forecast())
