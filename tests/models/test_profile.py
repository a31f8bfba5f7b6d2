"""What layers cost, against counts by hand."""

from __future__ import annotations

import json

import pytest

from dltk.models.profile import profile


@pytest.fixture(scope="module")
def layers():
    from keras import layers

    return layers


def costs(*stack, shape):
    import keras

    return profile(keras.Sequential([keras.Input(shape), *stack]))


def test_a_small_convnet_by_hand(layers):
    found = costs(
        layers.Conv2D(4, 3, strides=2, padding="same", name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise"),
        layers.SeparableConv2D(8, 3, padding="valid", name="separable"),
        layers.Conv2DTranspose(2, 2, strides=2, name="up"),
        layers.Flatten(name="flat"),
        layers.Dense(10, name="dense"),
        shape=(8, 8, 3),
    )
    assert {each.name: each.macs for each in found.layers} == {
        "conv": 4 * 4 * (3 * 3 * 3 * 4),  # 16 places, a kernel of 108
        "norm": 0,
        "relu": 0,
        "depthwise": 4 * 4 * (3 * 3 * 4),
        "separable": 2 * 2 * (3 * 3 * 4 + 4 * 8),
        "up": 2 * 2 * (2 * 2 * 8 * 2),  # every input place spreads a whole kernel
        "flat": 0,
        "dense": 4 * 4 * 2 * 10,
    }
    by_name = {each.name: each for each in found.layers}
    assert (by_name["conv"].weights, by_name["conv"].bits, by_name["conv"].bytes) == (112, 32, 448)
    assert by_name["norm"].weights == 16
    assert by_name["conv"].output_shape == (None, 4, 4, 4)
    assert found.weights == sum(each.weights for each in found.layers)
    assert found.macs == 1728 + 576 + 272 + 256 + 320
    assert found.uncounted == ()
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()


def test_sequences_by_hand(layers):
    found = costs(
        layers.Conv1D(6, 3, padding="causal", name="conv"),
        layers.LSTM(5, return_sequences=True, name="lstm"),
        layers.GRU(4, return_sequences=True, name="gru"),
        layers.Bidirectional(layers.SimpleRNN(3), name="both"),
        shape=(8, 2),
    )
    assert [each.macs for each in found.layers] == [
        8 * (3 * 2 * 6),
        8 * 4 * (6 * 5 + 5 * 5),
        8 * 3 * (5 * 4 + 4 * 4),
        8 * 2 * (4 * 3 + 3 * 3),
    ]


def test_attention_by_hand(layers):
    import keras

    queries, keys = keras.Input((8, 16)), keras.Input((6, 16))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(queries, keys)
    out = layers.EinsumDense("abc,cd->abd", (8, 5), name="einsum")(attended)
    found = profile(keras.Model([queries, keys], out))
    macs = {each.name: each.macs for each in found.layers}
    projection = 16 * (2 * 4)
    assert macs["attention"] == 8 * 2 * projection + 6 * 2 * projection + 2 * (2 * 8 * 6 * 4)
    assert macs["einsum"] == 8 * 16 * 5


def test_what_cannot_be_counted_is_named(layers):
    found = costs(layers.LSTM(3, name="open"), shape=(None, 2))
    assert found.layers[-1].macs is None
    assert found.uncounted == ("open",)


def test_mobilenet_v2_has_its_published_cost():
    from dltk.models.backbones.build import build_backbone

    found = profile(build_backbone("mobilenet-v2", input_shape=(224, 224, 3), weights="none").model)
    # Sandler et al. 2018 state 300 million with the classifier, which adds 1.28 million.
    assert found.macs == pytest.approx(299e6, rel=0.01)
    assert found.weights == 2_257_984
