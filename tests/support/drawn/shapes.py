"""Made-up pictures for segmentation: circles, squares and triangles of any colour on noise, with their masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["LABELS", "draw", "write"]

LABELS = ("ground", "circle", "square", "triangle")
_MOST = 3  # shapes a picture


def draw(seed: int, side: int = 64) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Picture (side, side, 3) and mask (side, side); later shapes lie over earlier ones.

    Colours say nothing: ground and shapes draw theirs alike, a shape's at least 60 of 255 from the ground's in the
    mean over the channels, with noise of deviation 16 over all.
    """
    draw = np.random.Generator(np.random.PCG64(seed))
    ground = draw.integers(0, 256, 3)
    picture = np.broadcast_to(ground, (side, side, 3)).astype(np.float64).copy()
    mask = np.zeros((side, side), np.uint8)
    rows, columns = np.mgrid[:side, :side]
    for _ in range(draw.integers(1, _MOST + 1)):
        kind, radius = int(draw.integers(1, len(LABELS))), draw.uniform(0.12, 0.25) * side
        y, x = draw.uniform(radius, side - radius, 2)
        down, right = rows - y, columns - x
        inside = {
            1: down**2 + right**2 <= radius**2,
            2: np.maximum(abs(down), abs(right)) <= 0.9 * radius,
            3: (down <= 0.8 * radius) & (down >= 2 * abs(right) - radius),
        }[kind]
        colour = draw.integers(0, 256, 3)
        while abs(colour - ground).mean() < 60:
            colour = draw.integers(0, 256, 3)
        picture[inside], mask[inside] = colour, kind
    noisy = picture + draw.normal(0, 16, picture.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), mask


def write(folder: Path, count: int, *, side: int = 64, seed: int = 0) -> Path:
    """`count` pictures in `folder`/images with `folder`/masks and labels.txt; returns `folder`."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture, mask = draw(seed * 1_000_000 + number, side)
        Image.fromarray(picture).save(folder / "images" / f"{number:05d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number:05d}.png")
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder
