"""What the default of image-classification brings where there are few images: beside the head alone, and both phases.

Each data set is drawn anew with every seed, which is the training's, too. A tenth of it is the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.data.named.load import load_named
from dltk.edge.runtime.machine import machine
from support.figures import Figure

__all__ = ["small_sets"]

_COMMAND = "python tests/benchmarks/bench.py --only small-sets"
_SEEDS = (0, 1, 2)
_TEST = 300  # images, all classes alike
_WAYS: Mapping[str, tuple[str, ...]] = {  # name -> settings
    "head": ("tune.epochs=0",),
    "default": (),
    # What the default is where there are more images.
    "both": ("tune.epochs=10", "tune.batch_size=32", "tune.learning_rate=1e-4", "tune.average=0.98"),
}
_SETS: Mapping[str, tuple[str, tuple[int, ...], int]] = {  # title -> name, classes, images per class
    "CIFAR-10, 20 images per class": ("cifar10", tuple(range(10)), 20),
    "digits in colour, 40 images per class": ("digits", tuple(range(10)), 40),
    "cats, dogs and horses, 60 images per class": ("cifar10", (3, 5, 7), 60),
    "Fashion-MNIST, 100 images per class": ("fashion-mnist", tuple(range(10)), 100),
    "CIFAR-10, 100 images per class": ("cifar10", tuple(range(10)), 100),
}
_SURE = 100  # images per class from which on the default must win


def small_sets(*, runs: Path, limit: int) -> list[Figure]:
    """Points of test accuracy that the default wins over the head alone, mean of three seeds."""
    found, wins = [], []
    for title, (name, classes, count) in _SETS.items():
        scores: dict[str, list[float]] = {}
        for seed in _SEEDS[:1] if limit else _SEEDS:
            data = _drawn(runs / f"small-{name}-{len(classes)}-{count}-{seed}.npz", name, classes, count, seed)
            for way in _WAYS if count < _SURE else ("head", "default"):
                scores.setdefault(way, []).append(_accuracy(data, way, seed, limit))
            print(
                f"  {title}, seed {seed}: { ({way: round(each[-1], 3) for way, each in scores.items()}) }", flush=True
            )
        win = _points(scores["default"], scores["head"])
        wins.append(win.mean())
        words = f"{win.min():+.2f} to {win.max():+.2f} over seeds; head only {np.mean(scores['head']):.3f}"
        if "both" in scores:
            words += f"; always both phases: {_points(scores['both'], scores['head']).mean():+.2f}"
        goal, met = ("above 0", bool(win.mean() > 0)) if count >= _SURE else ("", None)
        what = f"points of accuracy gained over training the head only, {title}"
        found.append(Figure("small-sets", what, _COMMAND, f"{win.mean():+.2f}", words, goal, met, machine()))
    mean, what = float(np.mean(wins)), "points of accuracy gained over training the head only, mean of the sets"
    return [*found, Figure("small-sets", what, _COMMAND, f"{mean:+.2f}", "", "at least 0", mean >= 0, machine())]


def _points(ours: Sequence[float], theirs: Sequence[float]) -> NDArray[np.float64]:
    return 100 * (np.asarray(ours) - np.asarray(theirs))


def _drawn(path: Path, name: str, classes: Sequence[int], count: int, seed: int) -> Path:
    """An npz with `count` training images of each class and some for the test, drawn by `seed`."""
    if path.is_file():
        return path
    known = load_named(name)
    draw, part = np.random.Generator(np.random.PCG64([seed, count])), {}
    rows = [draw.permutation(np.flatnonzero(known.targets == each)) for each in classes]
    each = _TEST // len(classes)
    for side, chosen in (
        ("train", [row[:count] for row in rows]),
        ("test", [row[count : count + each] for row in rows]),
    ):
        picked = np.concatenate(chosen)
        part[f"x_{side}"] = _coloured(known.images[picked], draw)
        part[f"y_{side}"] = np.searchsorted(np.sort(classes), known.targets[picked])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        np.savez(stream, **part)
    return path


def _coloured(images: NDArray[np.uint8], draw: np.random.Generator) -> NDArray[np.uint8]:
    """Grey images with a dark and a light colour of their own in place of black and white."""
    if images.ndim == 4:
        return images
    share = (images / images.max())[..., None]
    light, dark = (draw.uniform(*ends, (len(images), 1, 1, 3)) for ends in ((150, 255), (0, 70)))
    return np.asarray(share * light + (1 - share) * dark, np.uint8)


def _accuracy(data: Path, way: str, seed: int, limit: int) -> float:
    """On the test images, after training that way; a run that is finished is not made again."""
    from dltk.workflows import finetune

    target = data.with_name(f"{data.stem}-{way}{f'-{limit}' if limit else ''}")
    settings = [*_WAYS[way], f"seed={seed}", *([f"data.limit={limit}"] if limit else [])]
    made = finetune("image-classification", data=data, run=target, set=settings, resume=target.is_dir())
    return float(made.read_json("metrics")["accuracy"])
