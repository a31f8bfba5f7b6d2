"""Which tensors share a range."""

from __future__ import annotations

import keras
import pytest
from keras import layers as L

import zoo
from dltk.quantization.shared_ranges import native_loops, shared_ranges
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


def found(model):
    return shared_ranges(deployed_graph(read(model)))


def test_pool_reshape_and_concatenate_keep_the_range_of_their_inputs():
    one, two = keras.Input((4, 4, 2), name="one"), keras.Input((2, 2, 2), name="two")
    x = L.Concatenate(name="joined")([L.MaxPooling2D(2, name="pool")(one), two])
    result = found(keras.Model([one, two], L.Flatten(name="flat")(x)))
    assert set(result.group.values()) == {"one"}
    assert set(result.members()["one"]) == {"one", "two", "pool", "joined", "flat"}


def test_a_relu_hides_what_it_is_fused_with():
    result = found(zoo.resnet())
    hidden = result.hidden
    assert hidden
    assert all(name.startswith(("conv2d", "add")) for name in hidden)
    assert not hidden.intersection(result.group)


def test_a_tensor_that_something_else_reads_is_not_hidden():
    image = keras.Input((4, 4, 2), name="image")
    x = L.Conv2D(2, 1, name="conv")(image)
    result = found(keras.Model(image, L.Add(name="sum")([x, L.ReLU(name="relu")(x)])))
    assert "conv" not in result.hidden


@pytest.mark.parametrize(
    ("activation", "limits"), [("softmax", (0, 255 / 256)), ("sigmoid", (0, 255 / 256)), ("tanh", (-1, 127 / 128))]
)
def test_formats_fix_the_range_of_some(activation, limits):
    row = keras.Input((4,), name="row")
    result = found(keras.Model(row, L.Dense(3, activation=activation, name="out")(row)))
    assert result.fixed == {"out": limits}


def test_a_joined_fixed_range_stays_fixed():
    row = keras.Input((4,), name="row")
    gate, plain = L.Dense(3, activation="sigmoid", name="gate")(row), L.Dense(3, name="plain")(row)
    result = found(keras.Model(row, L.Concatenate(name="joined")([gate, plain])))
    assert set(result.fixed) == {"gate"}
    assert result.group["joined"] == result.group["plain"] != result.group["gate"]


def test_layers_that_stay_float_say_why():
    reasons = found(zoo.causal()).floats
    assert reasons
    assert all(reasons.values())
    assert "layer_normalization" in " ".join(reasons)


@pytest.mark.parametrize(
    ("name", "crash"),
    [
        ("loops", "the GRU in this model"),
        ("masked", "loops that skip padding"),
        ("states", "loops that are given a state, or give theirs"),
        ("started", "loops that are given a state, or give theirs"),
    ],
)
def test_a_loop_that_cannot_be_calibrated_says_why(name, crash):
    reasons = found(zoo.MODELS[name]()).floats
    kinds = {"lstm", "bidirectional"}
    told = {why for layer, why in reasons.items() if layer.rpartition(".")[2].rstrip("_0123456789") in kinds}
    assert told == {f"recurrent: only TensorFlow's calibrator has ranges inside the loop, and it crashes on {crash}"}


@pytest.mark.parametrize(
    ("name", "native"), [("lstm", True), ("bidirectional", True), ("masked", False), ("states", False)]
)
def test_only_fused_loops_calibrate_natively(name, native):
    """TensorFlow's calibrator ends the process on others: those that skip padding, or start from a state."""
    assert bool(native_loops(deployed_graph(read(zoo.MODELS[name]())))) is native


@pytest.mark.parametrize("setting", [{"activation": "silu"}, {"recurrent_activation": "relu"}, {"use_bias": False}])
def test_the_calibrator_is_kept_from_lstms_that_are_loops(setting):
    """It ends the process on them; they and the LSTMs beside them stay float."""
    steps = keras.Input((6, 3))
    made = L.Concatenate()([L.LSTM(2)(steps), L.LSTM(2, **setting)(steps)])
    graph = deployed_graph(read(keras.Model(steps, L.Dense(2)(made))))
    assert native_loops(graph) == []
    assert native_loops(deployed_graph(read(zoo.lstm())))
