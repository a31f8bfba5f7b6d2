"""Replay memory: a ring, priorities, sums of several rewards."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.training.trainers.memory import Memory, Transitions, n_step


def transitions(*numbers):
    """Transitions whose every part tells which they are."""
    column = np.asarray(numbers, np.float32)
    return Transitions(column[:, None], column.astype(np.int32), column, column, column[:, None] + 1)


def test_the_oldest_are_forgotten():
    memory = Memory(5, 1, priority=0.0)
    memory.add(transitions(0, 1, 2))
    assert len(memory) == 3
    memory.add(transitions(3, 4, 5, 6))
    assert len(memory) == 5
    kept = memory.take(np.arange(5))
    assert sorted(kept.actions) == [2, 3, 4, 5, 6]
    assert (kept.after == kept.before + 1).all()


def test_priorities_decide_how_often_and_how_much():
    memory = Memory(4, 1, priority=1.0)
    memory.add(transitions(0, 1, 2))
    memory.learnt(np.array([[0, 1, 2]]), np.array([[3.0, -1.0, 0.0]], np.float32))
    places, weights = memory.draw((100, 100), np.random.default_rng(0), importance=1.0)
    shares = np.bincount(places.reshape(-1), minlength=3) / places.size
    assert shares == pytest.approx([0.75, 0.25, 0.0], abs=0.02)  # 10,000 draws: four standard deviations are 0.018
    # A transition that is drawn three times as often counts a third.
    ratio = weights[places == 1].max() / weights[places == 0].max()
    assert ratio == pytest.approx(3.0, rel=1e-4)
    assert weights.max() <= 1.0
    memory.add(transitions(3))  # new ones are as urgent as the most urgent
    again, _ = memory.draw((100, 100), np.random.default_rng(0), importance=0.0)
    assert np.bincount(again.reshape(-1), minlength=4)[[0, 3]] / again.size == pytest.approx([3 / 7] * 2, abs=0.02)


def test_without_priorities_all_are_drawn_alike():
    memory = Memory(4, 1, priority=0.0)
    memory.add(transitions(0, 1, 2, 3))
    memory.learnt(np.array([[0]]), np.array([[100.0]], np.float32))
    places, weights = memory.draw((100, 100), np.random.default_rng(0), importance=1.0)
    assert np.bincount(places.reshape(-1)) / places.size == pytest.approx([0.25] * 4, abs=0.02)
    assert (weights == 1).all()


def test_state_brings_it_back():
    memory, other = Memory(5, 1, priority=1.0), Memory(5, 1, priority=1.0)
    memory.add(transitions(0, 1, 2, 3, 4, 5, 6))
    memory.learnt(np.array([[0, 1]]), np.array([[9.0, 4.0]], np.float32))
    other.restore(memory.state())
    for one in (memory, other):
        one.add(transitions(7, 8))
    for name, array in memory.state().items():
        assert np.array_equal(array, other.state()[name]), name
    with pytest.raises(InputError, match="must hold a memory that fits"):
        Memory(3, 1, priority=1.0).restore(memory.state())
    with pytest.raises(InputError, match="must hold a memory that fits"):
        Memory(5, 2, priority=1.0).restore(memory.state())


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_sums_of_rewards_are_those_of_a_loop(steps):
    rng = np.random.default_rng(steps)
    rewards = rng.normal(size=(6, 40)).astype(np.float32)
    ended = rng.random((6, 40)) < 0.3
    terminated = ended & (rng.random((6, 40)) < 0.5)
    sums, discounts, last = n_step(rewards, terminated, ended, steps=steps, discount=0.9)
    for start in range(6):
        for world in range(40):
            total, time = 0.0, start
            for ahead in range(steps):
                time = start + ahead
                total += 0.9**ahead * rewards[time, world]
                if ended[time, world] or time == 5:
                    break
            assert last[start, world] == time
            assert sums[start, world] == pytest.approx(total, abs=1e-6)  # float32
            wanted = 0.0 if terminated[time, world] else 0.9 ** (time - start + 1)
            assert discounts[start, world] == pytest.approx(wanted, abs=1e-6)
