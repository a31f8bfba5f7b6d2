"""Which layers a name means."""

from __future__ import annotations

import keras
import pytest
from keras import layers as L

import zoo
from dltk.base.errors import InputError
from dltk.quantization.scheme import KEPT, float_layers
from dltk.quantization.shared_ranges import shared_ranges
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


@pytest.fixture(scope="module")
def graphs():
    inner = keras.Sequential([keras.Input((8, 8, 4)), L.Conv2D(4, 3, name="deep"), L.ReLU(name="cut")], name="body")
    image = keras.Input((8, 8, 3), name="image")
    x = L.BatchNormalization(name="norm")(L.Conv2D(4, 3, padding="same", name="stem")(image))
    x = L.ReLU(name="relu")(inner(x))
    x = L.SeparableConv2D(6, 3, activation="relu", name="separable")(x)
    x = L.Conv2D(6, 3, name="middle")(x)
    x = L.Conv2D(6, 1, name="after")(x)
    x = L.Flatten(name="flat")(x)
    model = read(keras.Model(image, L.Dense(3, activation="softmax", name="answer")(x)))
    return model, deployed_graph(model)


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("stem", {"stem"}),
        ("body.deep", {"body.deep"}),
        ("body", {"body.deep", "body.cut"}),
        ("separable", {"separable", "separable.depthwise", "separable.activation"}),
        ("separable.depthwise", {"separable.depthwise"}),
        ("answer", {"answer", "answer.activation"}),
    ],
)
def test_a_name_means_the_layer_with_its_parts(graphs, name, layers):
    assert float_layers([name], *graphs) == layers


def test_names_add_up(graphs):
    assert float_layers(["stem", "middle"], *graphs) == {"stem", "middle"}
    assert float_layers([], *graphs) == frozenset()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("steam", "names no layer of the model; received steam. Did you mean 'stem'"),
        ("flat", "must have weights"),
        ("norm", "folded into a neighbour"),
    ],
)
def test_what_cannot_be_kept_is_refused(graphs, name, rule):
    with pytest.raises(InputError, match=rule) as caught:
        float_layers([name], *graphs)
    assert caught.value.where == f"--step quantize:keep={name}"


def test_only_tensors_between_float_layers_need_no_range(graphs):
    _, graph = graphs
    found = shared_ranges(graph, float_layers(["stem", "separable", "middle", "answer"], *graphs))
    assert found.floats["middle"] == KEPT
    # The picture, which only the stem reads; inside the separable convolution, and between it and the next; the answer.
    assert found.free == {"image", "separable.depthwise", "separable", "answer.linear", "answer"}
    assert not shared_ranges(graph).free


def test_what_has_no_kernel_for_16_bits_stays_float():
    graph = deployed_graph(read(zoo.squeeze()))
    kinds = {graph.layers[name].kind for name in shared_ranges(graph, bits=16).floats}
    assert "Activation" in kinds  # hard-swish, silu
    assert not kinds & {"Conv2D", "Dense", "Conv2DTranspose", "DepthwiseConv2D"}
    assert not shared_ranges(graph).floats
