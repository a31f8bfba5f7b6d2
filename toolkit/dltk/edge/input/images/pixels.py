"""From an opened image to RGB, piece by piece: a large one is never held whole beside itself.

What is resized goes through Pillow's filter strip by strip, one axis after the other, which gives the same numbers as
all at once: the filter of an axis sees one row, or one column, at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Box", "composite_over_white", "pillow_resize", "resized_region", "apply_orientation", "to_rgb"]

Box = tuple[int, int, int, int]  # top, left, height, width

_STRIP_PIXELS = 1_000_000


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), strip by strip: what lies between a large image and its pixels takes no memory to speak of."""
    rows = max(1, _STRIP_PIXELS // image.width)
    if image.height <= rows:
        return _rgb(image)
    found = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        found[top:bottom] = _rgb(image.crop((0, top, image.width, bottom)))
    return found


def resized_region(image: Image.Image, orientation: int, box: Box, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 (height, width, 3): the part `box` of the image, turned upright, resized."""
    top, left, rows, columns = box
    if rows * width <= height * columns:
        step = max(1, _STRIP_PIXELS // columns)
        made = np.empty((rows, width, 3), np.uint8)
        for start in range(0, rows, step):
            strip = _part(image, orientation, (top + start, left, min(step, rows - start), columns))
            made[start : start + len(strip)] = pillow_resize(strip, len(strip), width)
    else:
        step = max(1, _STRIP_PIXELS // rows)
        made = np.empty((height, columns, 3), np.uint8)
        for start in range(0, columns, step):
            strip = _part(image, orientation, (top, left + start, rows, min(step, columns - start)))
            made[:, start : start + strip.shape[1]] = pillow_resize(strip, height, strip.shape[1])
    return pillow_resize(made, height, width)


def pillow_resize(image: NDArray[np.uint8], height: int, width: int, *, nearest: bool = False) -> NDArray[np.uint8]:
    """`image` (H, W, 3), (H, W, 1) or (H, W) at another size, by Pillow's bilinear filter or the nearest pixel."""
    from PIL import Image

    method = Image.Resampling.NEAREST if nearest else Image.Resampling.BILINEAR
    rows, columns = image.shape[:2]
    # One axis at a time, the one first that leaves fewer pixels. In one call the order is Pillow's own choice, which
    # version 13 makes otherwise than those before it, and the rounding between the two axes shows.
    first = (width, rows) if rows * width <= height * columns else (columns, height)
    opened = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(opened.resize(first, method).resize((width, height), method))


def apply_orientation(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """`image` rotated by EXIF 2.32, tag 0x0112.

    Args:
        image: uint8 (height, width, channels).
        orientation: 1..8; from 5 on height and width change places.
    """
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def composite_over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of RGBA (H, W, 4)."""
    alpha = pixels[:, :, 3:].astype(np.uint16)
    mixed = pixels[:, :, :3] * alpha + 255 * (255 - alpha)  # at most 255 * 255: fits 16 bits, and so does + 127
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def _part(image: Image.Image, orientation: int, box: Box) -> NDArray[np.uint8]:
    """A part of the image as it stands when it is turned upright."""
    top, left, rows, columns = box
    bottom, right = top + rows, left + columns
    is_turned = orientation in (5, 6, 7, 8)
    height, width = (image.width, image.height) if is_turned else (image.height, image.width)
    if orientation in (3, 4, 7, 8):
        top, bottom = height - bottom, height - top
    if orientation in (2, 3, 6, 7):
        left, right = width - right, width - left
    inside = (top, left, bottom, right) if is_turned else (left, top, right, bottom)
    return apply_orientation(_rgb(image.crop(inside)), orientation)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey: "I;16" in new Pillow, "I" in old
        wide = np.asarray(image)
        grey = (np.clip(wide, 0, 0xFFFF) >> 8).astype(np.uint8)
        key = image.info.get("transparency")
        if isinstance(key, int):
            grey[wide == key] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        return composite_over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
