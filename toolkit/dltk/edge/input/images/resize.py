"""Brings images to the size that a model takes, bit-identical with every version of Pillow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Op
from dltk.edge.input.images.pixels import Box, pillow_resize

__all__ = ["crop_geometry", "padded_to_frame", "resize_image"]


def resize_image(image: NDArray[np.uint8], op: Op, *, nearest: bool = False) -> NDArray[np.uint8]:
    """`image` (H, W, 3) or (H, W) at the op's height and width; class numbers ask for the `nearest` pixel's value.

    fit "stretch" ignores the proportions, "crop" cuts the middle out first, "pad" puts black around, "keep" does so
    without making a small image larger.

    Raises:
        InputError: if the op asks for something unknown.
    """
    rows, columns = image.shape[:2]
    (top, left, tall, wide), size, frame = crop_geometry(rows, columns, op)
    inner = image[top : top + tall, left : left + wide]
    if inner.shape[:2] != size:
        inner = pillow_resize(inner, *size, nearest=nearest)
    return padded_to_frame(inner, frame)


def crop_geometry(rows: int, columns: int, op: Op) -> tuple[Box, tuple[int, int], tuple[int, int]]:
    """Of an image: the part that is used, the (height, width) it is resized to, and that of the frame around it.

    All are in pixels; the part is (top, left, height, width).

    Raises:
        InputError: if the op asks for something unknown.
    """
    height, width = (_size(op, key) for key in ("height", "width"))
    fit, method = op.get("fit", "stretch"), op.get("method", "bilinear")
    if method != "bilinear" or fit not in ("stretch", "crop", "pad", "keep"):
        raise InputError("preprocess: resize", "must be bilinear with fit stretch, crop, pad or keep", dict(op))
    if fit == "crop":
        tall, wide = _inside(height, width, rows, columns)
        return ((rows - tall) // 2, (columns - wide) // 2, tall, wide), (height, width), (height, width)
    if fit == "stretch":
        return (0, 0, rows, columns), (height, width), (height, width)
    is_small = fit == "keep" and rows <= height and columns <= width
    size = (rows, columns) if is_small else _inside(rows, columns, height, width)
    return (0, 0, rows, columns), size, (height, width)


def padded_to_frame(image: NDArray[np.uint8], frame: tuple[int, int]) -> NDArray[np.uint8]:
    """`image`, uint8 (height, width, channels) or (height, width), in the middle of a black frame (height, width)."""
    (rows, columns), (height, width) = image.shape[:2], frame
    if (rows, columns) == (height, width):
        return image
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.zeros((height, width, *image.shape[2:]), np.uint8)
    canvas[top : top + rows, left : left + columns] = image
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
