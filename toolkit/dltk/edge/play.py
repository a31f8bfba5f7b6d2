"""Run a policy: episodes in an environment, and their returns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, UsageError
from dltk.edge.bundle.signature import Signature
from dltk.edge.environments import Environment, open_environment
from dltk.edge.families import ActionFamily, Tensors, family, require_finite

__all__ = ["Played", "greedy_policy", "play", "play_bundle"]

Choose = Callable[[NDArray[np.float32]], NDArray[Any]]  # observations (n, width) -> numbers of actions (n,)

_TOGETHER = 16  # episodes that are played side by side
_MOST_STEPS = 10_000  # of an episode: some environments would never end one


@dataclass(frozen=True)
class Played:
    """Episodes that were played.

    Attributes:
        environment: its name.
        seed: of the first episode; each next one has the next number.
        returns: float64 (episodes,), the sum of the rewards.
        steps: int64 (episodes,).
        observations: float32 (all steps, width), those that were acted on.
    """

    environment: str
    seed: int
    returns: NDArray[np.float64]
    steps: NDArray[np.int64]
    observations: NDArray[np.float32]

    @property
    def mean(self) -> float:
        """Mean return of an episode."""
        return float(self.returns.mean())

    @property
    def spread(self) -> float:
        """Standard deviation of the returns."""
        return float(self.returns.std())

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        each = zip(self.returns.tolist(), self.steps.tolist(), strict=True)
        return {
            "environment": self.environment,
            "episodes": len(self.returns),
            "return_mean": self.mean,
            "return_spread": self.spread,
            "return_lowest": float(self.returns.min()),
            "answers": [
                {"input": f"{self.environment}, seed {seed}", "answer": {"return": gained, "steps": steps}}
                for seed, (gained, steps) in enumerate(each, start=self.seed)
            ],
        }

    def as_text(self) -> str:
        """Two lines for a person."""
        first = (
            f"{self.environment}: mean return {self.mean:.2f}, standard deviation {self.spread:.2f}, over "
            f"{len(self.returns)}"
        )
        steps = f"{self.steps.mean():.1f} steps an episode"
        return f"{first} episode(s)\nlowest {self.returns.min():.2f}, highest {self.returns.max():.2f}, {steps}"


@dataclass
class _Episode:
    environment: Environment
    number: int
    observation: NDArray[np.float32]
    gained: float = 0.0
    steps: int = 0


def play(choose: Choose, name: str, *, episodes: int, seed: int) -> Played:
    """`episodes` episodes of the environment `name`, the first from `seed`, the next from `seed + 1`, and so on.

    They are played in parallel; one that does not end is cut after 10,000 steps.

    Raises:
        UsageError: if `episodes` is below 1.
        InputError, EnvironmentFault: as `open_environment`, or if an observation or a reward is not finite.
    """
    if episodes < 1:
        raise UsageError("episodes", "must be at least 1", episodes)
    returns, steps = np.zeros(episodes), np.zeros(episodes, np.int64)
    seen: list[NDArray[np.float32]] = []
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(open_environment(name))) for _ in range(min(episodes, _TOGETHER))]
        running = [_Episode(each, number, each.reset(seed + number)) for number, each in enumerate(opened)]
        waiting = iter(range(len(opened), episodes))
        while running:
            seen.append(np.stack([episode.observation for episode in running]))
            still = []
            for episode, action in zip(running, choose(seen[-1]).tolist(), strict=True):
                if _step(episode, action):
                    returns[episode.number], steps[episode.number] = episode.gained, episode.steps
                    number = next(waiting, None)
                    if number is None:
                        continue
                    episode = _Episode(episode.environment, number, episode.environment.reset(seed + number))
                still.append(episode)
            running = still
    return Played(name, seed, returns, steps, _finite(np.concatenate(seen), returns, name))


def greedy_policy(run: Callable[[Tensors], Any], signature: Signature) -> Choose:
    """The choice of a model: always the action that it values most.

    Args:
        run: input tensors -> output tensors, by name: `dltk.edge.load.Model.run`.

    Raises:
        UsageError: if the model's predictions are no actions.
    """
    kind = family(signature.family)
    if not isinstance(kind, ActionFamily):
        raise UsageError("--env", "needs the bundle of a policy", f"one of the family {signature.family}")
    return lambda raws: kind.actions(require_finite(run(kind.tensors(raws, signature))), signature)


def play_bundle(model: Any, name: str, *, episodes: int, seed: int) -> Played:
    """Episodes that a loaded bundle (`dltk.edge.load.Model`) plays.

    Raises:
        UsageError: if it is no policy's.
        InputError: if the environment's observations or actions are not those that the policy was made for.
    """
    choose = greedy_policy(model.run, model.signature)
    width, actions = model.signature.inputs[0].sample_shape[0], model.signature.outputs[0].sample_shape[0]
    with closing(open_environment(name)) as found:
        if (found.width, found.actions) != (width, actions):
            rule = f"must give observations of {width} numbers and take {actions} actions, as this policy does"
            raise InputError(f"environment {name}", rule, f"{found.width} and {found.actions}")
    return play(choose, name, episodes=episodes, seed=seed)


def _step(episode: _Episode, action: int) -> bool:
    """Take one step; returns whether the episode is over."""
    episode.observation, reward, terminated, truncated = episode.environment.step(action)
    episode.gained += reward
    episode.steps += 1
    return terminated or truncated or episode.steps >= _MOST_STEPS


def _finite(observations: NDArray[np.float32], returns: NDArray[np.float64], name: str) -> NDArray[np.float32]:
    if not np.isfinite(observations).all() or not np.isfinite(returns).all():
        raise InputError(f"environment {name}", "must give finite observations and rewards", "NaN or infinity")
    return observations
