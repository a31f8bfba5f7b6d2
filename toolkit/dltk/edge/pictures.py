"""Decodes and resizes pictures, the same way in training and on the device.

How a picture becomes RGB, one rule each:
    formats        JPEG, PNG, BMP, WebP, GIF (first frame); by content, never by file name
    orientation    the EXIF orientation is applied; EXIF that cannot be read counts as none
    16 bits        the upper 8 bits: value >> 8
    grey           the value three times; where a model takes one channel: ITU-R 601-2 luma, which gives it back
    palette        looked up
    transparency   laid over white: (value * alpha + 255 * (255 - alpha) + 127) // 255
    CMYK           Pillow's conversion; colour profiles are not applied
    resize         Pillow's bilinear filter, widened when shrinking, in its fixed-point arithmetic, one axis at a time
Damaged and truncated files are refused, and so is a picture with more pixels than the cap, or one whose few bytes would
take gigabytes or minutes, before it is decoded. What lies between a picture and its resized pixels is in `pixels`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import read_capped, real
from dltk.edge import pixels
from dltk.edge.signature import Op

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "ImageSource",
    "as_png_grid",
    "decode_image",
    "picture_size",
    "resize_image",
    "to_grey",
]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")  # Pillow tries these decoders and no other
MAX_PIXELS = 50_000_000

ImageSource = str | Path | bytes | NDArray[np.uint8]

_ORIENTATION_TAG = 0x0112
_BYTES_A_PIXEL = 8  # 16-bit RGBA without compression: no picture needs more
_HEADER_BYTES = 64_000_000  # room for metadata in a file
_LARGEST_FILE = MAX_PIXELS * _BYTES_A_PIXEL + _HEADER_BYTES
_LONGEST_SIDE = 65_535  # pixels: JPEG and GIF end there
_FEW_PIXELS, _MOST_A_BYTE = 16_000_000, 500  # WebP's decoder takes 16 bytes a pixel, whatever the file holds
_MOST_SCANS, _MOST_SCANNED = 100, 10 * MAX_PIXELS  # a progressive JPEG has about ten scans; each decodes all pixels


def decode_image(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, where: str | None = None, resize: Op | None = None
) -> NDArray[np.uint8]:
    """The whole picture as uint8 RGB (H, W, 3), turned upright; the rules stand at the top of this module.

    Args:
        resize: an op that the picture is resized by, as `resize_image` does, while it is decoded: beside what Pillow
            holds of a large picture, that takes no more memory than the result.

    Raises:
        InputError: if `source` is no allowed picture, damaged, or has more than `max_pixels` pixels.
        EnvironmentFault: if Pillow is missing.
    """
    if isinstance(source, np.ndarray):
        found = _from_array(source, max_pixels, where or "image array")
        return found if resize is None else resize_image(found, resize)
    if isinstance(source, bytes):
        return _decode(source, max_pixels, where or "image bytes", resize)
    # A link that a user names is followed; what it leads to must still be a regular file.
    data = read_capped(real(source), max_pixels * _BYTES_A_PIXEL + _HEADER_BYTES)
    return _decode(data, max_pixels, where or str(source), resize)


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width of the picture in a file, turned upright, by its header alone.

    Raises:
        InputError: if it is no allowed picture.
        EnvironmentFault: if Pillow is missing.
    """
    data = read_capped(real(path), _LARGEST_FILE)
    try:
        with _pillow().open(io.BytesIO(data), formats=FORMATS) as image:
            turned = _orientation(image) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except DltkError:
        raise
    except Exception as fault:  # decoders of damaged files raise many kinds
        raise InputError(path, "must be an undamaged picture", str(fault) or type(fault).__name__) from fault


def resize_image(image: NDArray[np.uint8], op: Op, *, nearest: bool = False) -> NDArray[np.uint8]:
    """`image` (H, W, 3) or (H, W) at the op's height and width; class numbers ask for the `nearest` pixel's value.

    fit "stretch" ignores the proportions, "crop" cuts the middle out first, "pad" puts black around, "keep" does so
    without making a small picture larger.

    Raises:
        InputError: if the op asks for something unknown.
    """
    (top, left, tall, wide), size, frame = _cut(image.shape[0], image.shape[1], op)
    inner = image[top : top + tall, left : left + wide]
    if inner.shape[:2] != size:
        inner = pixels.pillow_resize(inner, *size, nearest=nearest)
    return _framed(inner, frame)


def _cut(rows: int, columns: int, op: Op) -> tuple[pixels.Box, tuple[int, int], tuple[int, int]]:
    """Of a picture: the part that is used, the (height, width) it is resized to, and that of the frame around it."""
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


