"""What image-classification decides by the number of images; the whole way is in test_whole_way.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

import small
from dltk.recipe import Contract
from dltk.recipe.load import load, resolve

pytestmark = small.QUIET


def phases(count, *pairs):
    """(the phases by name, the note on `tune`) for so many training images per class."""
    recipe = load("image-classification")
    settings = resolve(recipe, ["model.weights=none", "model.alpha=0.35", "data.size=32", *pairs])
    facts = {} if count is None else {"samples_per_class": count}
    built = recipe.build(settings, Contract({"image": (32, 32, 3)}, {"logits": (3,)}, facts=facts))
    return {phase.name: phase.fit for phase in built.phases}, built.notes.get("tune", ""), settings


def test_very_few_images_train_the_head_alone_and_the_run_says_so():
    found, note, _ = phases(16.0)
    assert [*found] == ["head"]
    assert note.startswith("off, 16 training images per class; --set tune.by_count=false uses")


@pytest.mark.parametrize("count", [40.0, 90.0, 300.0])
def test_few_images_take_more_and_smaller_steps(count):
    found, note, settings = phases(count)
    tune = found["tune"]
    assert (tune.epochs, tune.batch_size, tune.average) == (10, 32, 0.98)
    assert tune.learning_rate < settings.tune.learning_rate
    assert note.startswith("10 epochs with a small learning rate and averaged weights")


@pytest.mark.parametrize(
    ("count", "pairs"),
    [(500.0, ()), (5000.0, ()), (None, ()), (16.0, ("tune.by_count=false",)), (90.0, ("tune.by_count=false",))],
)
def test_many_images_or_none_counted_take_the_settings_as_they_are(count, pairs):
    found, note, settings = phases(count, *pairs)
    given = {name: getattr(settings.tune, name) for name in vars(found["tune"])}
    assert vars(found["tune"]) == given
    assert note == ""


@pytest.mark.parametrize("count", [16.0, 90.0, 5000.0])
def test_what_a_user_sets_is_taken(count):
    found, note, _ = phases(count, "tune.epochs=3", "tune.patience=2")
    assert (found["tune"].epochs, found["tune"].patience) == (3, 2)
    assert note.startswith("3 epochs") == (count < 500)
    found, note, _ = phases(count, "tune.epochs=0")
    assert ([*found], note) == (["head"], "")


def test_the_count_comes_from_the_training_split(tmp_path):
    from dltk import tasks
    from dltk.base.progress import SILENT

    recipe = load("image-classification")
    settings = resolve(recipe, ["data.limit=60", "data.size=32"])
    task = tasks.task(recipe.task)
    dataset = task.prepare(settings, "digits", progress=SILENT)
    assert task.contract(settings, dataset).facts["samples_per_class"] == 6.0
    empty = replace(dataset, labels=())
    assert task.contract(settings, empty).facts["samples_per_class"] == 60.0
