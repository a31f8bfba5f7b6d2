"""Environments and playing in them."""

from __future__ import annotations

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import tiny
from dltk.base.errors import EnvironmentFault, InputError, UsageError
from dltk.base.install import pip_extra
from dltk.edge.environments import open_environment
from dltk.edge.play import greedy_policy, play, play_bundle
from edge.signatures import POLICY

pytest.importorskip("gymnasium", reason="comes with the extra control")
corridor = pytest.importorskip("corridor")

NAME = "corridor:Corridor-v0"
RIGHT = lambda raws: np.ones(len(raws), np.int64)  # noqa: E731


def test_an_environment_is_a_row_of_numbers_and_numbered_actions():
    found = open_environment(NAME)
    assert (found.width, found.actions) == (2, 2)
    first = found.reset(seed=4)
    assert first.dtype == np.float32
    assert np.array_equal(first, found.reset(seed=4))
    second, reward, terminated, truncated = found.step(1)  # the environment calls it 2
    assert second[0] == first[0] + 1
    assert reward in (corridor.STEP, corridor.WAGE)
    assert (terminated, truncated) == (second[0] == corridor.PLACES - 1, False)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("CartPol-v1", "Did you mean 'CartPole-v1'"),
        ("qqqq", "For example CartPole-v1"),
        ("CartPole", "Did you mean 'CartPole-v"),
        ("no_such_module:X-v0", "the module 'no_such_module' must be importable"),
        ("Pendulum-v1", r"numbered actions \(Discrete\)"),
        ("corridor:Actions-v0", r"numbered actions \(Discrete\)"),
        ("corridor:Number-v0", "a row of numbers as observation"),
        ("corridor:Picture-v0", "a row of numbers as observation"),
    ],
)
def test_what_cannot_be_played_in_is_named(name, rule):
    with pytest.raises(InputError, match=rule) as caught:
        open_environment(name)
    assert name in str(caught.value)


def test_without_gymnasium_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(EnvironmentFault, match=re.escape(pip_extra("control"))) as caught:
        open_environment("CartPole-v1")
    assert caught.value.exit_code == 5


def test_what_an_environment_lacks_is_named(monkeypatch):
    with pytest.raises(EnvironmentFault, match="Box2D is not installed"):
        open_environment("corridor:Lacking-v0")
    lander = {"gymnasium.envs.box2d.lunar_lander": None, "Box2D": None}
    for name, module in lander.items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(EnvironmentFault, match=r"pip install 'gymnasium\[box2d\]'"):
        open_environment("LunarLander-v3")


def test_returns_are_those_of_the_policy():
    """The 40 episodes are more than are played side by side, and each begins where its own seed says."""
    found = play(RIGHT, NAME, episodes=40, seed=7)
    world = open_environment(NAME)
    starts = [int(world.reset(seed=7 + number)[0]) for number in range(40)]
    assert found.returns == pytest.approx([corridor.best_return(start) for start in starts])
    assert found.steps.tolist() == [corridor.PLACES - 1 - start for start in starts]
    assert found.observations.shape == (found.steps.sum(), 2)
    alone = play(RIGHT, NAME, episodes=1, seed=9)
    assert alone.returns[0] == found.returns[2]
    told = found.as_dict()
    assert told["return_mean"] == pytest.approx(found.returns.mean())
    assert told["answers"][2]["input"] == f"{NAME}, seed 9"


def test_an_endless_episode_is_cut(monkeypatch):
    monkeypatch.setattr("dltk.edge.play._MOST_STEPS", 5)
    back_and_forth = lambda raws: (raws[:, 0] < 3).astype(np.int64)  # noqa: E731
    assert play(back_and_forth, NAME, episodes=3, seed=0).steps.max() == 5


def test_an_environment_that_gives_no_numbers_is_named():
    with pytest.raises(InputError, match=r"corridor:Broken-v0: must give finite"):
        play(RIGHT, "corridor:Broken-v0", episodes=2, seed=0)


def test_no_episode_is_wrong_usage():
    with pytest.raises(UsageError, match="at least 1"):
        play(RIGHT, NAME, episodes=0, seed=0)


def test_a_policy_plays_greedily_and_others_cannot():
    run = lambda tensors: {"values": np.stack([tensors["observation"][:, 0], 2 - tensors["observation"][:, 0]], 1)}  # noqa: E731
    choose = greedy_policy(run, POLICY)
    assert choose(np.array([[0.0, 0.0], [9.0, 0.0]], np.float32)).tolist() == [1, 0]
    with pytest.raises(UsageError, match="--env: needs the bundle of a policy; received one of the family classif"):
        greedy_policy(run, tiny.SIGNATURE)


def test_a_bundle_must_fit_the_environment():
    model = SimpleNamespace(signature=POLICY, run=lambda tensors: {"values": np.tile([0.0, 1.0], (len(tensors), 1))})
    with pytest.raises(InputError, match="must give observations of 2 numbers and take 2 actions"):
        play_bundle(model, "CartPole-v1", episodes=1, seed=0)
    model.run = lambda tensors: {"values": np.tile([0.0, 1.0], (len(tensors["observation"]), 1))}
    assert play_bundle(model, NAME, episodes=3, seed=0).returns.min() > 0
