"""What a model that gives samples back is shown, and what is wanted of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.data.dataset import NoisySplit, Split
from dltk.edge.bundle.signature import Signature
from dltk.edge.input.noise import PIXELS
from dltk.models.backend import keras
from dltk.recipe import Augment, Built, Fit, Phase
from dltk.training import FitOptions, FitTrainer, run, trainer_class
from dltk.training.views.base import PLAIN
from dltk.training.views.factory import views_of
from training import kit

RESTORED = replace(kit.IMAGE, name="restored")
SIGNATURE = Signature("autoencode", "restore", (kit.IMAGE,), (RESTORED,), ({"op": "scale", "multiply": [1 / 255] * 3,
                      "add": [0.0] * 3},), ({"op": "to_uint8", "multiply": 255.0, "add": 0.0},))  # fmt: skip
NOISE = Augment(views=0, noise=0.2)
FIT = Fit(epochs=4, batch_size=32, learning_rate=1e-2)


def whole():
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((kit.SIDE, kit.SIDE, 3), name="image")
    code = layers.Dense(2, name="code")(layers.Flatten()(image))
    x = layers.Dense(kit.SIDE * kit.SIDE * 3, activation="sigmoid")(code)
    restored = layers.Reshape((kit.SIDE, kit.SIDE, 3), name="restored")(x)
    return keras.Model(image, restored), keras.Model(image, code)


def trainer(augment=NOISE, fit=FIT, dataset=None):
    return FitTrainer(whole()[0], dataset or kit.dataset(), SIGNATURE, fit, FitOptions(augment), seed=3)


def test_views_carry_noise_that_clean_ones_do_not():
    train, rows = kit.dataset().train, np.arange(20)
    views = views_of(train, replace(NOISE, flip=True), seed=1)
    shown, clean = views.take(rows, 3), views.clean(rows, 3)
    assert np.array_equal(clean, views_of(train, Augment(views=0, flip=True), seed=1).take(rows, 3))
    middle = (clean > 100) & (clean < 155)
    assert (shown[middle] - clean[middle].astype(float)).std() == pytest.approx(51, rel=0.1)
    assert np.array_equal(shown[5:9], views.take(rows[5:9], 3))
    assert not np.array_equal(shown, views.take(rows, 4))
    assert np.array_equal(views.take(rows, PLAIN), train.take(rows))
    assert views.key(3) != views.key(4)


def test_views_of_rows_are_noisy_in_the_measure_of_each_column():
    values = np.random.default_rng(0).normal(0, (1, 50), (3000, 2)).astype(np.float32)
    split = Split(values, np.arange(3000), np.zeros(3000, np.int64))
    views = views_of(split, replace(NOISE, flip=True), seed=0)  # a row cannot be mirrored
    found = views.take(np.arange(3000), 0) - values
    assert found.std(axis=0) == pytest.approx([0.2, 10.0], rel=0.05)
    assert (views.count, views.of_epoch(7)) == (0, 7)
    assert views_of(split, replace(NOISE, views=2), seed=0).of_epoch(7) == 1


def test_the_model_is_asked_for_the_clean_sample():
    made, data = trainer(), kit.dataset()
    batch = next(iter(made.batches(0)))
    order = made._feed.order(0)[:32]
    assert np.array_equal(batch.targets, data.train.take(order) * np.float32(1 / 255))
    assert np.abs(batch.inputs[0] - batch.targets).mean() > 0.05
    held_out = NoisySplit(data.validation.store, data.validation.rows, data.validation.targets, 0.2, 1, PIXELS)
    inputs, wanted = next(iter(trainer(dataset=replace(data, validation=held_out))._feed.validation()))
    assert np.array_equal(wanted, data.validation.take(slice(None)) * np.float32(1 / 255))
    assert np.abs(inputs[0] - wanted).mean() > 0.05


def test_it_learns_and_resumes_to_the_bit(tmp_path):
    undisturbed, stopped, resumed = trainer(), trainer(), trainer()
    history = run(undisturbed, checkpoint=tmp_path / "whole.npz")
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    stopped.done = lambda rows: len(rows) == 2
    run(stopped, checkpoint=tmp_path / "fit.npz")
    run(resumed, checkpoint=tmp_path / "fit.npz", resume=True)
    assert kit.same(kit.weights(undisturbed._learner), kit.weights(resumed._learner))


def test_an_encoder_learns_as_part_of_the_whole(tmp_path):
    model, encoder = whole()
    code = replace(kit.LOGITS, name="code", shape=(None, 2))
    signature = replace(SIGNATURE, family="embedding", outputs=(code,), postprocess=())
    before, settings = kit.weights(encoder), SimpleNamespace(seed=3, augment=NOISE)
    built = Built(encoder, (Phase("fit", FIT),), parts={"autoencoder": model})
    (made,) = trainer_class("autoencoder").phases(built, kit.dataset(), signature, settings)
    history = run(made, checkpoint=tmp_path / "fit.npz")
    assert history[-1]["loss"] < history[1]["loss"]
    assert not kit.same(before, kit.weights(encoder))
    with pytest.raises(InputError, match="part 'autoencoder'"):
        next(trainer_class("autoencoder").phases(replace(built, parts={}), kit.dataset(), signature, settings))
