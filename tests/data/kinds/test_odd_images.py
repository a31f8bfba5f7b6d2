"""Odd pictures: what training sees is what the device sees, to the bit, or both refuse them with one reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pngs
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data import prepare_images
from dltk.edge.input.preprocess import image_ops, read_image
from dltk.recipe import ImageData

SIDE, OTHERS = 16, 30
PIXELS = np.random.default_rng(5).integers(0, 256, (21, 34, 3), dtype=np.uint8)


def saved(kind: str, mode: str = "RGB", **how: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        stream = BytesIO()
        Image.fromarray(PIXELS).convert(mode).save(stream, kind, **how)
        return stream.getvalue()

    return make


def turned(orientation: int) -> Callable[[], bytes]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved("JPEG", exif=exif, quality=95)


def sized(height: int, width: int) -> Callable[[], bytes]:
    def make() -> bytes:
        stream = BytesIO()
        pixels = np.arange(height * width * 3).reshape(height, width, 3) % 251
        Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
        return stream.getvalue()

    return make


def moving(kind: str) -> Callable[[], bytes]:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    return lambda: _frames(kind, frames)


def _frames(kind: str, frames: list[Image.Image]) -> bytes:
    stream = BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:])
    return stream.getvalue()


def by_hand(colour: int, depth: int, *, interlaced: bool = False, extra: bytes = b"") -> Callable[[], bytes]:
    """A PNG of a kind that Pillow does not write."""
    samples = np.random.default_rng(depth).integers(0, 2**depth, (21, 34, pngs.CHANNELS[colour]))
    palette = pngs.chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b""
    return lambda: pngs.png(samples, colour, depth, interlaced=interlaced, extra=palette + extra)


def clear(mode: str) -> Callable[[], bytes]:
    """Every alpha that there is."""

    def make() -> bytes:
        alpha = Image.fromarray(np.linspace(0, 255, 21 * 34).reshape(21, 34).astype(np.uint8))
        image = Image.fromarray(PIXELS).convert(mode)
        image.putalpha(alpha)
        stream = BytesIO()
        image.save(stream, "PNG")
        return stream.getvalue()

    return make


ODD: dict[str, Callable[[], bytes]] = {
    **{f"turned-{number}.jpg": turned(number) for number in range(1, 9)},
    **{f"png-{colour}-{depth}.png": by_hand(colour, depth) for colour, depth in pngs.KINDS},
    "interlaced.png": by_hand(2, 8, interlaced=True),
    "interlaced-16.png": by_hand(6, 16, interlaced=True),
    "transparent-colour.png": by_hand(0, 8, extra=pngs.chunk(b"tRNS", b"\0\x07")),
    "clear.png": clear("RGB"),
    "clear-grey.png": clear("L"),
    "cmyk.jpg": saved("JPEG", "CMYK"),
    "progressive.jpg": saved("JPEG", progressive=True),
    "grey.jpg": saved("JPEG", "L"),
    "coarse.jpg": saved("JPEG", subsampling=2, quality=30),
    "palette.gif": saved("GIF", "P"),
    "tiff.png": saved("TIFF"),
    "lzw.tif": saved("TIFF", compression="tiff_lzw"),
    "bits.bmp": saved("BMP", "1"),
    "lossless.webp": saved("WEBP", "RGBA", lossless=True),
    "moving.gif": moving("GIF"),
    "moving.png": moving("PNG"),
    "moving.webp": moving("WEBP"),
    "one.png": sized(1, 1),
    "wide.png": sized(1, 30_000),
    "high.png": sized(30_000, 1),
    "a-png-called.jpg": saved("PNG"),
}
REFUSED = {
    "pages.tif": moving("TIFF"),
    "icon.png": saved("ICO"),
    "cut.png": lambda: saved("PNG")()[:-60],
    "cut.jpg": lambda: saved("JPEG")()[:400],
    "nothing.png": lambda: b"",
    "billions.png": lambda: saved("PNG")()[:16] + b"\0\1\0\0\0\1\0\0" + saved("PNG")()[24:],
}


@pytest.fixture
def prepared(tmp_path, monkeypatch):
    """(name, bytes) -> the picture's path, what training has of it or None, and what was said of it."""
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))

    def prepare(name: str, data: bytes) -> tuple[Path, Any, str]:
        for number in range(OTHERS):
            folder = tmp_path / "data" / ("a", "b")[number % 2]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(folder / f"m{number:02}.png")
        path = tmp_path / "data" / "a" / f"0{name}"  # the first one, by its name
        path.write_bytes(data)
        found = prepare_images(
            str(tmp_path / "data"), replace(ImageData(), size=SIDE, validation=0.1, test=0.1, max_unreadable=0.5),
            seed=0, progress=Silent(),
        )  # fmt: skip
        said = str(found.report["skipped"])
        return path, None if name in said else found.train.store[0], said

    return prepare


@pytest.mark.parametrize("name", ODD)
def test_training_and_device_see_the_same_pixels(prepared, name):
    path, there, _ = prepared(name, ODD[name]())
    here = read_image(path, image_ops(SIDE, SIDE))
    assert here.shape == (SIDE, SIDE, 3)
    assert there is not None
    assert np.array_equal(there, here)


@pytest.mark.parametrize("name", REFUSED)
def test_training_and_device_refuse_with_the_same_reason(prepared, name):
    path, there, said = prepared(name, REFUSED[name]())
    with pytest.raises(InputError) as raised:
        read_image(path, image_ops(SIDE, SIDE))
    assert there is None
    assert raised.value.rule in said
