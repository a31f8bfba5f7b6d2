"""A graph becomes a Keras 3 model that computes the same and reads as the same graph."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo
from dltk.twin.build import build
from dltk.twin.keras3 import rebuild
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

# Folding rounds once more for each weight; over a net that gives some 1e-6 of the largest value inside it.
FOLDED = 2e-5

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")  # of Keras' own applications


def outputs(model, values):
    found = model(values if len(values) > 1 else values[0], training=False)
    return [np.asarray(part) for part in (found if isinstance(found, (list, tuple)) else [found])]


def assert_equal(one, other, values, tolerance):
    for a, b in zip(outputs(one, values), outputs(other, values), strict=True):
        assert np.abs(a).max() > 0
        assert np.abs(a - b).max() <= tolerance * max(1.0, float(np.abs(a).max()))


def assert_same_graph(one, other):
    assert one.inputs == other.inputs
    assert one.calls == other.calls
    assert one.outputs == other.outputs
    used = {name for call in one.calls for name in (*call.outputs, *call.inputs)}
    assert {name: one.shapes[name] for name in used} == {name: other.shapes[name] for name in used}
    assert list(one.layers) == list(other.layers)
    assert_same_layers(one, other)


def assert_same_layers(one, other):
    """In any order: folding makes branches shorter, and a flat model is walked otherwise than a nested one."""
    assert sorted(one.layers) == sorted(other.layers)
    for name, layer in one.layers.items():
        assert layer.kind == other.layers[name].kind
        for a, b in zip(layer.weights, other.layers[name].weights, strict=True):
            assert np.array_equal(a, b), name


@pytest.fixture(scope="module", params=zoo.MODELS)
def model(request):
    return zoo.shake(zoo.MODELS[request.param]())


class TestEveryModel:
    def test_as_it_was_read(self, model):
        graph = read(model)
        made = rebuild(graph)
        assert_equal(model, made, zoo.samples(model, 5), 1e-6)  # the same layers in the same order
        assert_same_layers(graph, read(made))
        assert_same_graph(read(made), read(rebuild(read(made))))

    def test_deployed(self, model):
        graph = deployed_graph(read(model))
        made = rebuild(graph)
        assert_equal(model, made, zoo.samples(model, 5), FOLDED)
        again = deployed_graph(read(made))
        assert_same_layers(graph, again)
        assert_same_graph(again, deployed_graph(read(rebuild(again))))

    @pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
    def test_it_can_be_saved(self, model, tmp_path):
        made = rebuild(deployed_graph(read(model)))
        made.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert_equal(made, loaded, zoo.samples(model, 5), 0.0)
        assert_same_graph(deployed_graph(read(made)), deployed_graph(read(loaded)))


def test_a_multiply_and_add_is_the_same_to_the_bit():
    """What the twin computes for an `Affine`, on rank 2 and rank 3 tensors."""
    for shape in ((6,), (5, 6)):
        given = keras.Input(shape, name="given")
        x = keras.layers.BatchNormalization(name="norm")(given)
        graph = deployed_graph(read(zoo.shake(keras.Model(given, x))))
        assert graph.layers["norm"].kind == "Affine"
        values = np.random.Generator(np.random.PCG64(0)).normal(0, 2, (50, *shape)).astype(np.float32)
        scale, offset = graph.layers["norm"].weights
        assert np.array_equal(rebuild(graph)(values), values * scale + offset)
        assert np.abs(np.asarray(build(graph)(values)) - values * scale - offset).max() <= 1e-6


def test_adapted_statistics_are_in_use():
    given = keras.Input((4,), name="given")
    layer = keras.layers.Normalization(name="norm")
    model = keras.Model(given, layer(given))
    values = np.random.Generator(np.random.PCG64(0)).normal(3, 2, (50, 4)).astype(np.float32)
    layer.adapt(values)
    made = rebuild(read(model))
    assert np.array_equal(made(values), model(values))
    assert not np.array_equal(made(values), values)
