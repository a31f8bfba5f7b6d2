"""Brings images to the size that a model takes, to the bit the same with every version of Pillow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.pictures import pillow
from dltk.edge.signature import Op

__all__ = ["resize_image"]


def resize_image(image: NDArray[np.uint8], op: Op, *, nearest: bool = False) -> NDArray[np.uint8]:
    """`image` (H, W, 3) or (H, W) at the op's height and width; class numbers ask for the `nearest` pixel's value.

    fit "stretch" ignores the proportions, "crop" cuts the middle out first, "pad" puts black around, "keep" does so
    without making a small picture larger.

    Raises:
        InputError: if the op asks for something unknown.
    """
    height, width = (_size(op, key) for key in ("height", "width"))
    fit, method = op.get("fit", "stretch"), op.get("method", "bilinear")
    if method != "bilinear" or fit not in ("stretch", "crop", "pad", "keep"):
        raise InputError("preprocess: resize", "must be bilinear with fit stretch, crop, pad or keep", dict(op))
    if image.shape[:2] == (height, width):
        return image
    rows, columns = image.shape[:2]
    if fit == "crop":
        tall, wide = _inside(height, width, rows, columns)
        top, left = (rows - tall) // 2, (columns - wide) // 2
        return _pillow_resize(image[top : top + tall, left : left + wide], height, width, nearest)
    if fit == "stretch":
        return _pillow_resize(image, height, width, nearest)
    is_small = fit == "keep" and rows <= height and columns <= width
    tall, wide = (rows, columns) if is_small else _inside(rows, columns, height, width)
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas = np.zeros((height, width, *image.shape[2:]), np.uint8)
    inner = image if is_small else _pillow_resize(image, tall, wide, nearest)
    canvas[top : top + tall, left : left + wide] = inner
    return canvas


def _size(op: Op, key: str) -> int:
    value = op.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 8192:
        raise InputError("preprocess: resize", f"{key} must be a whole number of pixels up to 8192", value)
    return value


def _inside(rows: int, columns: int, most_rows: int, most_columns: int) -> tuple[int, int]:
    """The largest size with the proportions rows : columns that fits the frame, in whole numbers, at least 1."""
    if rows * most_columns >= columns * most_rows:
        return most_rows, max(1, (2 * columns * most_rows + rows) // (2 * rows))
    return max(1, (2 * rows * most_columns + columns) // (2 * columns)), most_columns


def _pillow_resize(image: NDArray[np.uint8], height: int, width: int, nearest: bool) -> NDArray[np.uint8]:
    images = pillow()
    method = images.Resampling.NEAREST if nearest else images.Resampling.BILINEAR
    rows, columns = image.shape[:2]
    # One axis at a time, the one first that leaves fewer pixels. In one call the order is Pillow's own choice, which
    # version 13 makes otherwise than those before it, and the rounding between the two axes shows.
    first = (width, rows) if rows * width <= height * columns else (columns, height)
    opened = images.fromarray(np.ascontiguousarray(image))
    return np.asarray(opened.resize(first, method).resize((width, height), method))
