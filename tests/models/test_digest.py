"""One digest of a model: whatever changes an output changes it, and nothing else does."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers as L
from keras import ops

import zoo
from dltk.models.digest import model_digest
from dltk.models.files.keras_file import open_keras
from dltk.models.files.save import keras_bytes
from dltk.training.features import Frozen
from dltk.twin.build import build
from dltk.twin.keras3 import copied
from dltk.twin.read import read

pytestmark = [
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
]

ONE_PROCESS = """
import keras
from keras import layers as L
from dltk.models.digest import model_digest
for _ in range({before}):  # Keras counts names up
    L.Conv2D(1, 1), L.Dense(1), L.Bidirectional(L.GRU(1))
keras.utils.set_random_seed(0)
image = keras.Input((6, 4))
x = L.Bidirectional(L.GRU(3, activation="relu"))(L.Dropout(0.5)(image))
print(model_digest(keras.Model(image, L.Dense(2, activation="tanh")(x))))
"""


def pair():
    return keras.Input((4,), name="a"), keras.Input((4,), name="b")


def both_dense(activation="relu"):
    """Two layers of equal weights over two inputs."""
    return [L.Dense(3, activation=activation, kernel_initializer="ones") for _ in range(2)]


def difference(order):
    one, other = pair()
    parts = [one, other] if order == "ab" else [other, one]
    return keras.Model([one, other], L.Subtract()(parts))


def operation(order):
    one, other = pair()
    return keras.Model([one, other], one - other if order == "ab" else other - one)


def nested(order):
    one, other = pair()
    return keras.Model([one, other], L.Dense(2, kernel_initializer="ones")(difference(order)([one, other])))


def crossed(order):
    """The inputs of a nested model turned round, or not."""
    one, other = pair()
    return keras.Model([one, other], difference("ab")([one, other] if order == "ab" else [other, one]))


def outputs(order):
    one, _ = pair()
    found = [L.ReLU()(one), L.Dense(4, kernel_initializer="ones")(one)]
    return keras.Model(one, found if order == "ab" else found[::-1])


def shared(order):
    """A layer that is called twice; the second result less the first, or the first less the second."""
    one, other = pair()
    layer = L.Dense(3, kernel_initializer="ones")
    first, second = layer(one), layer(other)
    return keras.Model([one, other], first - second if order == "ab" else second - first)


def twice(order):
    """A layer that is called once, or on its own result again."""
    one, _ = pair()
    layer = L.Dense(4, kernel_initializer="ones")
    return keras.Model(one, layer(one) if order == "ab" else layer(layer(one)))


def activation(order):
    one, _ = pair()
    return keras.Model(one, both_dense("relu" if order == "ab" else "tanh")[0](one))


def inside(order):
    """The activation of a layer within a wrapper."""
    series = keras.Input((5, 2))
    cell = L.GRU(3, activation="relu" if order == "ab" else "tanh", kernel_initializer="ones")
    return keras.Model(series, L.Bidirectional(cell)(series))


def argument(order):
    """What is no tensor among the arguments of a call."""
    one, _ = pair()
    return keras.Model(one, ops.softmax(one) if order == "ab" else ops.max(one, axis=-1, keepdims=True))


def part(order):
    """Which part of a tensor is read on."""
    one, _ = pair()
    return keras.Model(one, one[:, :2] if order == "ab" else one[:, 1:3])


def constants(order):
    """Two long lists of means that differ in the middle, where NumPy's own text leaves them out."""
    rows = keras.Input((3000,))
    mean = np.zeros(3000)
    mean[1500] = order == "ab"
    return keras.Model(rows, L.Normalization(mean=mean, variance=np.ones(3000))(rows))


KINDS = [
    difference, operation, nested, crossed, outputs, shared, twice, activation, inside, argument, part, constants,
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_an_output_changes_the_digest(kind):
    keras.utils.set_random_seed(0)
    first = kind("ab")
    second = kind("ba")
    for one, other in zip(first.weights, second.weights, strict=False):
        if one.shape == other.shape:
            other.assign(one)
    assert model_digest(first) != model_digest(second)
    assert Frozen(first).digest != Frozen(second).digest  # what features and teacher outputs are cached by


@pytest.mark.parametrize("kind", [difference, operation, nested, crossed, shared, activation])
def test_so_it_is_for_twins_and_graphs(kind):
    keras.utils.set_random_seed(0)
    graphs = [read(kind("ab")), read(kind("ba"))]
    assert len({graph.digest() for graph in graphs}) == 2
    twins = [build(graph) for graph in graphs]
    assert isinstance(twins[0], tf_keras.Model)
    assert len({model_digest(twin) for twin in twins}) == 2
    assert model_digest(build(graphs[0])) == model_digest(twins[0])


def test_a_weight_changes_the_digest():
    model = zoo.shake(zoo.many())
    before = model_digest(model)
    kernel = model.get_layer("points").kernel
    kernel.assign(kernel + 1e-6)
    assert model_digest(model) != before


@pytest.mark.parametrize("name", ["many", "states", "attention", "shared", "frames", "masked"])
def test_copies_and_files_have_the_same_digest(name, tmp_path):
    model = zoo.shake(zoo.MODELS[name]())
    (tmp_path / "model.keras").write_bytes(keras_bytes(model))
    opened = open_keras(tmp_path / "model.keras")
    assert model_digest(model) == model_digest(copied(model)) == model_digest(opened)


def test_neither_names_nor_the_order_of_building_count():
    def build_it(first):
        one, other = pair()
        layers = both_dense()
        made = {index: layers[index]((one, other)[index]) for index in first}
        return keras.Model([one, other], L.Concatenate()([made[0], made[1]]))

    assert model_digest(build_it((0, 1))) == model_digest(build_it((1, 0)))


def test_one_layer_twice_is_another_model_than_two_equal_layers():
    one, other = pair()
    layers = both_dense()
    two = keras.Model([one, other], L.Add()([layers[0](one), layers[1](other)]))
    same = keras.Model([one, other], L.Add()([layers[0](one), layers[0](other)]))
    assert model_digest(two) != model_digest(same)


def test_it_is_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", ONE_PROCESS.format(before=count)], capture_output=True, check=True
        ).stdout
        for count in (0, 7)
    }
    assert len(found) == 1
    assert len(found.pop().split()[-1]) == 64


class Less(keras.Model):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor, self.dense = factor, L.Dense(2, kernel_initializer="ones")

    def call(self, inputs):
        return self.dense(inputs[0] - inputs[1]) * self.factor


class More(Less):
    def call(self, inputs):
        return self.dense(inputs[1] - inputs[0]) * self.factor


def test_a_model_without_a_graph_is_known_by_code_attributes_and_weights():
    samples = [np.ones((1, 4), np.float32)] * 2

    def made(kind, *words):
        model = kind(*words)
        model(samples)
        return model

    base = model_digest(made(Less))
    assert base == model_digest(made(Less))
    assert base not in {model_digest(made(More)), model_digest(made(Less, 2.0))}
    changed = made(Less)
    changed.dense.kernel.assign(changed.dense.kernel * 2)
    assert base != model_digest(changed)
    assert len(model_digest(keras.Sequential([L.Dense(2)]))) == 64  # not built: it has no weights yet
