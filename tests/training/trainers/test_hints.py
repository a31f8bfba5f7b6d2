"""Features that follow a teacher's: scale free, bridged where channels differ, and resumed to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.models.backend import keras, tf
from dltk.recipe import Augment, Fit
from dltk.training import FitOptions, FitTrainer, run
from dltk.training import hints as module
from dltk.training.hints import Hints
from training import kit

FIT = Fit(epochs=3, batch_size=32, learning_rate=0.01)


def student(channels: int = 4, seed: int = 2):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    image = keras.Input((kit.SIDE, kit.SIDE, 3), name="image")
    x = layers.ReLU(name="wide")(layers.Conv2D(channels, 3, name="first")(image))
    x = layers.ReLU(name="deep")(layers.Conv2D(channels, 3, name="second")(x))
    x = layers.Dropout(0.2, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    return keras.Model(image, layers.Dense(3, name="logits")(x))


def hints(made, **changes):
    given = {"teacher_layers": ["top"], "student_layers": ["deep"], "weight": 1.0, "seed": 0} | changes
    return Hints(kit.model(), made, **given)


def trainer(made, *, followed=None, fit=FIT):
    return FitTrainer(made, kit.dataset(), kit.SIGNATURE, fit, FitOptions(hints=followed or hints(made)), seed=3)


def test_a_model_that_follows_itself_loses_nothing_whatever_the_scale():
    made, image = kit.model(), kit.dataset().train.take(np.arange(8)).astype(np.float32)
    same = Hints(made, made, ["top", "pool"], ["top", "pool"], weight=3.0, seed=0)
    assert same.variables == []
    wanted = same.wanted(tf.constant(image))
    assert float(same.loss(wanted, wanted)) == 0
    # Squares of numbers of about 1e-2, and float32 holds 7 digits of each.
    assert float(same.loss([2.5 * value for value in wanted], wanted)) == pytest.approx(0, abs=1e-9)
    opposite = same.loss([-value for value in wanted], wanted)
    assert float(opposite) == pytest.approx(3.0 * 4.0, rel=1e-5)  # 2 - 2 cos, times the weight


def test_features_come_nearer_and_the_bridge_learns(tmp_path):
    made = student()
    followed = hints(made)
    (bridge,) = followed.variables
    assert tuple(bridge.shape) == (4, 6)
    before = bridge.numpy()
    history = run(trainer(made, followed=followed), checkpoint=kit.checkpoint(tmp_path))
    assert history[-1]["features"] < history[1]["features"]
    assert not np.array_equal(before, bridge.numpy())
    assert [layer.name for layer in made.layers] == [layer.name for layer in student().layers]


def test_it_is_resumed_to_the_bit(tmp_path):
    class Stop(Silent):
        def bar(self, label, total):
            if label.startswith("fit 3/"):
                raise KeyboardInterrupt
            return super().bar(label, total)

    whole = student()
    run(trainer(whole), checkpoint=tmp_path / "whole.npz")
    with pytest.raises(KeyboardInterrupt):
        run(trainer(student()), checkpoint=tmp_path / "part.npz", progress=Stop())
    again = student()
    resumed = trainer(again)
    again.set_weights(kit.weights(student(seed=9)))  # the checkpoint holds all
    run(resumed, checkpoint=tmp_path / "part.npz", resume=True)
    assert kit.same(kit.weights(whole), kit.weights(again))


@pytest.mark.parametrize("layers", [["top"], ["top", "pool"]])
def test_features_are_computed_once_a_view_and_are_what_a_step_would_compute(tmp_path, monkeypatch, layers):
    class Bars(Silent):
        def __init__(self):
            super().__init__()
            self.labels = []

        def bar(self, label, total):
            self.labels.append(label)
            return super().bar(label, total)

    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    found, asked = [], []
    for limit in (module._KEPT_AT_MOST, 0):
        monkeypatch.setattr(module, "_KEPT_AT_MOST", limit)
        made, bars = student(), Bars()
        followed = hints(made, teacher_layers=layers, student_layers=["deep", "pool"][: len(layers)])
        augment = Augment(views=2, flip=True)
        options = FitOptions(augment, hints=followed)
        trained = FitTrainer(made, kit.dataset(), kit.SIGNATURE, FIT, options, seed=3, progress=bars)
        found.append(run(trained, checkpoint=tmp_path / f"{limit}.npz")[1:])
        asked.append(bars.labels.count("teacher's features"))
    assert asked == [2, 0], "two views in three epochs; none where there is no room"
    # Batches of another size are summed in another order: roundings of float32, over nine steps.
    for one, other in zip(*found, strict=True):
        assert one["features"] == pytest.approx(other["features"], rel=1e-4)


def test_features_of_other_layers_are_another_file():
    """A model that ends in both has the same layers and weights whichever of them comes first."""
    made = student()
    pairs = {"teacher_layers": ["top", "cut"], "student_layers": ["deep", "wide"]}
    turned = {key: value[::-1] for key, value in pairs.items()}
    assert hints(made, **pairs).teacher.digest != hints(made, **turned).teacher.digest


def test_what_is_too_much_to_keep_or_never_comes_again_is_not_kept():
    followed = hints(student())  # 8 x 8 x 6 numbers a sample
    assert followed.can_keep(1_000_000, 1)
    assert not followed.can_keep(1_000_000, 2)
    assert not followed.can_keep(10, 0), "a new view every epoch"


def test_a_checkpoint_of_other_hints_is_refused(tmp_path):
    run(trainer(student(), fit=replace(FIT, epochs=1)), checkpoint=tmp_path / "fit.npz")
    made = student()
    other = trainer(made, followed=hints(made, weight=2.0), fit=replace(FIT, epochs=1))
    with pytest.raises(InputError, match="must come from the same model"):
        run(other, checkpoint=tmp_path / "fit.npz", resume=True)


def test_what_does_not_fit_is_refused():
    made = student()
    with pytest.raises(InputError, match=r"features cut:deep: both layers must have features of one shape.*10, 10"):
        hints(made, teacher_layers=["cut"])
    with pytest.raises(InputError, match="must be None where hints are followed"):
        FitTrainer(
            made, kit.dataset(), kit.SIGNATURE, FIT, FitOptions(frozen_through="wide", hints=hints(made)), seed=0
        )
