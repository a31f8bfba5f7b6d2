"""Examples of images: a folder per class, images with masks, and images with texts."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dltk.data.examples.drawing import KINDS, background, outline, painted, save_jpeg, save_mask

__all__ = ["write_masks", "write_photos", "write_posts"]

_SIDE = 64  # pixels
_PER_CLASS = 150
_SCENES, _SCENE_SIDE = 160, 96
_POSTS = 720
_GLAD = (
    "Love it",
    "Works perfectly",
    "Great value",
    "Exactly what I wanted",
    "Very happy with it",
    "Would buy it again",
)
_SORRY = ("Not what I wanted", "Does not fit", "I want my money back", "Very disappointed", "Please take it back",
          "The colour is wrong")  # fmt: skip
_OPENINGS = ("", "Arrived on Monday.", "Ordered two weeks ago.", "A present for my sister.", "Meant for the office.",
             "My second order.", "Came in a large box.")  # fmt: skip
_ITEMS = ("lamp", "plate", "clock", "tile", "sign", "mirror", "tray", "coaster")


def write_photos(folder: Path) -> None:
    """One subfolder per shape, each with 150 JPEGs of 64 x 64 pixels; colour, place, size and angle vary."""
    rng = np.random.default_rng(11)
    for kind in KINDS:
        (folder / kind).mkdir()
        for number in range(1, _PER_CLASS + 1):
            image = painted(rng, background(rng, _SIDE), outline(rng, kind, _SIDE))
            save_jpeg(image, folder / kind / f"{number:03}.jpg", rng)


def write_masks(folder: Path) -> None:
    """images/ and masks/: 160 scenes of 96 x 96 pixels with one to three shapes; labels.txt names the classes."""
    rng = np.random.default_rng(12)
    classes = ("background", "circle", "square", "triangle")
    (folder / "labels.txt").write_text("\n".join(classes) + "\n", encoding="utf-8")
    for name in ("images", "masks"):
        (folder / name).mkdir()
    for number in range(1, _SCENES + 1):
        image, mask = background(rng, _SCENE_SIDE), np.zeros((_SCENE_SIDE, _SCENE_SIDE), np.uint8)
        for _ in range(rng.integers(1, 4)):
            label = int(rng.integers(1, len(classes)))
            shape = outline(rng, classes[label], _SCENE_SIDE, least=0.14, most=0.26)
            image = painted(rng, image, shape)
            inside = np.asarray(shape.resize((_SCENE_SIDE, _SCENE_SIDE), Image.Resampling.BOX)) > 127
            mask[inside] = label
        save_jpeg(image, folder / "images" / f"{number:03}.jpg", rng)
        save_mask(mask, folder / "masks" / f"{number:03}.png")


def write_posts(folder: Path) -> None:
    """posts.csv and photos/: 720 images of an item, whole or cracked, with what its buyer writes.

    A cracked item is a fault, whatever the text; of a whole one, the text decides between praise and a return. Buyers
    of cracked items write as those who return one. Neither the image nor the text alone is enough.
    """
    rng = np.random.default_rng(13)
    (folder / "photos").mkdir()
    rows = []
    for number in range(1, _POSTS + 1):
        label = ("fault", "praise", "return")[number % 3]
        shape = outline(rng, "circle" if rng.random() < 0.5 else "square", _SIDE, least=0.34, most=0.44)
        if label == "fault":
            _crack(rng, shape)
        name = f"photos/{number:03}.jpg"
        save_jpeg(painted(rng, background(rng, _SIDE), shape), folder / name, rng)
        rows.append((name, _post(rng, _GLAD if label == "praise" else _SORRY), label))
    with (folder / "posts.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "text", "label"))
        writer.writerows(rows)


def _post(rng: np.random.Generator, phrases: tuple[str, ...]) -> str:
    """An opening, the item, and one or two of `phrases`."""
    chosen = [phrases[each] for each in rng.permutation(len(phrases))[: rng.integers(1, 3)]]
    item = _ITEMS[rng.integers(len(_ITEMS))]
    opening = _OPENINGS[rng.integers(len(_OPENINGS))]
    return f"{opening} The {item}: {'. '.join(chosen)}.".strip()


def _crack(rng: np.random.Generator, shape: Image.Image) -> None:
    """Cut a jagged line from edge to edge through the middle of `shape`."""
    side, middle = shape.width, np.argwhere(np.asarray(shape) > 0).mean(axis=0)[::-1]
    turn = rng.uniform(0, np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    steps = np.linspace(-side, side, 41)
    points = [middle + step * along + rng.uniform(-0.05, 0.05) * side * across for step in steps]
    ImageDraw.Draw(shape).line([tuple(point) for point in points], fill=0, width=int(side * 0.06))
