"""Worlds to act in: gymnasium environments with numbered actions and a row of numbers as observation."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError, did_you_mean
from dltk.base.install import pip_extra, pip_install

__all__ = ["Environment", "open_environment"]

_EXAMPLES = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0", "LunarLander-v3")


class Environment:
    """One environment; made by `open_environment`.

    Attributes:
        name: as its user called it.
        width: numbers of an observation.
        actions: how many there are; they are numbered from 0 here, whatever the environment calls them.
    """

    def __init__(self, name: str, made: Any, *, width: int, actions: int, first: int) -> None:
        self.name, self.width, self.actions = name, width, actions
        self._made, self._step, self._first = made, made.step, first

    def reset(self, seed: int | None = None) -> NDArray[np.float32]:
        """Start an episode, with `seed` one that is a function of it; returns the first observation (width,)."""
        observation, _ = self._made.reset(seed=seed)
        return np.array(observation, np.float32)

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool]:
        """Observation (width,), reward, whether the episode has ended of itself, whether it was cut off."""
        observation, reward, terminated, truncated, _ = self._step(action + self._first)
        return np.array(observation, np.float32), float(reward), bool(terminated), bool(truncated)

    def close(self) -> None:
        """Give back what it holds."""
        self._made.close()


def open_environment(name: str) -> Environment:
    """The environment that gymnasium knows as `name`; "MODULE:NAME" imports MODULE first, which may register it.

    Raises:
        InputError: if there is none of that name, or its actions or observations are of another kind.
        EnvironmentFault: if gymnasium, or a package that the environment needs, is not installed.
    """
    made = _make(name)
    from gymnasium import spaces

    seen, does = made.observation_space, made.action_space
    hint = f"For example {', '.join(_EXAMPLES)}."
    if not isinstance(does, spaces.Discrete):
        made.close()
        raise InputError(f"environment {name}", "must have numbered actions (Discrete)", str(does), hint)
    if not isinstance(seen, spaces.Box) or len(seen.shape) != 1 or not seen.shape[0]:
        made.close()
        rule = "must give a row of numbers as observation (Box of one axis)"
        raise InputError(f"environment {name}", rule, str(seen), hint)
    return Environment(name, made, width=int(seen.shape[0]), actions=int(does.n), first=int(does.start))


def _make(name: str) -> Any:
    where = f"environment {name}"
    try:
        import gymnasium
    except ImportError as fault:
        raise EnvironmentFault(where, "needs gymnasium", hint=f"Run `{pip_extra('control')}`.") from fault
    module, _, known = name.rpartition(":")
    if module:
        try:
            import_module(module)
        except ImportError as fault:
            hint = "Put its folder on PYTHONPATH."
            raise InputError(where, f"the module {module!r} must be importable", str(fault), hint) from fault
    if known not in gymnasium.registry:
        hint = did_you_mean(known, gymnasium.registry)
        hint = hint if hint.startswith("Did") else f"For example {', '.join(_EXAMPLES)}."
        raise InputError(where, "is not known to gymnasium", hint=hint)
    try:
        return gymnasium.make(known, disable_env_checker=True)
    except (gymnasium.error.DependencyNotInstalled, ImportError) as fault:
        hint = _needed(gymnasium.registry[known].entry_point)
        raise EnvironmentFault(where, "needs a package that is not installed", str(fault), hint) from fault
    except gymnasium.error.Error as fault:
        raise InputError(where, "must be one that can be made", str(fault)) from fault


def _needed(entry_point: Any) -> str:
    """gymnasium keeps the environments of its extra "box2d" in `gymnasium.envs.box2d`, and so on."""
    parts = str(entry_point).partition(":")[0].split(".")
    if parts[:2] == ["gymnasium", "envs"] and len(parts) > 2:
        extra = parts[2].replace("_", "-")
        return f"Run `{pip_install(f'gymnasium[{extra}]')}`."
    return "Install what its author names."
