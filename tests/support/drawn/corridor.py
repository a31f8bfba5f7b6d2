"""An environment of a test's own: a corridor of seven places, with a wage at its right end and a pit at its left.

`corridor:Corridor-v0` registers it by being imported; the best policy always goes right.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

PLACES = 7
WAGE, PIT, STEP = 1.0, -1.0, -0.05


class Corridor(gymnasium.Env[Any, Any]):
    """Actions 1 and 2 go left and right; an episode begins anywhere between the ends."""

    observation_space = spaces.Box(0.0, PLACES - 1.0, (2,), np.float64)
    action_space = spaces.Discrete(2, start=1)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(1, PLACES - 1))
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        self.place += 1 if action == 2 else -1
        ended = self.place in (0, PLACES - 1)
        reward = (WAGE if self.place else PIT) if ended else STEP
        return self._seen(), reward, ended, False, {}

    def _seen(self) -> Any:
        return np.array([self.place, 3.0])  # the second number never changes


class Wrong(Corridor):
    """With spaces that no policy of dltk takes."""

    def __init__(self, kind: str) -> None:
        if kind == "actions":
            self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)
        else:
            self.observation_space = spaces.Discrete(3) if kind == "number" else spaces.Box(0, 255, (8, 8), np.uint8)


class Broken(Corridor):
    """Rewards that are no numbers."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        seen, _, ended, cut, told = super().step(action)
        return seen, float("nan"), ended, cut, told


class Lacking(Corridor):
    """Needs a package that nobody has."""

    def __init__(self) -> None:
        raise gymnasium.error.DependencyNotInstalled("Box2D is not installed")


def best_return(start: int) -> float:
    """What the best policy gains from place `start`."""
    return WAGE + STEP * (PLACES - 2 - start)


for _name, _made, _settings in (
    ("Corridor-v0", Corridor, {}),
    ("Actions-v0", Wrong, {"kind": "actions"}),
    ("Number-v0", Wrong, {"kind": "number"}),
    ("Picture-v0", Wrong, {"kind": "picture"}),
    ("Broken-v0", Broken, {}),
    ("Lacking-v0", Lacking, {}),
):
    gymnasium.register(_name, entry_point=_made, kwargs=_settings, max_episode_steps=12)
