"""Two towers know more than one where the label is half in the picture and half in the text."""

from __future__ import annotations

import json

import pytest

import pairs
import small

pytestmark = [*small.QUIET, pytest.mark.slow]  # three trainings

SETTINGS = (
    "data.size=24", "data.length=12", "data.vocabulary=300", "data.max_bytes=100", "model.filters=8,16",
    "model.embedding=16", "model.units=32", "fit.epochs=20", "fit.batch_size=32", "fit.learning_rate=5e-3",
)  # fmt: skip


def test_both_towers_are_better_than_each_alone(tmp_path):
    """Two moods and three shapes: the text alone can be right on 1/3, the picture alone on 1/2.

    150 test samples leave a deviation of 0.04: neither may be over its limit by more than three of those.
    """
    table, found = pairs.write(tmp_path / "data", 600, side=24), {}
    for towers in ("image", "text", "both"):
        words = [word for pair in (*SETTINGS, "data.test=0.25", f"model.towers={towers}") for word in ("--set", pair)]
        run = tmp_path / towers
        small.make(run, "finetune", "multimodal", "--data", table, "--run", run, *words)
        found[towers] = json.loads((run / "metrics.json").read_text())["accuracy"]
    assert found["text"] < 1 / 3 + 0.12
    assert found["image"] < 1 / 2 + 0.12
    assert found["both"] > max(found["image"], found["text"]) + 0.2, found
