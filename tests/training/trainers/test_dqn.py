"""The trainer that learns from what it plays: it solves a corridor, and resumes to the bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import importing
from dltk.base.errors import InputError, LimitError
from dltk.base.progress import Silent
from dltk.edge.play import play
from dltk.recipe import Fit
from dltk.training import run
from training import kit

pytest.importorskip("gymnasium", reason="comes with the extra control")
corridor = pytest.importorskip("corridor")
corridors = pytest.importorskip("training.corridors")


def _figures(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def _best(seed, episodes):
    """Mean return of the best policy in the episodes that `play` gives from `seed`."""
    starts = play(lambda raws: np.ones(len(raws), np.int64), corridors.NAME, episodes=episodes, seed=seed)
    return starts.mean


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    trainer = corridors.trainer()
    history = run(trainer, checkpoint=kit.checkpoint(tmp_path_factory.mktemp("undisturbed")))
    return _figures(history), kit.weights(trainer._model)


def test_it_learns_the_best_policy(undisturbed):
    history, _ = undisturbed
    trainer = corridors.trainer()
    best = _best(trainer._start_seed, corridors.DQN.episodes)
    assert trainer.evaluate(0)["validation_return"] < 0  # untrained it goes left
    assert max(row["validation_return"] for row in history) == pytest.approx(best)
    assert {"loss", "value", "validation_return_spread"} <= set(history[1])


def test_a_policy_that_training_harms_is_kept_as_it_was(tmp_path):
    trainer = corridors.trainer(replace(corridors.FIT, epochs=2, learning_rate=0.0))
    history = run(trainer, checkpoint=tmp_path / "fit.npz")
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert trainer.kept == 0, "no epoch is better than the start"


@pytest.mark.parametrize(
    "changes",
    [{"double": False}, {"n_step": 1}, {"priority": 0.0}, {"n_step": 5, "side_by_side": 1}],
    ids=lambda changes: ",".join(f"{name}={value}" for name, value in changes.items()),
)
def test_every_variant_learns_the_best_policy(tmp_path, changes):
    trainer = corridors.trainer(dqn=replace(corridors.DQN, **changes))
    history = run(trainer, checkpoint=tmp_path / "fit.npz")
    best = _best(trainer._start_seed, corridors.DQN.episodes)
    assert max(row["validation_return"] for row in history) == pytest.approx(best)


def test_the_values_are_the_discounted_rewards_to_come(tmp_path):
    """One place before the end the wage is worth itself, two before it a step's cost and a discount less."""
    dqn = replace(corridors.DQN, discount=0.5, n_step=1, epsilon=1.0)  # at random, so that it comes everywhere
    trainer = corridors.trainer(replace(corridors.FIT, epochs=12), dqn)
    trainer.finish = lambda: None  # the last weights, not the first that found the way
    run(trainer, checkpoint=tmp_path / "fit.npz")
    places = np.array([[5, 3], [4, 3], [1, 3]], np.float32)
    values = trainer._forward(trainer._inputs(places)).numpy()
    # The network has 16 hidden units and a few hundred updates: it comes near, not to the digit.
    assert values[0, 1] == pytest.approx(corridor.WAGE, abs=0.1)
    assert values[1, 1] == pytest.approx(corridor.STEP + 0.5 * corridor.WAGE, abs=0.1)
    assert values[2, 0] == pytest.approx(corridor.PIT, abs=0.1)


def test_a_stopped_run_resumes_to_the_bit(tmp_path, undisturbed):
    stopped, resumed, path = corridors.trainer(), corridors.trainer(), kit.checkpoint(tmp_path)
    stopped.done = lambda history: len(history) == 3
    run(stopped, checkpoint=path)
    assert _figures(run(resumed, checkpoint=path, resume=True)) == undisturbed[0]
    assert kit.same(kit.weights(resumed._model), undisturbed[1])


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_bit(tmp_path, undisturbed):
    path = kit.checkpoint(tmp_path)
    child = subprocess.run(
        [sys.executable, "-m", "training.corridors", str(path)], env=importing.environment(), check=False
    )
    assert child.returncode == -signal.SIGKILL
    progress, trainer = Silent(), corridors.trainer()
    history = run(trainer, checkpoint=path, resume=True, progress=progress)
    assert progress.said[0] == "fit: resuming after epoch 2 of 4"
    assert _figures(history) == undisturbed[0]
    assert kit.same(kit.weights(trainer._model), undisturbed[1])


def test_resume_refuses_other_settings(tmp_path):
    path, fit = tmp_path / "fit.npz", replace(corridors.FIT, epochs=1)
    run(corridors.trainer(fit), checkpoint=path)
    other = corridors.trainer(fit, replace(corridors.DQN, discount=0.9))
    with pytest.raises(InputError, match="same model, starting weights, data and settings"):
        run(other, checkpoint=path, resume=True)


def test_settings_without_a_meaning_are_refused():
    with pytest.raises(InputError, match=r"fit\.label_smoothing: has no meaning"):
        corridors.trainer(Fit(label_smoothing=0.1))


def test_early_stopping_by_the_return(tmp_path):
    history = run(corridors.trainer(replace(corridors.FIT, epochs=40, patience=2)), checkpoint=tmp_path / "fit.npz")
    assert len(history) < 40


def test_rewards_that_are_no_numbers_are_named(tmp_path):
    trainer = corridors.trainer()
    play_once = trainer._players.play

    def broken(*words, **more):
        found = play_once(*words, **more)
        return replace(found, rewards=np.full_like(found.rewards, np.nan))

    trainer._players.play = broken
    with pytest.raises(LimitError, match=r"environment corridor:Corridor-v0 gave numbers that are not finite \(reward"):
        run(trainer, checkpoint=tmp_path / "fit.npz")
