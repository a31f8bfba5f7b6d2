"""One kernel for batch norm computes what Keras' own steps do, and leaves nothing behind."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as L

from dltk.training.norms import fused_norms
from dltk.twin.build import build
from dltk.twin.read import read


def _model(**settings):
    """A batch norm at each depth of nesting, and one that sees no picture."""
    keras.utils.set_random_seed(0)
    inner_in = keras.Input((8, 8, 4))
    inner = keras.Model(inner_in, L.BatchNormalization(**settings)(L.Conv2D(4, 3)(inner_in)))
    image = keras.Input((8, 8, 3))
    x = inner(L.BatchNormalization(**settings)(L.Conv2D(4, 3, padding="same")(image)))
    x = L.BatchNormalization()(L.Flatten()(x))
    return keras.Model(image, L.Dense(2)(x))


def _step(model, x):
    with tf.GradientTape() as tape:
        y = model(x, training=True)
        loss = tf.reduce_mean(tf.square(y - 1.0))
    return y, tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("settings", [{}, {"scale": False, "epsilon": 1e-5}, {"center": False}, {"trainable": False}])
@pytest.mark.parametrize("form", ["keras", "twin"])
def test_one_kernel_computes_the_same(settings, form):
    """To 1e-4 of the largest: float32 sums of 512 values, in another order, through three norms."""
    x = np.random.default_rng(1).normal(0.5, 2.0, (8, 8, 8, 3)).astype(np.float32)
    found = []
    for fused in (False, True):
        model = _model(**settings)
        if form == "twin":
            model = build(read(model))
        if fused:
            with fused_norms(model):
                y, gradients = tf.function(lambda x, model=model: _step(model, x))(tf.constant(x))
        else:
            y, gradients = tf.function(lambda x, model=model: _step(model, x))(tf.constant(x))
        found.append([y, *gradients, *model.non_trainable_variables])
    for plain, one in zip(*found, strict=True):
        plain, one = np.asarray(plain), np.asarray(one)
        assert np.abs(plain - one).max() <= 1e-4 * max(1.0, np.abs(plain).max())


def test_the_layers_are_as_before_afterwards():
    model = _model()
    before = model(np.ones((2, 8, 8, 3), np.float32)).numpy()
    with fused_norms(model):
        norms = [layer for layer in model._flatten_layers() if "call" in vars(layer)]
        assert len(norms) == 3
    assert not [layer for layer in model._flatten_layers() if "call" in vars(layer)]
    assert (model(np.ones((2, 8, 8, 3), np.float32)).numpy() == before).all()
