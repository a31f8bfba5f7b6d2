"""What a file without ranges holds in float32, seen in the file."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.export.emit import LEFT, left_float
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


def wide():
    """Loops and layers of enough weights each, and a small one."""
    series = keras.Input((6, 8), name="series")
    x = L.LSTM(24, return_sequences=True, name="lstm")(series)
    x = L.GRU(32, name="gru")(L.Conv1D(32, 5, padding="same", name="conv")(x))
    return keras.Model(series, L.Dense(4, name="logits")(L.Dense(64, name="dense")(x)))


def test_dynamic_leaves_what_the_file_leaves():
    model = zoo.shake(wide())
    graph = deployed_graph(read(model))
    found = left_float(graph, zoo.signature(model), QuantizationPlan("dynamic"))
    assert found == dict.fromkeys(("lstm", "logits"), LEFT)


def test_pruned_and_constant_kernels_are_told_apart():
    """Zeros stand in every file, and say nothing."""
    model = zoo.shake(wide())
    kernel, bias = model.get_layer("dense").get_weights()
    kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.9)] = 0
    model.get_layer("dense").set_weights([kernel, bias])
    found = left_float(deployed_graph(read(model)), zoo.signature(model), QuantizationPlan("dynamic"))
    assert "dense" not in found


@pytest.mark.parametrize("name", ["resnet", "lstm"])
def test_float16_leaves_nothing(made, name):
    case = made.case(name)
    assert left_float(case.graph, case.signature, QuantizationPlan("float16")) == {}
