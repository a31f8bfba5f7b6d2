"""Shapes on uneven backgrounds: what the examples of images are drawn from."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

__all__ = ["KINDS", "background", "outline", "painted", "save_jpeg", "save_mask"]

KINDS = ("circle", "cross", "ring", "square", "star", "triangle")
_SMOOTH = 3  # a shape is drawn this many times larger, then reduced: soft edges
_CONTRAST = 70  # least difference between a shape and its background, in grey levels of 255


def background(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """A soft, uneven surface of one hue: (side, side, 3), values from 0 to 255."""
    base = rng.integers(30, 226, 3)
    coarse = np.clip(base + rng.integers(-35, 36, (4, 4, 1)) + rng.integers(-12, 13, (4, 4, 3)), 0, 255)
    image = Image.fromarray(coarse.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64)


def outline(rng: np.random.Generator, kind: str, side: int, *, least: float = 0.24, most: float = 0.4) -> Image.Image:
    """One of `KINDS` at a random place, size and angle: a grey image, 255 inside, of three times `side` squared.

    Args:
        least, most: the range of its radius, as a share of `side`.
    """
    large = side * _SMOOTH
    radius = rng.uniform(least, most) * large
    x, y = (rng.uniform(radius, large - radius) for _ in range(2))
    turn = rng.uniform(0, 2 * math.pi)
    image = Image.new("L", (large, large))
    draw = ImageDraw.Draw(image)
    draw.polygon([(x + radius * u, y + radius * v) for u, v in _turned(_points(kind), turn)], fill=255)
    if kind == "ring":
        draw.polygon([(x + radius * u * 0.55, y + radius * v * 0.55) for u, v in _points(kind)], fill=0)
    return image


def painted(
    rng: np.random.Generator, under: NDArray[np.float64], shape: Image.Image, *, noise: float = 6.0
) -> NDArray[np.float64]:
    """`under` with `shape` on it, in a colour that differs from it; both (side, side, 3), values from 0 to 255.

    Args:
        noise: standard deviation of the noise of the shape's surface.
    """
    side = len(under)
    cover = np.asarray(shape.resize((side, side), Image.Resampling.BOX), np.float64)[..., None] / 255
    mean = under.mean()
    colour = rng.integers(0, 256, 3)
    while abs(colour.mean() - mean) < _CONTRAST:
        colour = rng.integers(0, 256, 3)
    surface = colour + rng.normal(0, noise, (side, side, 1))
    return under * (1 - cover) + surface * cover


def save_jpeg(image: NDArray[np.float64], path: Path, rng: np.random.Generator) -> None:
    """Write (H, W, 3), values from 0 to 255, with the noise of a camera, as a JPEG."""
    noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).round().astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noisy).save(stream, "JPEG", quality=88)
    path.write_bytes(stream.getvalue())


def save_mask(mask: NDArray[np.uint8], path: Path) -> None:
    """Write class numbers uint8 (H, W) as a PNG of grey levels."""
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG")
    path.write_bytes(stream.getvalue())


def _points(kind: str) -> list[tuple[float, float]]:
    """The corners of a shape whose radius is 1."""
    if kind == "cross":
        wide, arm = 0.3, 0.95
        quarter = [(wide, wide), (arm, wide), (arm, -wide)]
        return [point for step in range(4) for point in _turned(quarter, -step * math.pi / 2)]
    if kind == "star":
        return [_at(number * math.pi / 5, 1.0 if number % 2 else 0.42) for number in range(10)]
    corners = {"triangle": 3, "square": 4}.get(kind, 48)
    return [_at(number * 2 * math.pi / corners, 1.0) for number in range(corners)]


def _at(angle: float, radius: float) -> tuple[float, float]:
    return radius * math.cos(angle), radius * math.sin(angle)


def _turned(points: list[tuple[float, float]], angle: float) -> list[tuple[float, float]]:
    cos, sin = math.cos(angle), math.sin(angle)
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]
