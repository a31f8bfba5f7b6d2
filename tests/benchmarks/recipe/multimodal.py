"""Whether `multimodal` makes more of an image and a text than either tower makes of its own part.

The samples are drawn by `tests/support/drawn/pairs.py`: a label is a mood, which only the text tells, and a shape,
which only the picture does. A tower alone cannot be right more often than it can guess the other part.
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean

from dltk.base.files import parse_json, read_capped
from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, at_most, points_lost
from support.shell import console_script, once, reach_tests, run_json, shown

__all__ = ["images_with_texts"]

_NAME = "multimodal"
_SAMPLES, _SEEDS = 1200, (0, 1, 2)
_AHEAD = 20.0  # points that both towers are to be better than the better one alone
_LOST = 2.0  # points that int8 may lose
_OWN = ("data.size=32", "data.length=16", "data.vocabulary=400")
_OPEN = ("drop=1", "cosine=-1", "top1_agreement=0")


def images_with_texts(*, runs: Path, limit: int) -> list[Figure]:
    """Both towers against each alone, the same samples and splits; and what int8 costs."""
    table = _drawn(runs / f"{_NAME}-data", limit or _SAMPLES)
    found: dict[str, list[float]] = {}
    command = ""
    for towers in ("image", "text", "both"):
        for seed in _SEEDS:
            run, command = _trained(runs / f"{_NAME}-{towers}-{seed}", table, towers, seed)
            found.setdefault(towers, []).append(_accuracy(run))
    best = max(mean(found["image"]), mean(found["text"]))
    ahead = 100 * (mean(found["both"]) - best)
    words = ", ".join(f"{towers} {mean(values):.3f}" for towers, values in found.items())
    what = "points of accuracy that both towers gain over the better single tower"
    words += f"; means of {len(_SEEDS)} seeds"
    first = _figure(command, what, f"{ahead:+.1f}", words, f"at least {_AHEAD:g}", at_least(ahead, _AHEAD))
    return [first, _int8(runs / f"{_NAME}-both-{_SEEDS[0]}", runs)]


def _drawn(folder: Path, count: int) -> Path:
    if not (folder / "pairs.csv").is_file():
        reach_tests()
        import pairs

        pairs.write(folder, count)
    return folder / "pairs.csv"


def _trained(run: Path, table: Path, towers: str, seed: int) -> tuple[Path, str]:
    pairs = (*_OWN, f"model.towers={towers}", f"seed={seed}")
    words = [word for pair in pairs for word in ("--set", pair)]
    command = [console_script(), "finetune", _NAME, "--data", table, "--run", run, *words]
    return once(run, command), shown(command)


def _accuracy(run: Path) -> float:
    return float(parse_json(read_capped(run / "metrics.json", 100_000_000), run)["accuracy"])


def _int8(source: Path, runs: Path) -> Figure:
    made, bundle = runs / f"{_NAME}-int8", runs / f"{_NAME}-int8-bundle"
    command = [
        console_script(), "compress", source, "--no-control", "--run", made, "--step", "quantize:precision=int8"
    ]  # fmt: skip
    once(made, command)
    gate = [word for pair in _OPEN for word in ("--gate", pair)]
    wanted = ["--format", "tflite", "--precision", "int8", *gate, "--out", bundle, "--json"]
    exported, _ = run_json([console_script(), "export", made, *wanted])
    (artifact,) = exported["artifacts"]
    lost, words = points_lost(artifact["metric"], "samples")
    what = f"points of accuracy lost in int8, a file of {(bundle / artifact['file']).stat().st_size:,} bytes"
    return _figure(shown(command), what, f"{lost:+.2f}", words, f"at most {_LOST:g}", at_most(lost, _LOST))


def _figure(command: str, what: str, value: str, spread: str, target: str, met: bool) -> Figure:
    return Figure(_NAME, what, command, value, spread, target, met, machine())
