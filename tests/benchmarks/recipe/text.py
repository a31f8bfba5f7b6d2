"""How well the text recipes sort the queries of Banking77 (CC BY 4.0) into their 77 intents.

The data is looked for in the folder `banking77` of the one that DLTK_BENCH_DATA names: train.csv and test.csv, with the
columns text and category.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dltk.edge.runtime.machine import machine
from dltk.run import Run
from support.figures import Figure, at_least, spread
from support.shell import Failure, console_script, once, run_json, shown

__all__ = ["banking77"]

_SEEDS = (0, 1, 2)
_ROWS: dict[str, tuple[str, tuple[str, ...], float | None]] = {  # name -> recipe, settings, target
    "from scratch": ("text-classification", (), 0.80),
    "transfer": ("text-transfer", ("tune.epochs=0",), 0.91),
    "transfer, 10 texts per class": ("text-transfer", ("tune.epochs=0", "data.shots=10"), 0.80),
    "transfer, zero-shot": ("text-transfer", ("model.zero_shot=true",), None),
}


def banking77(*, runs: Path, limit: int) -> list[Figure]:
    """Test accuracy of each way, over three seeds; of the last file of the first way also after int8."""
    found = []
    for what, (recipe, settings, target) in _ROWS.items():
        seeds = _SEEDS[:1] if limit or "model.zero_shot=true" in settings else _SEEDS
        made = [_trained(recipe, (*settings, f"seed={seed}"), runs, limit) for seed in seeds]
        scores = [float(Run.open(path).read_json("metrics")["accuracy"]) for path, _ in made]
        middle, words = spread(scores, "{:.4f}")
        words += f" with seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else ""
        met = None if target is None else at_least(middle, target)
        goal = "" if target is None else f"at least {target:.2f}"
        title = f"test accuracy, {what}"
        found.append(Figure("banking77", title, made[0][1], f"{middle:.4f}", words, goal, met, machine()))
        if recipe == "text-classification":
            found.append(_int8(made[0][0], runs))
    return found


def _trained(recipe: str, settings: Sequence[str], runs: Path, limit: int) -> tuple[Path, str]:
    """The run, and the command that makes it."""
    if limit and not any(pair.startswith("data.shots") for pair in settings):
        settings = (*settings, f"data.limit={limit}")
    pairs = ("data.label=category", *settings)
    target = runs / "-".join([recipe, *(pair.partition("=")[0].rpartition(".")[2] + pair.partition("=")[2]
                                        for pair in settings)])  # fmt: skip
    command = [console_script(), "finetune", recipe, "--data", _data(), "--run", target]
    command += [word for pair in pairs for word in ("--set", pair)]
    return once(target, command), shown(command)


def _int8(source: Path, runs: Path) -> Figure:
    made, bundle = runs / f"{source.name}-int8", runs / f"{source.name}-bundle"
    command = [console_script(), "compress", source, "--step", "quantize", "--no-control", "--run", made]
    once(made, command)
    wanted = ["--format", "tflite", "--precision", "int8", "--out", bundle, "--json"]
    exported, _ = run_json([console_script(), "export", made, *wanted])
    (artifact,) = exported["artifacts"]
    lost = 100 * float(artifact["metric"]["drop"])
    low, high = (100 * float(np.float64(end)) for end in artifact["metric"]["interval"])
    words = f"{low:+.2f} to {high:+.2f}, 95% paired bootstrap; {artifact['bytes']:,} bytes"
    title = "points of accuracy lost in int8, from scratch"
    return Figure("banking77", title, shown(command), f"{lost:+.2f}", words, "", None, machine())


def _data() -> Path:
    folder = os.environ.get("DLTK_BENCH_DATA")
    if folder is None:
        raise Failure("DLTK_BENCH_DATA must name the folder that holds banking77/train.csv and banking77/test.csv")
    return Path(folder).resolve() / "banking77"
