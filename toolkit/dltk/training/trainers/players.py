"""Environments that run in parallel while a network learns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dltk.edge.environments import open_environment
from dltk.training.trainers.memory import Transitions, n_step
from dltk.training.views.counter import derive

__all__ = ["Players"]

Inputs = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # raw observations -> input of the network
Best = Callable[[NDArray[np.float32]], NDArray[np.int64]]  # input of the network -> actions


class Players:
    """`count` environments called `name`; nothing of them outlives `start`, which is a function of a seed.

    Args:
        inputs: raw observations (n, numbers) -> what the network takes.
        steps, discount: of the sums of rewards; see `dltk.training.trainers.memory.n_step`.
    """

    def __init__(self, name: str, count: int, inputs: Inputs, *, steps: int, discount: float) -> None:
        self._environments = [open_environment(name) for _ in range(count)]
        self._inputs, self._steps, self._discount = inputs, steps, discount
        self._now = np.zeros((count, self._environments[0].width), np.float32)

    def __len__(self) -> int:
        return len(self._environments)

    @property
    def actions(self) -> int:
        """How many there are."""
        return self._environments[0].actions

    def start(self, *seed: object) -> None:
        """Begin new episodes; all that follows is a function of `seed` and of the actions."""
        for number, each in enumerate(self._environments):
            self._now[number] = each.reset(derive(*seed, number) % 2**31)

    def play(self, times: int, best: Best, rng: np.random.Generator, *, epsilon: float) -> Transitions:
        """Each environment plays `times` steps: a random action in `epsilon` of them, else `best`."""
        shape = (times, len(self))
        random, anything = rng.random(shape) < epsilon, rng.integers(0, self.actions, shape)
        before = np.empty((times + 1, *self._now.shape), np.float32)  # as the network takes them
        after, actions = np.empty((times, *self._now.shape), np.float32), anything
        rewards, terminated, ended = np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(shape, bool)
        before[0] = self._inputs(self._now)
        for time in range(times):
            if not random[time].all():
                actions[time] = np.where(random[time], actions[time], best(before[time]))
            for number, action in enumerate(actions[time].tolist()):
                each = self._environments[number]
                found, rewards[time, number], terminated[time, number], cut = each.step(action)
                after[time, number] = found
                ended[time, number] = cut or terminated[time, number]
                self._now[number] = each.reset() if ended[time, number] else found
            before[time + 1] = self._inputs(self._now)
        sums, discounts, last = n_step(rewards, terminated, ended, steps=self._steps, discount=self._discount)
        reached = np.take_along_axis(after, last[..., None], axis=0).reshape(-1, self._now.shape[1])
        return Transitions(
            before[:-1].reshape(reached.shape), actions.reshape(-1).astype(np.int32), sums.reshape(-1),
            discounts.reshape(-1), self._inputs(reached)
        )  # fmt: skip
