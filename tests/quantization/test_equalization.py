"""Equalized channels compute the same behind every activation that cuts, on samples that set no factor too."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.quantization.equalization import channel_factors, with_channel_factors
from dltk.quantization.observers import observe_tensors
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph

# name -> the activation between two convolutions, and whether channels may be raised in front of it
BETWEEN = {
    "relu6": (lambda: L.ReLU(6.0), True),
    "relu6 by name": (lambda: L.Activation("relu6"), True),
    "bound of 2": (lambda: L.ReLU(2.0), True),
    "bound of 20": (lambda: L.ReLU(20.0), True),
    "leaky below, bound above": (lambda: L.ReLU(6.0, negative_slope=0.2), True),
    "relu": (lambda: L.ReLU(), True),
    "threshold": (lambda: L.ReLU(6.0, threshold=0.5), False),
    "hard sigmoid": (lambda: L.Activation("hard_sigmoid"), False),
    "hard swish": (lambda: L.Activation("hard_swish"), False),
    "tanh": (lambda: L.Activation("tanh"), False),
}


def spread(model, seed: int = 5) -> None:
    """Channels of very unlike size: the maxima of some pass the bound, of some are close to it, of some far below."""
    generator = np.random.Generator(np.random.PCG64(seed))
    for layer in model.layers:
        if not isinstance(layer, L.Conv2D | L.DepthwiseConv2D):
            continue
        kernel, *biases = layer.get_weights()
        depthwise = isinstance(layer, L.DepthwiseConv2D)
        factor = np.exp2(generator.integers(-4, 4, kernel.shape[-2 if depthwise else -1])).astype(np.float32)
        layer.set_weights([kernel * factor[..., None] if depthwise else kernel * factor, *(b * factor for b in biases)])


def outputs(graph, tensors):
    return np.concatenate([found[0] for found in observe_tensors(graph, graph.outputs, tensors, list)])


def check(model, *, raised: bool) -> None:
    graph = deployed_graph(read(model))
    few, more = (zoo.feeds(model, zoo.samples(model, count, seed=seed)) for count, seed in ((20, 1), (60, 2)))
    factors = channel_factors(graph, few)
    assert bool(factors) == raised
    moved = with_channel_factors(graph, factors)
    for tensors in (few, more):
        before, after = outputs(graph, tensors), outputs(moved, tensors)
        assert np.abs(before).max() > 0.01
        # Powers of two change no bit but exponents; sums over channels of other scales round otherwise.
        assert np.abs(before - after).max() <= 1e-6 * max(1.0, np.abs(before).max())


@pytest.mark.parametrize("name", BETWEEN)
@pytest.mark.parametrize("reader", ["depthwise", "convolution"])
def test_the_function_stays_behind_an_activation_that_cuts(name, reader):
    activation, raised = BETWEEN[name]
    image = keras.Input((12, 12, 3), name="image")
    x = activation()(L.Conv2D(16, 3)(image))
    x = L.DepthwiseConv2D(3)(x) if reader == "depthwise" else L.Conv2D(8, 3)(x)
    model = zoo.shake(keras.Model(image, L.Dense(4)(L.GlobalAveragePooling2D()(activation()(x)))))
    spread(model)
    check(model, raised=raised)


def test_the_function_stays_through_blocks_as_of_mobilenet():
    """Expansion, depthwise, projection, residual sum, padding before a stride: bounds on most tensors."""
    image = keras.Input((16, 16, 3), name="image")
    x = L.ReLU(6.0)(L.Conv2D(12, 3, padding="same")(image))
    for stride in (1, 2):
        short = x
        x = L.ReLU(6.0)(L.Conv2D(24, 1)(x))
        x = L.ZeroPadding2D(((0, 1), (0, 1)))(x) if stride == 2 else x
        x = L.ReLU(6.0)(L.DepthwiseConv2D(3, stride, padding="valid" if stride == 2 else "same")(x))
        x = L.Conv2D(12, 1)(x)
        x = L.Add()([x, short]) if stride == 1 else x
    model = zoo.shake(keras.Model(image, L.Dense(4)(L.GlobalAveragePooling2D()(L.ReLU(6.0)(x)))))
    spread(model)
    check(model, raised=True)