def _framed(image: NDArray[np.uint8], frame: tuple[int, int]) -> NDArray[np.uint8]:
    """`image` in the middle of a black frame of that height and width."""
    (rows, columns), (height, width) = image.shape[:2], frame
    if (rows, columns) == (height, width):
        return image
    top, left = (height - rows) // 2, (width - columns) // 2
    canvas = np.zeros((height, width, *image.shape[2:]), np.uint8)
    canvas[top : top + rows, left : left + columns] = image
    return canvas


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W, 1) out of RGB (H, W, 3): ITU-R 601-2 luma in 16-bit fixed point, as Pillow has it."""
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    return (((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8))[..., None]


def as_png_grid(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """A PNG with uint8 images (H, W, 1 or 3) of one size in a grid, row by row, as near to a square as can be."""
    pillow = _pillow()
    height, width, channels = images[0].shape
    across = math.ceil(math.sqrt(len(images)))
    grid = np.zeros((math.ceil(len(images) / across) * height, across * width, channels), np.uint8)
    for place, image in enumerate(images):
        top, left = place // across * height, place % across * width
        grid[top : top + height, left : left + width] = image
    stream = io.BytesIO()
    pillow.fromarray(grid[..., 0] if channels == 1 else grid).save(stream, "PNG")
    return stream.getvalue()


def _decode(data: bytes, max_pixels: int, where: str, resize: Op | None) -> NDArray[np.uint8]:
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.width * image.height, max_pixels, where)
            _check_work(data, image, where)
            orientation = _orientation(image)
            if resize is not None:
                return _resized(image, orientation, resize)
            found = pixels.whole(image)
        del image  # its pixels would lie beside those turned upright
        return pixels.upright(found, orientation)
    except (DltkError, MemoryError):
        raise
    except pillow.UnidentifiedImageError as fault:
        formats = "must be a JPEG, PNG, BMP, WebP or GIF"
        raise InputError(where, formats, f"{len(data)} bytes of something else") from fault
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as fault:
        most = min(max_pixels, 2 * (pillow.MAX_IMAGE_PIXELS or max_pixels))  # Pillow's own limit, which it checks first
        raise InputError(where, f"may have at most {most} pixels", str(fault)) from fault
    except Exception as fault:  # decoders of damaged files raise many kinds: OSError, SyntaxError, struct.error ...
        raise InputError(where, "must be an undamaged picture", str(fault) or type(fault).__name__) from fault


def _resized(image: Image.Image, orientation: int, op: Op) -> NDArray[np.uint8]:
    rows, columns = (image.width, image.height) if orientation in (5, 6, 7, 8) else (image.height, image.width)
    box, size, frame = _cut(rows, columns, op)
    if box[2:] == size:  # nothing to resize; it is as small as the frame
        top, left, tall, wide = box
        return _framed(pixels.upright(pixels.whole(image), orientation)[top : top + tall, left : left + wide], frame)
    return _framed(pixels.region(image, orientation, box, *size), frame)


def _check_work(data: bytes, image: Image.Image, where: str) -> None:
    """Hold against its bytes what decoding would take: a small file must not cost gigabytes or minutes."""
    count = image.width * image.height
    if max(image.width, image.height) > _LONGEST_SIDE:
        raise InputError(where, f"may have at most {_LONGEST_SIDE} pixels a side", f"{image.width} x {image.height}")
    if image.format == "WEBP" and count > _FEW_PIXELS and count > _MOST_A_BYTE * len(data):
        rule = f"a WebP of over {_FEW_PIXELS} pixels may have at most {_MOST_A_BYTE} a byte"
        raise InputError(where, rule, f"{count} pixels in {len(data)} bytes")
    if image.format in ("JPEG", "MPO"):
        scans = data.count(b"\xff\xda")  # the marker stands nowhere else but in a thumbnail
        if scans > _MOST_SCANS or scans * count > _MOST_SCANNED:
            rule = f"may have at most {_MOST_SCANS} scans, and {_MOST_SCANNED} pixels in all of them"
            raise InputError(where, rule, f"{scans} scans of {count} pixels", "Save it as a baseline JPEG.")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata around a sound picture
        return 1


def _from_array(array: NDArray[np.uint8], max_pixels: int, where: str) -> NDArray[np.uint8]:
    shaped = array[:, :, None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or shaped.ndim != 3 or shaped.shape[2] not in (1, 3, 4) or 0 in shaped.shape:
        received = f"{array.dtype} {array.shape}"
        raise InputError(where, "must be uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)", received)
    _check_pixels(shaped.shape[0] * shaped.shape[1], max_pixels, where)
    if shaped.shape[2] == 4:
        return pixels.over_white(shaped)
    return np.repeat(shaped, 3, axis=2) if shaped.shape[2] == 1 else shaped


def _check_pixels(pixels: int, max_pixels: int, where: str) -> None:
    if pixels > max_pixels:
        raise InputError(
            where,
            f"may have at most {max_pixels} pixels",
            pixels,
            "Shrink it; for training, data.max_pixels may allow more.",
        )


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


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as fault:
        raise EnvironmentFault("Pillow", "is needed to read pictures", hint="Run: pip install pillow") from fault
    return Image
