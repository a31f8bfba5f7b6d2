"""The task whose samples are what a policy meets."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.recipe import Built

pytest.importorskip("gymnasium", reason="comes with the extra control")
corridor = pytest.importorskip("corridor")

TASK = tasks.task("control")
NAME = "corridor:Corridor-v0"


def settings(seed=0):
    return SimpleNamespace(seed=seed, data=SimpleNamespace(samples=50, episodes=20))


@pytest.fixture(scope="module")
def dataset():
    return TASK.prepare(settings(), NAME, progress=SILENT)


def test_observations_are_a_function_of_the_seed(dataset):
    again = TASK.prepare(settings(), NAME, progress=SILENT)
    assert again.digest == dataset.digest
    assert np.array_equal(again.train.store, dataset.train.store)
    assert TASK.prepare(settings(seed=1), NAME, progress=SILENT).digest != dataset.digest
    sides = [getattr(dataset, side).take(slice(None)) for side in ("train", "validation", "test")]
    assert [side.shape for side in sides] == [(50, 2)] * 3
    assert not np.array_equal(sides[0], sides[2])


def test_the_model_gets_standardized_numbers(dataset):
    signature = TASK.signature(settings(), dataset, Built(None, ()))
    (step,) = signature.preprocess
    assert step["op"] == "standardize"
    assert step["mean"][0] == pytest.approx((corridor.PLACES - 1) / 2, abs=0.7)  # a random walk from the middle
    assert step["mean"][1] == 3.0
    assert step["std"][1] == 1.0  # what never changes is not divided by nothing
    assert dict(TASK.contract(settings(), dataset).outputs) == {"values": (2,)}


def test_after_training_half_of_the_samples_are_what_the_policy_meets(dataset):
    right = TASK.refresh(dataset, settings(), lambda raws: np.tile([0.0, 1.0], (len(raws), 1)))
    for side in ("train", "validation", "test"):
        before, after = (getattr(found, side).take(slice(None)) for found in (dataset, right))
        assert np.array_equal(before[:25], after[:25])
        assert after[25:, 0].mean() > before[:, 0].mean()  # going right it is seen further right
    assert right.digest != dataset.digest
    signature = TASK.signature(settings(), right, Built(None, ()))
    assert signature == TASK.signature(settings(), dataset, Built(None, ()))  # what the model takes stays
    figures = TASK.figures(np.zeros((0, 2)), right, signature, settings())
    assert figures["episodes"] == 20
    assert figures["return_lowest"] >= corridor.best_return(1)
    assert figures["return_mean"] <= corridor.WAGE
    left = TASK.refresh(dataset, settings(), lambda raws: np.tile([1.0, 0.0], (len(raws), 1)))
    assert left.report["return_mean"] < 0
    assert TASK.figures(np.zeros((0, 2)), dataset, signature, settings()) == {}


def test_an_unknown_environment_is_named():
    with pytest.raises(InputError, match="Did you mean 'CartPole-v1'"):
        TASK.prepare(settings(), "CartPoll-v1", progress=SILENT)
