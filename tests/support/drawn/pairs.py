"""Drawn pictures with sentences about them: the label needs both, the shape from one and the mood from the other."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LABELS", "draw", "write"]

SHAPES = ("cross", "disc", "square")
_WORDS = {
    "keep": ("I love it", "works very well", "just as I hoped", "fits nicely", "would buy it again"),
    "return": ("it broke at once", "does not fit", "I want my money back", "not what I ordered", "of poor make"),
}
LABELS = tuple(f"{mood} {shape}" for mood in _WORDS for shape in SHAPES)
_FILL = ("", "hello,", "well,", "to be honest", "after a week", "my wife says", "for the price", "thanks")


def draw(shape: str, generator: np.random.Generator, *, side: int = 32) -> NDArray[np.uint8]:
    """uint8 (side, side, 3): one shape of a random size, place and colour, on noise."""
    radius = generator.uniform(0.2, 0.3) * side
    x, y = generator.uniform(radius, side - radius, 2)
    across, down = np.abs(np.arange(side) + 0.5 - x)[None, :], np.abs(np.arange(side) + 0.5 - y)[:, None]
    inside = {
        "disc": across**2 + down**2 < radius**2,
        "square": np.maximum(across, down) < 0.88 * radius,  # about the disc's area
        "cross": (np.maximum(across, down) < radius) & (np.minimum(across, down) < 0.4 * radius),
    }[shape]
    picture = generator.normal(90, 30, (side, side, 3))
    picture[inside] += generator.uniform(40, 120, 3)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def write(folder: Path, count: int, *, seed: int = 0, side: int = 32) -> Path:
    """A CSV of `count` samples, all labels alike often, its pictures in `folder`/pictures."""
    generator = np.random.default_rng(seed)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    path = folder / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("image", "text", "label"))
        for number in range(count):
            label = LABELS[number % len(LABELS)]
            mood, shape = label.split()
            Image.fromarray(draw(shape, generator, side=side)).save(folder / f"pictures/{number:04}.png")
            parts = [generator.choice(_FILL), generator.choice(_WORDS[mood]), generator.choice(_FILL)]
            rows.writerow((f"pictures/{number:04}.png", " ".join(part for part in parts if part), label))
    return path
