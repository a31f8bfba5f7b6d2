"""The second trainer: the same harness, checkpoints and exact resume."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.signature import Signature, TensorSpec
from dltk.recipe import Built, Fit, Phase
from dltk.training import run, trainers
from dltk.training.backend import keras
from training import kit

SIGNATURE = Signature(
    "generate", "generator", (TensorSpec("latent", "float32", (None, 4), ("batch", "latent")),),
    (TensorSpec("image", "float32", (None, 12, 12, 3), ("batch", "height", "width", "channel")),),
    ({"op": "normal", "shape": [4]},), ({"op": "to_uint8", "multiply": 127.5, "add": 127.5},)
)  # fmt: skip
FIT = Fit(epochs=4, batch_size=32, learning_rate=2e-3, schedule="constant", average=0.9, clip_norm=10.0)


def _built(fit=FIT):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    noise, image = keras.Input((4,), name="latent"), keras.Input((12, 12, 3), name="image")
    x = layers.BatchNormalization()(layers.Dense(3 * 3 * 8)(noise))
    x = layers.Conv2DTranspose(3, 4, strides=4, activation="tanh", name="made")(layers.Reshape((3, 3, 8))(x))
    y = layers.Dropout(0.2)(layers.LeakyReLU(0.2)(layers.Conv2D(6, 4, strides=2)(image)))
    judge = keras.Model(image, layers.Dense(1)(layers.Flatten()(y)))
    return Built(keras.Model(noise, x), (Phase("fit", fit),), parts={"discriminator": judge})


def _trainer(fit=FIT):
    (made,) = trainers("gan")(_built(fit), kit.dataset(), SIGNATURE, SimpleNamespace(seed=2))
    return made


def test_the_generator_learns_the_brightness_of_the_images(tmp_path):
    """Untrained, tanh is 0 on average; the images lie around 115 of 255, with every channel alike."""
    trainer = _trainer(Fit(epochs=12, batch_size=16, learning_rate=5e-3, schedule="constant"))
    history = run(trainer, checkpoint=tmp_path / "fit.npz")
    assert {"loss", "discriminator_loss", "generator_loss", "validation_loss"} <= set(history[0])
    real = kit.dataset().train.store.std()
    made = np.asarray(trainer._models[0](np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)))
    assert (made * 127.5).std() == pytest.approx(real, rel=0.6)  # untrained it is a fifth of the images' spread
    assert all(np.isfinite(row["validation_loss"]) for row in history)


def test_resume_is_exact(tmp_path):
    whole, stopped, resumed = _trainer(), _trainer(), _trainer()
    run(whole, checkpoint=tmp_path / "whole.npz")
    stopped.done = lambda history: len(history) == 2
    run(stopped, checkpoint=tmp_path / "fit.npz")
    run(resumed, checkpoint=tmp_path / "fit.npz", resume=True)
    for one, other in zip(whole._models, resumed._models, strict=True):
        assert kit.same(kit.weights(one), kit.weights(other))


def test_what_does_not_fit_is_refused(tmp_path):
    built = _built()
    settings = SimpleNamespace(seed=2)
    with pytest.raises(InputError, match="must give a part 'discriminator'"):
        next(trainers("gan")(Built(built.model, built.phases), kit.dataset(), SIGNATURE, settings))
    other = Signature.from_dict({**_plain(SIGNATURE), "outputs": [_image(8)]}, "test")
    with pytest.raises(InputError, match=r"images: must have the generator's shape \(8, 8, 3\)"):
        next(trainers("gan")(built, kit.dataset(), other, settings))


def _plain(signature):
    import json

    return json.loads(json.dumps(signature.as_dict()))


def _image(side):
    axes = ["batch", "height", "width", "channel"]
    return {"name": "image", "dtype": "float32", "shape": [None, side, side, 3], "axes": axes, "value_range": None}
