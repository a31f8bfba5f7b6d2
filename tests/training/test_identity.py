"""Models that differ in nothing but their wiring share no cache and no checkpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.models.backend import keras
from dltk.recipe import Built, Fit, Phase
from dltk.training import FitOptions, FitTrainer, cached_teacher, run, trainer_class
from dltk.training.features import Frozen, cached_outputs
from dltk.training.hints import Hints
from training import kit
from training.trainers.test_gan import SIGNATURE as NOISE_TO_IMAGE

L = keras.layers
FIT = Fit(epochs=1, batch_size=32)
FACTS = "must come from the same model, starting weights, data and settings. Give another --run."


def classifier(kind: str = "ab"):
    """A model of the kit's images; with equal seeds all kinds have equal weights, of equal names and shapes."""
    keras.utils.set_random_seed(1)
    image = keras.Input((kit.SIDE, kit.SIDE, 3), name="image")
    x = L.Conv2D(4, 3, activation="tanh" if kind == "tanh" else "relu", name="conv")(image)
    one, other = L.GlobalAveragePooling2D(name="mean")(x), L.GlobalMaxPooling2D(name="most")(x)
    joined = L.Subtract(name="less")([other, one] if kind == "ba" else [one, other])
    return keras.Model(image, L.Dense(3, name="logits")(L.Dropout(0.2, name="dropout")(joined)))


def refuses(path, one, other):
    """That `other` is not resumed from a checkpoint of `one`, and `one` is."""
    run(one(), checkpoint=path)
    run(one(), checkpoint=path, resume=True)
    with pytest.raises(InputError, match=re.escape(FACTS)):
        run(other(), checkpoint=path, resume=True)


def fit(model, **more):
    return FitTrainer(model, kit.dataset(), kit.SIGNATURE, FIT, seed=3, options=FitOptions(**more))


@pytest.mark.parametrize("kind", ["ba", "tanh"])
def test_the_weights_are_equal(kind):
    assert kit.same(kit.weights(classifier()), kit.weights(classifier(kind)))


@pytest.mark.parametrize("kind", ["ba", "tanh"])
@pytest.mark.parametrize("cut", [None, "conv", "less"])
def test_a_checkpoint_of_another_wiring_is_refused(tmp_path, kind, cut):
    """Whether the difference is in what is trained, or in the frozen part before it."""
    path = tmp_path / "fit.npz"
    refuses(path, *(lambda kind=kind: fit(classifier(kind), frozen_through=cut) for kind in ("ab", kind)))


def test_a_checkpoint_of_other_starting_weights_is_refused(tmp_path):
    def other():
        model = classifier()
        model.get_layer("conv").kernel.assign(model.get_layer("conv").kernel * 2)
        return fit(model)

    refuses(tmp_path / "fit.npz", lambda: fit(classifier()), other)


def test_a_checkpoint_of_another_teacher_is_refused(tmp_path):
    def taught(kind):
        teacher = cached_teacher(classifier(kind), kit.dataset(), kit.SIGNATURE, seed=3)
        return lambda: fit(kit.model(), teacher=teacher)

    refuses(tmp_path / "fit.npz", taught("ab"), taught("tanh"))


def test_a_checkpoint_of_another_teachers_features_is_refused(tmp_path):
    def followed(kind):
        def made():
            model = kit.model()
            return fit(model, hints=Hints(classifier(kind), model, ["conv"], ["cut"], weight=1.0, seed=0))

        return made

    refuses(tmp_path / "fit.npz", followed("ab"), followed("tanh"))


def gan(kind: str = "ab", judge: str = "relu"):
    keras.utils.set_random_seed(0)
    noise, image = keras.Input((4,), name="latent"), keras.Input((12, 12, 3), name="image")
    x, y = (L.Dense(12 * 12 * 3, activation="tanh")(noise) for _ in range(2))
    x = L.Subtract()([y, x] if kind == "ba" else [x, y])
    score = L.Dense(1)(L.Flatten()(L.Conv2D(2, 4, strides=4, activation=judge)(image)))
    made = keras.Model(noise, L.Reshape((12, 12, 3), name="made")(x))
    built = Built(made, (Phase("fit", FIT),), parts={"discriminator": keras.Model(image, score)})
    settings = SimpleNamespace(seed=2, adversarial=None)
    return next(iter(trainer_class("gan").phases(built, kit.dataset(), NOISE_TO_IMAGE, settings)))


@pytest.mark.parametrize("other", [("ba", "relu"), ("ab", "tanh")])
def test_a_checkpoint_of_another_generator_or_discriminator_is_refused(tmp_path, other):
    refuses(tmp_path / "fit.npz", gan, lambda: gan(*other))


@pytest.mark.parametrize("kind", ["ba", "tanh"])
def test_a_checkpoint_of_another_network_that_plays_is_refused(tmp_path, kind):
    pytest.importorskip("gymnasium", reason="comes with the extra control")
    corridors = pytest.importorskip("training.corridors")
    from dltk import tasks

    asked, task = corridors.settings(replace(corridors.DQN, play=20, updates=5)), tasks.task("control")
    dataset = task.prepare(asked, corridors.NAME, progress=SILENT)

    def made(kind="ab"):
        keras.utils.set_random_seed(1)
        seen = keras.Input((2,), name="observation")
        one, other = (L.Dense(8, activation="tanh" if kind == "tanh" else "relu")(seen) for _ in range(2))
        joined = L.Subtract()([other, one] if kind == "ba" else [one, other])
        built = Built(keras.Model(seen, L.Dense(2, name="values")(joined)), (Phase("fit", FIT),))
        return next(iter(trainer_class("dqn").phases(built, dataset, task.signature(asked, dataset, built), asked)))

    refuses(tmp_path / "fit.npz", made, lambda: made(kind))


@pytest.mark.parametrize("kind", ["ba", "tanh"])
def test_features_and_answers_of_a_teacher_are_not_shared(kind):
    """Each cache gives the model's own outputs, also where the other model filled one just before."""
    data, found = kit.dataset(), []
    for model in (classifier(), classifier(kind)):
        frozen = Frozen(model)
        features = cached_outputs(frozen, data.train, kit.SIGNATURE, source=data.digest, label="features")
        answers = cached_teacher(model, data, kit.SIGNATURE, seed=3).logits(0)
        own = frozen.run(data.train.take(np.arange(len(data.train))), kit.SIGNATURE)
        np.testing.assert_allclose(features, own, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(answers, own, rtol=1e-4, atol=1e-6)
        found.append(np.array(features))
    assert not np.allclose(*found)
