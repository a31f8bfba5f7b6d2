"""Mean intersection over union of a U-Net on made shapes, by the commands a user types."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

from dltk.base.files import parse_json, read_capped
from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, at_most, points_lost, spread, with_float32
from support.shell import ROOT, console_script, once, run_json, shown

__all__ = ["masks_of_shapes"]

_SEEDS = (0, 1, 2)
_PICTURES = 1500
_SETTINGS = ("data.size=64", "model.filters=64,48,32,24,16", "fit.epochs=15")
_LEAST, _MOST_POINTS = 0.9, 2.0


def masks_of_shapes(*, runs: Path, limit: int = 0) -> list[Figure]:
    """Mean IoU on the test split, three seeds, and the points that the int8 file of the first seed loses."""
    data = runs / "shapes"
    if not (data / "labels.txt").is_file():
        run_path(str(ROOT / "tests" / "support" / "drawn" / "shapes.py"))["write"](data, limit or _PICTURES)
    found, command = [], ""
    for seed in _SEEDS:
        run = runs / f"segmentation-{seed}"
        pairs = [word for pair in (*_SETTINGS, f"seed={seed}") for word in ("--set", pair)]
        words = [console_script(), "finetune", "segmentation", "--data", data, "--run", run, *pairs]
        path, command = once(run, words) / "metrics.json", shown(words)
        found.append(float(parse_json(read_capped(path, 10_000_000), path)["mean_iou"]))
    middle, words_of_spread = spread(found, "{:.3f}")
    what = f"mean IoU of circles, squares and triangles, {limit or _PICTURES} images"
    target, met = f"at least {_LEAST:g}", at_least(min(found), _LEAST)
    figures = [
        Figure("recipe-segmentation", what, command, f"{middle:.3f}", f"{words_of_spread}, one seed each", target, met,
               machine()),
    ]  # fmt: skip
    return [*figures, _int8(runs)]


def _int8(runs: Path) -> Figure:
    source, made = runs / f"segmentation-{_SEEDS[0]}", runs / "segmentation-int8"
    words = [console_script(), "compress", source, "--no-control", "--run", made, "--step", "quantize:precision=int8"]
    once(made, words)
    gate = [word for pair in ("drop=1", "cosine=-1") for word in ("--gate", pair)]
    wanted = ["--format", "tflite", "--precision", "int8", *gate, "--out", runs / "segmentation-bundle", "--json"]
    exported, _ = run_json([console_script(), "export", made, *wanted])
    (artifact,) = exported["artifacts"]
    lost, interval = points_lost(artifact["metric"])
    what = f"points of mean IoU per image lost in int8: {with_float32(artifact['metric'])}"
    target, met = f"at most {_MOST_POINTS:g}", at_most(lost, _MOST_POINTS)
    return Figure("recipe-segmentation", what, shown(words), f"{lost:+.2f}", interval, target, met, machine())
