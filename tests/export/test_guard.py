"""Guards of float layers are told from a model's own operators by name."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.edge.runtime.sessions import open_session
from dltk.export import onnx, tflite
from dltk.export.guard import ONNX_GUARD, guard_names, guarded_graph, is_guard
from dltk.quantization.calibration import calibrate
from dltk.quantization.scheme import Scheme
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

EMIT = {"onnx": onnx.emit, "tflite": tflite.emit}
KEPT = {"none": (), "it and what follows": ("bumps", "after")}


@cache
def made(kept):
    """A network whose second convolution ends in an exponential; its plan, samples and outputs."""
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(6, 3, activation="relu", name="first")(image)
    x = L.Conv2D(6, 3, activation="exponential", name="bumps")(x)
    x = L.Conv2D(6, 3, activation="relu", name="after")(x)
    x = L.Conv2D(6, 1, activation="relu", name="after.linear.of.bumps.guard")(x)  # as a guard might be called
    x = L.Dense(zoo.CLASSES, name="logits")(L.GlobalAveragePooling2D()(x))
    model = zoo.teach(zoo.shake(keras.Model(image, x)))
    graph = deployed_graph(read(model))
    (calibration,), values = zoo.samples(model, 100), zoo.samples(model, 64, seed=8)
    plan = calibrate(graph, {"image": calibration}, limits={}, scheme=Scheme(keep=frozenset(KEPT[kept])))
    return graph, zoo.signature(model), plan, zoo.feeds(model, values), zoo.expected(model, values)[0]


@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("format", EMIT)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_an_exponential_of_the_model_stays_in_its_files(format, precision, kept):
    graph, signature, plan, tensors, wanted = made(kept)
    opened = open_session(format, EMIT[format](graph, signature, precision, plan if precision == "int8" else None))
    (found,) = opened.run(tensors).values()
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(wanted, axis=-1)
    limit = 0.98 if precision == "int8" else 1 - 1e-6  # as a copy it gives 0.1
    assert ((found * wanted).sum(-1) / lengths).mean() >= limit
    operators = {name.upper(): count for name, count in opened.operators().items()}
    assert operators["EXP"] == 1
    assert "CEIL" not in operators  # no guard is left


def test_a_guard_has_a_name_that_no_layer_has():
    graph, _, plan, _, _ = made("it and what follows")
    guarded = guarded_graph(graph, plan, ONNX_GUARD)
    names = guard_names(guarded)
    assert names
    assert names.isdisjoint(graph.layers)
    assert not guard_names(graph)
    (name, *_) = names
    assert is_guard(f"model_4/{name}/Exp", names)
    assert is_guard(f"model/x/Relu;model/{name}/Ceil", names)
    assert not is_guard(f"model/{name}s/Exp", names)
    assert not is_guard("model/bumps.activation/Exp", names)
