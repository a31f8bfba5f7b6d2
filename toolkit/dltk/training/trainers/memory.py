"""What was played: a ring of transitions, drawn from alike or by priority (Schaul et al. 2016, arXiv:1511.05952)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.training.checkpoint import AGAIN

__all__ = ["Memory", "Transitions", "n_step"]

_FLOOR = 1e-6  # of a priority: what was once learnt well may be drawn again


@dataclass(frozen=True)
class Transitions:
    """Steps (n, ...) and their results.

    Attributes:
        before: float32 (n, numbers), input of the network when the action was chosen.
        actions: int32 (n,).
        rewards: float32 (n,), discounted sum over the steps until `after`.
        discounts: float32 (n,), what a value at `after` is worth here; 0 where the episode ended of itself.
        after: float32 (n, numbers).
    """

    before: NDArray[np.float32]
    actions: NDArray[np.int32]
    rewards: NDArray[np.float32]
    discounts: NDArray[np.float32]
    after: NDArray[np.float32]


class Memory:
    """The last `capacity` transitions.

    Args:
        width: numbers of an observation.
        priority: exponent of the priorities; 0: every transition is drawn alike.
    """

    def __init__(self, capacity: int, width: int, *, priority: float) -> None:
        self._capacity, self._priority = capacity, priority
        self._next = self._size = 0
        self._kept = Transitions(
            np.zeros((capacity, width), np.float32), np.zeros(capacity, np.int32), np.zeros(capacity, np.float32),
            np.zeros(capacity, np.float32), np.zeros((capacity, width), np.float32)
        )  # fmt: skip
        self._priorities = np.zeros(capacity)  # errors, before the exponent

    def __len__(self) -> int:
        return self._size

    def add(self, found: Transitions) -> None:
        """Remember `found`, at the highest priority so far, in place of the oldest."""
        count = len(found.actions)
        places = (self._next + np.arange(count)) % self._capacity
        for part in fields(Transitions):
            getattr(self._kept, part.name)[places] = getattr(found, part.name)
        self._priorities[places] = self._priorities.max(initial=0.0) or 1.0
        self._next = (self._next + count) % self._capacity
        self._size = min(self._size + count, self._capacity)

    def draw(
        self, shape: tuple[int, int], rng: np.random.Generator, *, importance: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places of `shape` and the weights of what lies there: rare ones count more, at most 1."""
        if not self._priority:
            return rng.integers(0, self._size, shape), np.ones(shape, np.float32)
        shares = (self._priorities[: self._size] + _FLOOR) ** self._priority
        upto = np.cumsum(shares)
        places = np.minimum(np.searchsorted(upto, rng.random(shape) * upto[-1], side="right"), self._size - 1)
        weights = (shares.min() / shares[places]) ** importance
        return places, np.asarray(weights, np.float32)

    def take(self, places: NDArray[np.int64]) -> Transitions:
        """Copies of what lies at `places`, in their shape."""
        return Transitions(*(getattr(self._kept, part.name)[places] for part in fields(Transitions)))

    def learnt(self, places: NDArray[np.int64], errors: NDArray[np.float32]) -> None:
        """Note how wrong the network was about the transitions at `places`; the last of equal places counts.

        `places` may have any shape; `errors` has the same. Without priorities nothing is noted.
        """
        if self._priority:
            self._priorities[places.reshape(-1)] = np.abs(errors.reshape(-1))

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of what is remembered: the parts of `Transitions`, "priorities" (size,), and the number "next" ()."""
        kept = {part.name: getattr(self._kept, part.name) for part in fields(Transitions)}
        kept["priorities"] = self._priorities
        found: dict[str, NDArray[Any]] = {name: array[: self._size].copy() for name, array in kept.items()}
        return found | {"next": np.array(self._next)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `state` gave, in the same shapes.

        Raises:
            InputError: if it does not fit this memory.
        """
        kept = {part.name: getattr(self._kept, part.name) for part in fields(Transitions)}
        kept["priorities"] = self._priorities
        size = len(state["actions"]) if "actions" in state else -1
        for name, array in kept.items():
            if name not in state or state[name].shape != (size, *array.shape[1:]) or size > self._capacity:
                raise InputError("checkpoint", f"must hold a memory that fits: {name}", hint=AGAIN)
            array[:size] = state[name]
        if not 0 <= int(state["next"]) < self._capacity:
            raise InputError("checkpoint", "must hold a memory that fits: next", int(state["next"]), AGAIN)
        self._next, self._size = int(state["next"]), size


def n_step(
    rewards: NDArray[np.float32], terminated: NDArray[np.bool_], ended: NDArray[np.bool_], *, steps: int,
    discount: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:  # fmt: skip
    """Sums of up to `steps` rewards from each step on: until the episode ends, or what was played does.

    Args:
        rewards, terminated, ended: (time, environments); an episode that `ended` may have `terminated`, or been cut.

    Returns:
        sums and discounts as `Transitions` has them, and the time (time, environments) of the last reward in each.
    """
    length = len(rewards)
    sums, factors = np.zeros(rewards.shape, np.float64), np.ones(rewards.shape, np.float64)
    last = np.broadcast_to(np.arange(length)[:, None], rewards.shape).copy()
    running = np.ones(rewards.shape, bool)
    for ahead in range(min(steps, length)):
        here = running[: length - ahead]
        sums[: length - ahead] += np.where(here, factors[: length - ahead] * rewards[ahead:], 0.0)
        factors[: length - ahead][here] *= discount
        last[: length - ahead][here] += ahead > 0
        running[: length - ahead] &= ~ended[ahead:]
        running[length - ahead - 1 :] = False
    reached = np.take_along_axis(terminated, last, axis=0)
    return sums.astype(np.float32), np.where(reached, 0.0, factors).astype(np.float32), last
