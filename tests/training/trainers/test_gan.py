"""The second trainer: the same harness, checkpoints and exact resume."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.models.backend import keras, tf
from dltk.recipe import Adversarial, Built, Fit, Phase
from dltk.training import run, trainer_class
from dltk.training.trainers import adversarial as losses
from dltk.training.weights import snapshot
from training import kit

SIGNATURE = Signature(
    "generate", "generator", (TensorSpec("latent", "float32", (None, 4), ("batch", "latent")),),
    (TensorSpec("image", "float32", (None, 12, 12, 3), ("batch", "height", "width", "channel")),),
    ({"op": "normal", "shape": [4]},), ({"op": "to_uint8", "multiply": 127.5, "add": 127.5},)
)  # fmt: skip
FIT = Fit(epochs=4, batch_size=32, learning_rate=2e-3, schedule="constant", average=0.9, clip_norm=10.0)


SPECTRAL = Adversarial(samples_every=2)
PENALTY = Adversarial(loss="wgan-gp", critic_steps=2)
NAMED = Adversarial(label_weight=1.0)


def _built(fit=FIT, spectral=False):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    noise, image = keras.Input((4,), name="latent"), keras.Input((12, 12, 3), name="image")
    x = layers.BatchNormalization()(layers.Dense(3 * 3 * 8)(noise))
    x = layers.Conv2DTranspose(3, 4, strides=4, activation="tanh", name="made")(layers.Reshape((3, 3, 8))(x))
    kept = layers.SpectralNormalization if spectral else (lambda layer: layer)
    y = layers.Dropout(0.2)(layers.LeakyReLU(0.2)(kept(layers.Conv2D(6, 4, strides=2))(image)))
    judge = keras.Model(image, kept(layers.Dense(1))(layers.Flatten()(y)))
    return Built(keras.Model(noise, x), (Phase("fit", fit),), parts={"discriminator": judge})


def _trainer(fit=FIT, adversarial=None):
    built, settings = _built(fit, adversarial == SPECTRAL), SimpleNamespace(seed=2, adversarial=adversarial)
    (made,) = trainer_class("gan").phases(built, kit.dataset(), SIGNATURE, settings)
    return made


def test_the_generator_learns_the_brightness_of_the_images(tmp_path):
    """Untrained, tanh is 0 on average; the images lie around 115 of 255, with every channel alike."""
    trainer = _trainer(Fit(epochs=12, batch_size=16, learning_rate=5e-3, schedule="constant"))
    history = run(trainer, checkpoint=tmp_path / "fit.npz")
    assert {"loss", "discriminator_loss", "generator_loss", "validation_loss"} <= set(history[1])
    real = kit.dataset().train.store.std()
    made = np.asarray(trainer._models[0](np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)))
    assert (made * 127.5).std() == pytest.approx(real, rel=0.6)  # untrained it is a fifth of the images' spread
    assert all(np.isfinite(row["validation_loss"]) for row in history)


@pytest.mark.parametrize("adversarial", [None, SPECTRAL, PENALTY, NAMED])
def test_resume_is_exact(tmp_path, adversarial):
    """Spectral norms too: their vectors are variables. With a penalty the generator's turn does not start anew."""
    whole, stopped, resumed = (_trainer(adversarial=adversarial) for _ in range(3))
    run(whole, checkpoint=tmp_path / "whole.npz")
    stopped.done = lambda history: len(history) == 3
    run(stopped, checkpoint=tmp_path / "fit.npz")
    run(resumed, checkpoint=tmp_path / "fit.npz", resume=True)
    for one, other in zip(whole._models, resumed._models, strict=True):
        assert kit.same(kit.weights(one), kit.weights(other))


def test_a_spectral_norm_keeps_every_layer_at_slope_one(tmp_path):
    """Power iteration has had 12 steps of one turn each when it is held against the largest singular value."""
    made = _trainer(adversarial=SPECTRAL)
    run(made, checkpoint=tmp_path / "fit.npz")
    vectors = [variable for variable in made._models[1].variables if variable.path.endswith("vector_u")]
    assert len(vectors) == 2
    assert {name for name in made.state() if name.startswith("discriminator/")} >= {"discriminator/0000"}
    for layer in made._models[1].layers:
        if type(layer).__name__ == "SpectralNormalization":
            layer(tf.zeros((1, *layer.input.shape[1:])), training=True)
            (kernel,) = snapshot([layer.layer.kernel])
            assert np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2) == pytest.approx(1, rel=0.1)


