"""Whose statistics batch norms hold: those of the data, or those of the data before."""

from __future__ import annotations

import numpy as np
import pytest

import small
from dltk.compress.norms import freeze_norms, reestimate, statistics_match

pytestmark = small.QUIET


@pytest.fixture(scope="module")
def given(trained, tmp_path_factory):
    from dltk.training.features import model_inputs

    bench = small.bench(trained.path, tmp_path_factory.mktemp("norms") / "step.npz")
    return bench.source, model_inputs(bench.source, bench.calibration(50), bench.signature)


def copied(model, change):
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if type(layer).__name__ == "BatchNormalization":
            change(layer)
    return copy


def foreign(layer):
    """As if the layer had been trained on other samples: a mean that these never have, the bias made up for it."""
    gamma, beta, mean, variance = layer.get_weights()
    moved = mean + 3 * np.sqrt(variance)
    layer.set_weights([gamma, beta + gamma * (moved - mean) / np.sqrt(variance + layer.epsilon), moved, variance])


def test_norms_trained_on_the_data_hold_its_statistics(given):
    assert statistics_match(*given, seed=0)


def test_norms_of_other_data_do_not(given):
    model, tensors = given
    other = copied(model, foreign)
    alike = np.abs(model.predict(tensors[0], verbose=0) - other.predict(tensors[0], verbose=0)).max()
    assert alike < 1e-3, "the same function, to float32 rounding over a dozen layers, with other statistics inside"
    assert not statistics_match(other, tensors, seed=0)


def test_the_model_that_is_asked_about_is_untouched(given):
    model, tensors = given
    before = [value.copy() for value in model.get_weights()]
    statistics_match(model, tensors, seed=0)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_settling_measures_the_statistics_of_the_samples(given):
    """The first norm sees the first convolution's outputs: their mean is what it must hold."""
    import keras

    model, tensors = given
    copy = copied(model, foreign)
    reestimate(copy, tensors, seed=0)
    first = next(layer for layer in copy.layers if type(layer).__name__ == "BatchNormalization")
    seen = keras.Model(copy.inputs, first.input).predict(tensors[0], verbose=0)
    wanted = seen.reshape(-1, seen.shape[-1]).mean(0)
    assert np.allclose(first.get_weights()[2], wanted, atol=1e-4 * np.abs(wanted).max())  # float32 means of means


def test_frozen_norms_compute_as_in_use(given):
    model, tensors = given
    copy = copied(model, lambda layer: None)
    freeze_norms(copy)
    training, use = (np.asarray(copy(tensors[0], training=training)) for training in (True, False))
    assert np.allclose(training, use, atol=1e-5 * np.abs(use).max())
