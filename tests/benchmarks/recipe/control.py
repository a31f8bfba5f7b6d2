"""The recipe `control` on CartPole-v1: the returns of the trained network, and of the file that a device plays with.

LunarLander-v3, too, by one seed: it needs `pip install 'gymnasium[box2d]'`.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from dltk.edge.runtime.machine import machine
from dltk.run import Run
from support.figures import Figure, at_least, spread
from support.shell import console_script, heading, once, run_json, shown

__all__ = ["cart_pole", "lunar_lander"]

_SEEDS = (0, 1, 2)
_SOLVED = 475.0  # gymnasium's own threshold for CartPole-v1
_LANDER = ("seed=0", "fit.epochs=100", "fit.learning_rate=5e-4", "dqn.memory=100000", "dqn.episodes=20")
_GATE = ("--gate", "cosine=-1")  # advantages lie around zero: a cosine says little of them


def cart_pole(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Mean return of 100 greedy episodes, three seeds of training; and of the first seed's TFLite file."""
    means, command = [], list[str | Path]()
    for seed in _SEEDS:
        folder = runs / f"control-{seed}"
        command = _trained("CartPole-v1", folder, limit, f"seed={seed}")
        means.append(float(Run.open(folder).read_json("metrics")["return_mean"]))
    middle, words_of = spread(means, "{:.1f}")
    lowest = min(means)
    what = f"mean return of 100 greedy episodes on CartPole-v1, the worst of {len(_SEEDS)} seeds (median {middle:.1f})"
    met = at_least(lowest, _SOLVED)
    found = Figure("recipe-control", what, shown(command), f"{lowest:.1f}", words_of, "at least 475", met, machine())
    return [found, _played("recipe-control", "CartPole-v1", runs / "control-0", _SOLVED)]


def lunar_lander(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Mean return of 100 greedy episodes: 200 counts as solved. No figure where its physics are missing."""
    if find_spec("Box2D") is None:
        heading("LunarLander-v3 is left out: pip install 'gymnasium[box2d]'")
        return []
    folder = runs / "lunar-0"
    command = _trained("LunarLander-v3", folder, limit, *_LANDER)
    found, row = Run.open(folder).read_json("metrics"), "recipe-lander"
    what = "mean return of 100 greedy episodes on LunarLander-v3"
    words = f"standard deviation {found['return_spread']:.1f}"
    trained = Figure(row, what, shown(command), f"{found['return_mean']:.1f}", words, "", None, machine())
    return [trained, _played(row, "LunarLander-v3", folder, None)]


def _trained(environment: str, folder: Path, limit: int, *pairs: str) -> list[str | Path]:
    """The command that trained the run in `folder`, which it is where it was not there yet."""
    words = [word for pair in (*pairs, *(["fit.epochs=2"] if limit else [])) for word in ("--set", pair)]
    command = [console_script(), "finetune", "control", "--data", environment, "--run", folder, *words]
    once(folder, command)
    return command


def _played(row: str, environment: str, source: Path, target: float | None) -> Figure:
    """What the float32 TFLite file of a run returns."""
    bundle = source.with_name(f"{source.name}-bundle")
    export = [console_script(), "export", source, "--format", "tflite", "--precision", "float32"]
    run_json([*export, *_GATE, "--out", bundle, "--json"])
    command = [console_script(), "predict", bundle, "--env", environment, "--episodes", "100", "--json"]
    played, _ = run_json(command)
    mean, deviation = float(played["return_mean"]), float(played["return_spread"])
    what = "the same for the float32 TFLite file of the first seed, without TensorFlow, from other starts"
    said, met = ("", None) if target is None else (f"at least {target:g}", at_least(mean, target))
    return Figure(row, what, shown(command), f"{mean:.1f}", f"standard deviation {deviation:.1f}", said, met, machine())