def test_with_a_penalty_the_sides_take_turns(tmp_path):
    made = _trainer(adversarial=PENALTY)
    moves = [batch.moves for epoch in range(2) for batch in made.batches(epoch)]
    assert moves == [bool(number % 2) for number in range(len(moves))]
    before = kit.weights(made._models[0])
    first, second = list(made.batches(0))[:2]
    figures = made.step(first)
    trained = len(made._models[0].trainable_variables)
    assert kit.same(before[:2], kit.weights(made._models[0])[:2])
    assert np.isfinite(float(figures["loss"]))
    made.step(second)
    assert not kit.same(before[:trained], kit.weights(made._models[0])[:trained])


def test_a_discriminator_of_slope_one_pays_no_penalty():
    """The mean of all values, times the root of their number, has a gradient of length 1 everywhere."""
    noise = np.random.default_rng(0).standard_normal((2, 5, 4)).astype(np.float32)
    reals, fakes = np.zeros((5, 2, 2, 1), np.float32), np.ones((5, 2, 2, 1), np.float32)

    def judge(steepness):
        return lambda images: steepness * tf.reduce_mean(images, axis=[1, 2, 3]) * 2.0

    assert float(losses.gradient_penalty(judge(1.0), tf.constant(reals), fakes, noise)) == pytest.approx(0, abs=1e-6)
    assert float(losses.gradient_penalty(judge(3.0), tf.constant(reals), fakes, noise)) == pytest.approx(4, abs=1e-4)


def test_images_of_one_class_each_and_all_classes_leave_the_least_doubt():
    """Entropy of the batch's mean, at most log(3), less the mean entropy of an image's classes."""
    sure = 50.0 * np.eye(3, dtype=np.float32)
    assert float(losses.class_uncertainty(tf.constant(sure))) == pytest.approx(-np.log(3), abs=1e-5)
    assert float(losses.class_uncertainty(tf.constant(sure[[0, 0, 0]]))) == pytest.approx(0, abs=1e-5)
    assert float(losses.class_uncertainty(tf.zeros((3, 3)))) == pytest.approx(0, abs=1e-5)


def test_the_discriminator_learns_the_classes_where_they_weigh(tmp_path):
    made = _trainer(Fit(epochs=12, batch_size=16, learning_rate=5e-3, schedule="constant"), NAMED)
    run(made, checkpoint=tmp_path / "fit.npz")
    split = kit.dataset().train
    _, logits = made._discriminate(made._scaled(split.take(slice(None))), training=False)
    assert (np.asarray(logits).argmax(axis=-1) == split.targets).mean() > 0.8
    assert len(_trainer()._models[1].outputs) == 1


def test_grids_are_shown_and_change_nothing(tmp_path):
    shown, hidden = _trainer(adversarial=SPECTRAL), _trainer(adversarial=SPECTRAL)
    run(shown, checkpoint=tmp_path / "shown.npz", samples=tmp_path / "samples")
    run(hidden, checkpoint=tmp_path / "hidden.npz")
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["0002.png", "0004.png"]
    with Image.open(tmp_path / "samples" / "0004.png") as picture:
        assert picture.size == (8 * 12, 8 * 12)
    assert kit.same(kit.weights(shown._models[0]), kit.weights(hidden._models[0]))


def test_averaged_weights_get_statistics_of_their_own(tmp_path):
    """Inference of the finished generator is near what its batch norm gives of a large batch, as in training."""
    made = _trainer()
    run(made, checkpoint=tmp_path / "fit.npz")
    noise = np.random.default_rng(5).standard_normal((2000, 4)).astype(np.float32)
    model = made._models[0]
    asleep, awake = (model(noise, training=training).numpy() for training in (False, True))
    # 32 batches of 32: a standard error of 1/32 of a deviation in each mean
    assert np.abs(asleep - awake).mean() < 0.05


def test_what_does_not_fit_is_refused(tmp_path):
    built = _built()
    settings = SimpleNamespace(seed=2)
    with pytest.raises(InputError, match="must give a part 'discriminator'"):
        next(trainer_class("gan").phases(Built(built.model, built.phases), kit.dataset(), SIGNATURE, settings))
    other = Signature.from_dict({**_plain(SIGNATURE), "outputs": [_image(8)]}, "test")
    with pytest.raises(InputError, match=r"images: must have the generator's shape \(8, 8, 3\)"):
        next(trainer_class("gan").phases(built, kit.dataset(), other, settings))


def _plain(signature):
    import json

    return json.loads(json.dumps(signature.as_dict()))


def _image(side):
    axes = ["batch", "height", "width", "channel"]
    return {"name": "image", "dtype": "float32", "shape": [None, side, side, 3], "axes": axes, "value_range": None}
