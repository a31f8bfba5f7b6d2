"""Channels that are cut take nothing else with them: on what is left the model computes what it computed."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.compress.pruning.dependencies import dependency_graph
from dltk.compress.pruning.surgery import remove_channels
from dltk.models.backbones.build import build_backbone
from dltk.models.backbones.table import BACKBONES
from dltk.twin.keras3 import rebuild
from dltk.twin.read import read
from dltk.twin.table import ROWS

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")  # of Keras' own applications


def half(dependencies, seed=0):
    """Half of the channels of every group that may be cut, at random."""
    generator = np.random.Generator(np.random.PCG64(seed))
    kept = np.ones(dependencies.count, bool)
    for group in dependencies.groups:
        if not group.fixed:
            kept[generator.permutation(group.channel_ids)[: len(group.channel_ids) // 2]] = False
    return kept


def unread(graph, dependencies, kept):
    """`graph` with zeros where a layer reads a channel that goes: cutting must not be felt then."""
    layers = dict(graph.layers)
    for call in graph.calls:
        layer = layers[call.layer]
        axis = {"Dense": 0, "Conv2DTranspose": -1, "LSTM": 0}.get(layer.kind, -2)
        if layer.config.get("groups", 1) == 1 and layer.kind in {
            "Dense",
            "Conv1D",
            "Conv2D",
            "Conv2DTranspose",
            "SeparableConv2D",
            "LSTM",
            "GRU",
        }:
            kernel = np.moveaxis(layer.weights[0].copy(), axis, 0)
            kernel[~kept[dependencies.channels[call.inputs[0]]]] = 0
            weights = (np.moveaxis(kernel, 0, axis), *layer.weights[1:])
            layers[call.layer] = replace(layer, weights=weights)
    return replace(graph, layers=layers)


def outputs(model, values):
    found = model(values if len(values) > 1 else values[0], training=False)
    return [np.asarray(part) for part in (found if isinstance(found, (list, tuple)) else [found])]


def assert_cut_is_not_felt(model, values):
    """1e-5 of the largest output: sums are made in another order."""
    graph = read(model)
    dependencies = dependency_graph(graph)
    kept = half(dependencies)
    assert not kept.all()
    larger = unread(graph, dependencies, kept)
    smaller = rebuild(remove_channels(larger, dependencies, kept))
    assert smaller.count_params() < model.count_params()
    for a, b in zip(outputs(rebuild(larger), values), outputs(smaller, values), strict=True):
        assert np.ptp(a) > 0
        assert np.abs(a - b).max() <= 1e-5 * max(1.0, float(np.abs(a).max()))
    return dependencies, read(smaller)


def fixed(dependencies, layer):
    return next(group.fixed for group in dependencies.groups if layer in group.makers)


def mobile_v3():
    """Squeeze-and-excite with hard-swish, the gate made by a Reshape; a Conv2D with bias; a Dense behind Flatten."""
    image = keras.Input((16, 16, 3), name="image")
    x = L.Activation("hard_swish")(L.BatchNormalization()(L.Conv2D(8, 3, 2, padding="same", name="stem")(image)))
    y = L.Activation("hard_swish")(L.BatchNormalization()(L.Conv2D(24, 1, use_bias=False, name="expand")(x)))
    y = L.ReLU()(L.BatchNormalization()(L.DepthwiseConv2D(3, padding="same", use_bias=False, name="filter")(y)))
    gate = L.Reshape((1, 1, 24))(L.GlobalAveragePooling2D()(y))
    gate = L.Conv2D(8, 1, activation="relu", name="squeeze")(gate)
    gate = L.Activation("hard_sigmoid")(L.Conv2D(24, 1, name="excite")(gate))
    x = L.Add()([x, L.BatchNormalization()(L.Conv2D(8, 1, name="project")(L.Multiply()([y, gate])))])
    return keras.Model(image, L.Dense(4, name="logits")(L.Flatten()(x)))


def generator():
    """A Dense whose units become channels, and transposed convolutions."""
    noise = keras.Input((8,), name="noise")
    x = L.Reshape((4, 4, 12))(L.LeakyReLU()(L.BatchNormalization()(L.Dense(4 * 4 * 12, name="start")(noise))))
    x = L.PReLU(shared_axes=(1, 2))(L.Conv2DTranspose(8, 4, 2, padding="same", name="up")(x))
    return keras.Model(noise, L.Conv2DTranspose(3, 4, 2, padding="same", name="picture")(x))


def mixed():
    """An addition whose parts are a concatenation on one side; depthwise convolutions with a multiplier."""
    image = keras.Input((8, 8, 3), name="image")
    left, right, whole = (L.Conv2D(n, 3, name=name)(image) for n, name in ((4, "left"), (6, "right"), (10, "whole")))
    x = L.Maximum()([L.Concatenate()([left, right]), whole])
    x = L.PReLU()(L.DepthwiseConv2D(3, depth_multiplier=2, name="twice")(x))
    x = L.Conv2D(40, 3, groups=20, padding="same", name="alone")(x)
    x = L.Conv2D(4, 1, name="point")(x)
    rows = L.Concatenate(axis=1)([x, L.UpSampling2D((1, 1))(x)])
    return keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(rows)))


def series():
    """Tokens through Conv1D into a recurrent layer."""
    tokens = keras.Input((12,), dtype="int32", name="tokens")
    x = L.Embedding(20, 8, name="table")(tokens)
    x = L.MaxPooling1D()(L.ReLU()(L.BatchNormalization()(L.Conv1D(12, 3, padding="causal", name="conv")(x))))
    return keras.Model(tokens, L.Dense(4, name="logits")(L.LSTM(6, name="memory")(L.Conv1D(10, 1, name="last")(x))))


OWN = {"mobile_v3": mobile_v3, "generator": generator, "mixed": mixed, "series": series}
ZOO = ("resnet", "mobile", "squeeze", "dense_net", "many", "tabular", "sequence")


@pytest.mark.parametrize("name", [*OWN, *ZOO])
def test_a_cut_of_what_nobody_reads_is_not_felt(name):
    model = zoo.shake((OWN | dict(zoo.MODELS))[name]())
    assert_cut_is_not_felt(model, zoo.samples(model, 5))


@pytest.mark.parametrize("name", ["resnet", pytest.param("mobile", marks=pytest.mark.slow)])
def test_silent_filters_can_be_cut(name):
    """A filter whose kernel, gamma and beta are zero gives nothing, in whatever is coupled to it."""
    model = zoo.shake(zoo.MODELS[name]())
    graph = read(model)
    dependencies = dependency_graph(graph)
    kept, layers = half(dependencies), dict(graph.layers)
    for call in graph.calls:
        layer, gone = layers[call.layer], ~kept[dependencies.channels[call.outputs[0]]]
        if layer.kind == "BatchNormalization":
            gamma, beta, *rest = layer.weights
            layers[call.layer] = replace(layer, weights=(np.where(gone, 0, gamma), np.where(gone, 0, beta), *rest))
    silent = replace(graph, layers=layers)
    values = zoo.samples(model, 5)
    before, after = (
        outputs(rebuild(found), values)[0] for found in (silent, remove_channels(silent, dependencies, kept))
    )
    assert np.ptp(before) > 0
    assert np.abs(before - after).max() <= 1e-5 * max(1.0, float(np.abs(before).max()))


def test_what_is_added_goes_together():
    dependencies = dependency_graph(read(zoo.resnet()))
    first, *_, last = dependencies.groups
    assert len(first.makers) == 2  # the stem and the second convolution of the first block, behind an Add
    assert (last.makers, last.fixed) == (("logits",), "output of the model")
    assert all(not group.fixed for group in dependencies.groups[:-1])


def test_parts_of_a_concatenation_keep_their_places():
    dependencies = dependency_graph(read(mixed()))
    assert [(group.makers, len(group.channel_ids)) for group in dependencies.groups[:2]] == [
        (("left", "whole"), 4),
        (("right", "whole"), 6),
    ]


def test_a_layer_used_twice_ties_what_it_reads():
    """`shared` adds to the image itself: what the convolution makes must stay."""
    model = zoo.shared()
    assert {fixed(dependency_graph(read(model)), layer.name) for layer in model.layers if "conv" in layer.name} == {
        "input of the model"
    }
    image = keras.Input((8, 8, 3), name="image")
    norm, reader = L.BatchNormalization(), L.Conv2D(6, 1, name="reader")
    parts = [reader(norm(L.Conv2D(8, 3, name=name)(image))) for name in ("one", "two")]
    twice = zoo.shake(keras.Model(image, L.Dense(2)(L.Flatten()(L.Concatenate()(parts)))))
    dependencies, _ = assert_cut_is_not_felt(twice, zoo.samples(twice, 5))
    assert [group.makers for group in dependencies.groups][:2] == [("two", "one"), ("reader",)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda x: L.Conv2D(8, 3, groups=2, name="odd")(x), "grouped convolution"),
        (lambda x: L.Softmax(name="odd")(x), "no rule"),
        (lambda x: L.Activation("softmax", name="odd")(x), "softmax"),
        (lambda x: L.BatchNormalization(axis=1, name="odd")(x), "another axis"),
        (lambda x: L.LayerNormalization(axis=(1, 2), name="odd")(x), "another axis"),
        (lambda x: L.Permute((3, 1, 2), name="odd")(x), "moves the channels"),
        (lambda x: L.Reshape((4, 9, 8), name="odd")(L.Permute((1, 3, 2), name="turn")(x)), "moves the channels"),
        (lambda x: L.Reshape((24, 12), name="odd")(x), "tears channels apart"),
        (lambda x: L.Rescaling([0.5] * 8, name="odd")(x), "by its settings"),
        (lambda x: keras.ops.mean(x, axis=-1, keepdims=True), "mean over the channels"),
        (lambda x: x * np.arange(8, dtype="float32"), "with an array"),
        (lambda x: L.TimeDistributed(L.Dense(3), name="odd")(x), "no rule"),
    ],
)
def test_what_cannot_be_followed_is_left_whole(make, reason):
    image = keras.Input((8, 8, 3), name="image")
    x = L.Conv2D(8, 3, name="before")(image)
    model = zoo.shake(keras.Model(image, L.Dense(2, name="logits")(L.Flatten()(make(x)))))
    graph = read(model)
    dependencies = dependency_graph(graph)
    assert reason in fixed(dependencies, "before")
    same = remove_channels(graph, dependencies, half(dependencies))
    assert same.layers["before"].weights[0].shape == graph.layers["before"].weights[0].shape
    assert rebuild(same)(zoo.samples(model, 2)[0]).shape == (2, 2)


def test_recurrent_units_stay_and_layers_may_be_kept():
    dependencies = dependency_graph(read(series()), keep=["conv"])
    assert fixed(dependencies, "memory").startswith("recurrent")
    assert fixed(dependencies, "conv").startswith("kept by")
    assert fixed(dependencies, "last") == fixed(dependencies, "table") == ""


def test_every_row_has_a_rule():
    assert {found.channels for found in ROWS.values()} == {
        "make", "read", "pass", "couple", "concat", "reshape", "fixed"
    }  # fmt: skip
    assert all(
        found.channels in ("make", "read", "pass", "fixed") for found in ROWS.values() if found.kernel is not None
    )


@pytest.mark.parametrize("name", sorted({*zoo.MODELS} - {*ZOO}))
def test_every_model_can_be_analysed_and_run(name):
    model = zoo.shake(zoo.MODELS[name]())
    graph = read(model)
    dependencies = dependency_graph(graph)
    smaller = rebuild(remove_channels(graph, dependencies, half(dependencies)))
    for a, b in zip(model.outputs, outputs(smaller, zoo.samples(model, 2)), strict=True):
        assert b.shape == (2, *a.shape[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_can_be_cut_in_half(name):
    spec = BACKBONES[name]
    size = max(32, spec.min_size)
    built = build_backbone(name, input_shape=(size, size, 3), weights="none", alpha=spec.alphas[0])
    model = zoo.shake(keras.Model(built.inputs, L.Dense(4, name="logits")(built.features)))
    graph = read(model)
    dependencies = dependency_graph(graph)
    open_groups = [group for group in dependencies.groups if not group.fixed]
    assert len(open_groups) > 10
    smaller = rebuild(remove_channels(graph, dependencies, half(dependencies)))
    assert smaller.count_params() < 0.45 * model.count_params()
    values = np.random.Generator(np.random.PCG64(2)).uniform(-1, 1, (2, size, size, 3)).astype("float32")
    assert np.isfinite(np.asarray(smaller(values))).all()
