"""The trainer of labels and values, on both Keras."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dltk.base.errors import InputError, LimitError
from dltk.data.dataset import Dataset, Split
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.models.backend import keras
from dltk.recipe import Augment, Built, Fit, Phase
from dltk.training import FitOptions, FitTrainer, cached_teacher, run, trainer_class
from dltk.training.trainers.cut import split_at
from training import kit

QUICK = Fit(epochs=3, batch_size=16, learning_rate=0.02)


def _train(tmp_path, fit=QUICK, *, made=None, data=None, signature=kit.SIGNATURE, name="fit", **options):
    own = FitOptions(**options)
    trainer = FitTrainer(made or kit.model(), data or kit.dataset(), signature, fit, own, seed=3, name=name)
    return run(trainer, checkpoint=kit.checkpoint(tmp_path)), trainer


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "adagrad", "rmsprop"])
def test_every_optimizer_learns(name, tmp_path):
    fit = replace(QUICK, optimizer=name, nesterov=True, weight_decay=1e-4)
    history, _ = _train(tmp_path, fit, frozen_through="top")
    assert history[-1]["loss"] < history[1]["loss"]


@pytest.mark.parametrize("name", ["constant", "step", "exponential", "cosine", "plateau"])
def test_every_schedule_learns(name, tmp_path):
    fit = replace(QUICK, schedule=name, decay_every=1.0, decay_factor=0.5, warmup=0.5)
    history, trainer = _train(tmp_path, fit, frozen_through="top")
    assert history[-1]["loss"] < history[1]["loss"]
    if name == "cosine":  # the rate of the last step, as the optimizer saw it: one part in 1e6 for float32
        last = 0.01 * (1 + np.cos(np.pi * (17 - 3) / 15))
        assert float(trainer._optimizer.learning_rate.numpy()) == pytest.approx(last, rel=1e-6)


def test_two_runs_are_equal_to_the_bit(tmp_path):
    fit = replace(kit.EVERYTHING, epochs=2)
    runs = [_train(tmp_path / str(n), fit, augment=kit.AUGMENT)[1]._learner for n in range(2)]
    assert kit.same(*map(kit.weights, runs))


def test_bfloat16_and_class_weights_and_smoothing_train(tmp_path):
    fit = replace(QUICK, precision="mixed_bfloat16", class_weights="balanced", label_smoothing=0.1, l2=1e-3)
    made = kit.model()
    history, _ = _train(tmp_path, fit, made=made)
    assert history[-1]["loss"] < history[1]["loss"]
    assert {layer.dtype_policy.name for layer in made.layers} == {"float32"}, "the model itself stays float32"


def test_phases_leave_the_frozen_part_alone(tmp_path):
    made, data = kit.model(), kit.dataset()
    data = replace(
        data, validation=Split(data.train.store, data.train.rows[:0], data.train.targets[:0])
    )  # keep the last
    phases = (Phase("head", QUICK, "top"), Phase("tune", QUICK, "cut"), Phase("all", QUICK))
    built = Built(made, phases, kit.SIGNATURE.preprocess)
    seen = [_by_layer(made)]
    for trainer in trainer_class("fit").phases(built, data, kit.SIGNATURE, SimpleNamespace(seed=1)):
        run(trainer, checkpoint=tmp_path / f"{trainer.name}.npz")
        seen.append(_by_layer(made))
    changed = [
        {name for name in after if not kit.same(before[name], after[name])}
        for before, after in itertools.pairwise(seen)
    ]
    assert changed[0] == {"logits"}
    assert changed[1] == {"conv_2", "logits"}, "behind the cut, batch norm neither trains nor moves"
    assert changed[2] == {"conv_1", "norm_1", "conv_2", "norm_2", "logits"}
    assert made.get_layer("logits").output is not None, "layers are not left with two outputs"
    assert made.get_layer("norm_2").trainable


def _by_layer(made):
    return {layer.name: kit.weights(layer) for layer in made.layers if layer.get_weights()}


def test_features_are_computed_once(tmp_path, cache):
    _train(tmp_path / "1", frozen_through="top", augment=Augment(views=2, flip=True))
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("features.npy")}
    assert len(files) == 3, "two views of the training split, one of validation"
    _train(tmp_path / "2", frozen_through="top", augment=Augment(views=2, flip=True))
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("features.npy")} == files
    _train(tmp_path / "3", made=kit.model(seed=2), frozen_through="top")
    assert len(list(cache.rglob("features.npy"))) == 5, "other weights, other features"


def test_cached_features_train_like_the_whole_model(tmp_path):
    """The loop over features in memory, step by step over cached features, and prefixes run each time agree.

    float32 sums in another order: 1e-5 after 18 steps at rate 0.02.
    """
    augment = Augment(views=3, flip=True)
    fused = _train(tmp_path / "1", frozen_through="top", augment=augment)[0]
    single = _train(tmp_path / "2", frozen_through="top", augment=augment, before_step=lambda step: None)[0]
    fresh = _train(tmp_path / "3", frozen_through="top", augment=replace(augment, views=0))[0]
    for name in ("loss", "accuracy", "validation_loss"):
        figures = [[row[name] for row in history[1:]] for history in (fused, single, fresh)]
        assert figures[1] == pytest.approx(figures[0], abs=1e-5)
        assert figures[2] == pytest.approx(figures[0], abs=1e-5)


def test_best_weights_are_kept(tmp_path):
    history, trainer = _train(tmp_path, replace(QUICK, epochs=6, learning_rate=0.2, schedule="constant"))
    best = max(history, key=lambda row: (row["validation_accuracy"], -row["validation_loss"]))
    assert trainer._validate()["validation_loss"] == pytest.approx(best["validation_loss"], rel=1e-6)  # float32


def test_a_phase_never_ends_worse_than_it_began(tmp_path):
    """A head that learnt well, then a phase whose rate breaks it: what the first reached stays, to the bit."""
    made, data = kit.model(), kit.dataset()
    head, _ = _train(tmp_path / "head", replace(QUICK, epochs=12), made=made, data=data)
    before = kit.weights(made)
    fit = Fit(epochs=2, batch_size=16, learning_rate=20.0, schedule="constant", average=0.5)
    history, trainer = _train(tmp_path / "tune", fit, made=made, data=data, name="tune", frozen_through="cut")
    assert trainer.kept == 0
    assert history[0]["validation_accuracy"] == max(row["validation_accuracy"] for row in head)
    assert all(row["validation_accuracy"] < history[0]["validation_accuracy"] for row in history[1:])
    assert kit.same(kit.weights(made), before)
    resumed = FitTrainer(made, data, kit.SIGNATURE, fit, FitOptions(frozen_through="cut"), seed=3, name="tune")
    run(resumed, checkpoint=kit.checkpoint(tmp_path / "tune"), resume=True)
    assert (resumed.kept, kit.same(kit.weights(made), before)) == (0, True)


def test_weights_at_the_start_that_lack_what_the_training_is_for_are_not_kept(tmp_path):
    still = replace(QUICK, learning_rate=0.0)  # every epoch is as good as the start
    for counts in (False, True):
        _, trainer = _train(tmp_path / str(counts), still, frozen_through="pool", start_counts=counts)
        assert trainer.kept == (0 if counts else 1)


def test_validation_samples_that_are_not_finite_are_named_before_the_first_epoch(tmp_path):
    data, signature = _series()
    data.validation.store[data.validation.rows[1]] = np.nan
    with pytest.raises(LimitError, match=r"before the first epoch.*In the validation split: Samples \d+ hold values"):
        _train(tmp_path, made=_forecaster(), data=data, signature=signature)


def test_a_cut_that_a_shortcut_passes_is_named_as_the_user_did():
    image = keras.Input((4, 4, 3))
    inside = keras.layers.Conv2D(3, 1, name="inside")(image)
    model = keras.Model(image, keras.layers.Dense(2, name="top")(keras.layers.Flatten()(inside + image)))
    with pytest.raises(InputError) as caught:
        split_at(model, "inside")
    rule = "must be one that all paths go through, where training begins behind it"
    assert str(caught.value) == f"layer 'inside': {rule}. Name the last layer of a block."
    with pytest.raises(InputError, match=r"layer 'insid': must be a layer of the model\. Did you mean 'inside'\?"):
        split_at(model, "insid")


def test_the_best_epoch_is_that_of_the_figure_asked_for():
    """Validation accuracy rises as its loss does: an overconfident model."""
    found = [
        {"validation_loss": loss, "validation_accuracy": right} for loss, right in ((1.0, 0.5), (0.4, 0.8), (0.9, 0.9))
    ]
    best = {}
    for keep in ("accuracy", "loss"):
        trainer = FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, replace(QUICK, keep=keep), seed=0)
        trainer._validate = iter(found).__next__
        for epoch in range(3):
            trainer.evaluate(epoch)
        best[keep] = trainer.kept
    assert best == {"accuracy": 3, "loss": 2}


def test_few_samples_train_for_the_least_steps(tmp_path):
    history = _train(tmp_path, replace(QUICK, epochs=2, least_steps=12, batch_size=32))[0]
    assert [row["epoch"] for row in history] == [0, 1, 2, 3, 4]  # three batches of 90 samples an epoch


def test_early_stopping(tmp_path):
    history, _ = _train(tmp_path, replace(QUICK, epochs=50, learning_rate=0.0, patience=2), frozen_through="top")
    assert history[-1]["epoch"] == 3


def test_before_step_is_called_with_every_step(tmp_path):
    steps: list[int] = []
    _train(tmp_path, replace(QUICK, epochs=2), before_step=steps.append)
    assert steps == list(range(12))


def test_a_rate_too_high_is_named(tmp_path):
    with pytest.raises(LimitError, match=r"learning rate of 1e\+3\d is too high; try") as caught:
        _train(tmp_path, Fit(epochs=3, batch_size=16, optimizer="sgd", learning_rate=1e38, schedule="constant"))
    assert caught.value.exit_code == 4


def test_a_sample_that_is_not_finite_is_named(tmp_path):
    data, signature = _series()
    data.train.store[17] = np.nan
    with pytest.raises(LimitError, match="Samples 17 hold values that are not finite"):
        _train(tmp_path, made=_forecaster(), data=data, signature=signature)


def test_labels_beyond_the_outputs_are_refused():
    data = kit.dataset()
    data.train.targets[3] = 3
    with pytest.raises(InputError, match=r"labels: must lie in 0\.\.2"):
        FitTrainer(kit.model(), data, kit.SIGNATURE, QUICK, seed=0)


@pytest.mark.parametrize(("name", "message"), [("tpo", "Did you mean 'top'"), ("norm_0", "must be a layer")])
def test_an_unknown_cut_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        FitTrainer(kit.model(), kit.dataset(), kit.SIGNATURE, QUICK, FitOptions(frozen_through=name), seed=0)


def test_a_cut_inside_a_branch_is_refused():
    image = keras.Input((12, 12, 3), name="image")
    inside = keras.layers.Conv2D(3, 3, padding="same", name="inside")(image)
    x = keras.layers.Flatten()(keras.layers.Add()([image, inside]))
    made = keras.Model(image, keras.layers.Dense(3)(x))
    with pytest.raises(InputError, match="must be one that all paths go through"):
        FitTrainer(made, kit.dataset(), kit.SIGNATURE, QUICK, FitOptions(frozen_through="inside"), seed=0)


def test_several_labels_a_sample(tmp_path):
    signature = kit.SIGNATURE.with_postprocess({"op": "sigmoid", "threshold": 0.5})
    fit = replace(QUICK, class_weights="balanced", label_smoothing=0.05)
    data = kit.dataset(multi_label=True)
    history, _ = _train(tmp_path, fit, data=data, signature=signature, augment=Augment(mixup=0.2))
    assert history[-1]["loss"] < history[1]["loss"]
    assert "accuracy" not in history[1]


def _series():
    draw = np.random.Generator(np.random.PCG64(1))
    values = draw.standard_normal((100, 8, 1)).astype(np.float32).cumsum(1)
    targets = np.repeat(values[:, -1:], 2, axis=1)
    splits = [Split(values, rows, targets[rows]) for rows in np.split(np.arange(100), [60, 80])]
    axes = ("batch", "time", "column")
    signature = Signature(
        "forecast", "series", (TensorSpec("series", "float32", (None, 8, 1), axes),),
        (TensorSpec("forecast", "float32", (None, 2, 1), axes),),
        ({"op": "window", "length": 8, "columns": ["load"]}, {"op": "standardize", "mean": [0.0], "std": [1.0]}),
        ({"op": "unstandardize", "mean": [0.0], "std": [1.0]},), ("load",)
    )  # fmt: skip
    return Dataset(*splits, labels=("load",), digest="series", source="made up", report={}), signature


def _forecaster():
    keras.utils.set_random_seed(0)
    series = keras.Input((8, 1), name="series")
    x = keras.layers.Dense(2, name="last")(keras.layers.Flatten()(series))
    return keras.Model(series, keras.layers.Reshape((2, 1), name="forecast")(x))


def test_values_are_learnt(tmp_path):
    data, signature = _series()
    history, _ = _train(tmp_path, made=_forecaster(), data=data, signature=signature)
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    with pytest.raises(InputError, match="class_weights: needs classes"):
        FitTrainer(_forecaster(), data, signature, replace(QUICK, class_weights="balanced"), seed=0)


def test_a_student_learns_from_the_answers_to_the_views_it_sees(tmp_path):
    teacher = kit.model(seed=9)
    _train(tmp_path / "teacher", replace(QUICK, epochs=6), made=teacher)
    augment = Augment(views=2, flip=True)
    taught = cached_teacher(teacher, kit.dataset(), kit.SIGNATURE, seed=3, augment=augment, weight=1.0)
    assert not np.array_equal(taught.logits(0), taught.logits(1))
    for number, cut in enumerate((None, "top")):
        history, _ = _train(tmp_path / str(number), augment=augment, teacher=taught, frozen_through=cut)
        assert history[-1]["loss"] < history[1]["loss"]


def test_a_teacher_is_copied_when_the_student_is_the_teacher(tmp_path):
    """Its own answers: nothing to learn. 1e-6: a batch of another size adds up in another order."""
    made = kit.model()
    taught = cached_teacher(made, kit.dataset(), kit.SIGNATURE, seed=3, weight=1.0)
    fit = replace(QUICK, epochs=1, learning_rate=0.0)
    history, _ = _train(tmp_path, fit, made=_without_dropout(made), teacher=taught)
    assert history[1]["loss"] == pytest.approx(0.0, abs=1e-6)


def _without_dropout(made):
    """The same weights; batch norm and dropout as they are in use."""
    for layer in made.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    return made


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # raised while tf_keras is imported
def test_a_tf_keras_model_trains_and_repeats_to_the_bit(tmp_path):
    import tf_keras

    runs = []
    for number in range(2):
        made = kit.model(library=tf_keras)
        history, _ = _train(tmp_path / str(number), replace(kit.EVERYTHING, epochs=2, learning_rate=0.02), made=made)
        runs.append(made)
    assert kit.same(*map(kit.weights, runs))
    assert history[-1]["loss"] < history[1]["loss"]
    with pytest.raises(InputError, match="precision"):
        FitTrainer(made, kit.dataset(), kit.SIGNATURE, replace(QUICK, precision="mixed_bfloat16"), seed=0)
    with pytest.raises(InputError, match="needs a Keras 3 model"):
        FitTrainer(made, kit.dataset(), kit.SIGNATURE, QUICK, FitOptions(frozen_through="top"), seed=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_tf_keras_model_resumes_to_the_bit(tmp_path):
    import tf_keras

    fit = replace(kit.EVERYTHING, epochs=3)
    whole, stopped, resumed = (kit.model(library=tf_keras) for _ in range(3))
    _train(tmp_path / "whole", fit, made=whole)
    trainer = FitTrainer(stopped, kit.dataset(), kit.SIGNATURE, fit, seed=3)
    trainer.done = lambda history: len(history) == 2
    run(trainer, checkpoint=kit.checkpoint(tmp_path / "stopped"))
    again = FitTrainer(resumed, kit.dataset(), kit.SIGNATURE, fit, seed=3)
    run(again, checkpoint=kit.checkpoint(tmp_path / "stopped"), resume=True)
    assert kit.same(kit.weights(whole), kit.weights(resumed))
