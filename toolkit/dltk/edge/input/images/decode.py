"""Decodes and resizes images, the same way in training and on the device.

How an image becomes RGB, one rule each:
    formats        JPEG, PNG, BMP, WebP, GIF (first frame), TIFF (one page, see `tiff`), and HEIC with the extra `heic`;
                   by content, never by name
    orientation    the EXIF orientation is applied (of a HEIC, its own); EXIF that cannot be read counts as none
    16 bits        the upper 8 bits: value >> 8
    grey           the value three times; where a model takes one channel: ITU-R 601-2 luma, which gives it back
    palette        looked up
    transparency   laid over white: (value * alpha + 255 * (255 - alpha) + 127) // 255
    CMYK           Pillow's conversion; colour profiles are not applied
    resize         Pillow's bilinear filter, widened when shrinking, in its fixed-point arithmetic, one axis at a time
Damaged and truncated files are refused, and so is an image with more pixels than the cap, or one whose few bytes would
take gigabytes or minutes, before it is decoded. What lies between an image and its resized pixels is in `pixels`.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.install import pip_package
from dltk.edge.bundle.signature import Op
from dltk.edge.input.formats import BEGINNING, HEIC, format_of
from dltk.edge.input.given import IMAGE_INPUTS, bytes_of, is_file, name_of
from dltk.edge.input.images.arrays import from_array
from dltk.edge.input.images.heif import open_heic
from dltk.edge.input.images.parts import count_scans, require_few_parts
from dltk.edge.input.images.pixels import apply_orientation, resized_region, to_rgb
from dltk.edge.input.images.resize import crop_geometry, padded_to_frame, resize_image
from dltk.edge.input.images.tiff import is_tiff, plain_tiff

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "ImageSource",
    "as_png_grid",
    "decode_image",
    "image_size",
    "pillow",
    "to_grey",
]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")  # Pillow tries these decoders and no other
MAX_PIXELS = 50_000_000

# A path, the bytes of a file, an open one, a PIL image, or a uint8 array.
ImageSource = Union[str, Path, bytes, IO[bytes], "Image.Image", NDArray[np.uint8]]

_ORIENTATION_TAG = 0x0112
_TIFF_ORIENTATION = "dltk-orientation"
_BYTES_A_PIXEL = 8  # 16-bit RGBA without compression: no picture needs more
_HEADER_BYTES = 64_000_000  # room for metadata in a file
_LARGEST_FILE = MAX_PIXELS * _BYTES_A_PIXEL + _HEADER_BYTES
_LONGEST_SIDE = 65_535  # pixels: JPEG and GIF end there
_FEW_PIXELS, _MOST_A_BYTE = 16_000_000, 500  # WebP's decoder takes 16 bytes a pixel, whatever the file holds
_MOST_SCANS, _MOST_SCANNED = 100, 10 * MAX_PIXELS  # a progressive JPEG has about ten scans; each decodes all pixels


def decode_image(
    source: ImageSource, *, max_pixels: int = MAX_PIXELS, where: str | None = None, resize: Op | None = None
) -> NDArray[np.uint8]:
    """The whole image as uint8 RGB (H, W, 3), turned upright; the rules stand at the top of this module.

    Args:
        resize: an op that the image is resized by, as `resize_image` does, while it is decoded: beside what Pillow
            holds of a large image, that takes no more memory than the result.

    Raises:
        InputError: if `source` is no allowed image, damaged, or has more than `max_pixels` pixels.
        EnvironmentFault: if Pillow is missing.
    """
    if isinstance(source, np.ndarray):
        _check_pixels(math.prod(source.shape[:2]), max_pixels, where or "image array")
        found = from_array(source, where or "image array")
        return found if resize is None else resize_image(found, resize)
    if _is_pillow(source):
        return _of_pillow(source, max_pixels, where or "PIL image", resize)
    if not is_file(source):
        raise InputError(where or "image", f"must be {IMAGE_INPUTS}", source, _input_hint(source))
    data = bytes_of(source, "image", max_pixels * _BYTES_A_PIXEL + _HEADER_BYTES)
    return _decode(data, max_pixels, where or name_of(source, "image"), resize)


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of the image in a file, turned upright, by its header alone.

    Raises:
        InputError: if it is no allowed image.
        EnvironmentFault: if Pillow is missing.
    """
    data, where = bytes_of(path, "image", _LARGEST_FILE), str(path)
    with _refusing(data, MAX_PIXELS, where), _opened(data, where) as image:
        turned = _turned(data, image) in (5, 6, 7, 8)
        width, height = image.size
        return (width, height) if turned else (height, width)


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W, 1) out of RGB (H, W, 3): ITU-R 601-2 luma in 16-bit fixed point, as Pillow has it."""
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    return (((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8))[..., None]


def as_png_grid(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """A PNG with uint8 images (H, W, 1 or 3) of one size in a grid, row by row, as near to a square as can be."""
    height, width, channels = images[0].shape
    across = math.ceil(math.sqrt(len(images)))
    grid = np.zeros((math.ceil(len(images) / across) * height, across * width, channels), np.uint8)
    for place, image in enumerate(images):
        top, left = place // across * height, place % across * width
        grid[top : top + height, left : left + width] = image
    stream = io.BytesIO()
    pillow().fromarray(grid[..., 0] if channels == 1 else grid).save(stream, "PNG")
    return stream.getvalue()


def _decode(data: bytes, max_pixels: int, where: str, resize: Op | None) -> NDArray[np.uint8]:
    with _refusing(data, max_pixels, where), _opened(data, where) as image:
        _check_pixels(math.prod(image.size), max_pixels, where)
        _check_work(data, image, where)
        orientation = _turned(data, image)
        opened = image.to_pillow() if _is_heic(data) else image
        if resize is not None:
            return _resized(opened, orientation, resize)
        found = to_rgb(opened)
    del image, opened  # their pixels would lie beside those turned upright
    return apply_orientation(found, orientation)


def _of_pillow(image: Any, max_pixels: int, where: str, resize: Op | None) -> NDArray[np.uint8]:
    """Of an image that Pillow has open: its current frame."""
    _check_pixels(math.prod(image.size), max_pixels, where)
    if 0 in image.size or image.mode == "F":
        received = f"mode {image.mode}, {image.width} x {image.height}"
        raise InputError(where, "must have pixels of whole numbers", received, 'image.convert("L") makes such.')
    with _refusing(None, max_pixels, where):
        orientation = _orientation(image)
        return apply_orientation(to_rgb(image), orientation) if resize is None else _resized(image, orientation, resize)


def _resized(image: Image.Image, orientation: int, op: Op) -> NDArray[np.uint8]:
    rows, columns = (image.width, image.height) if orientation in (5, 6, 7, 8) else (image.height, image.width)
    box, size, frame = crop_geometry(rows, columns, op)
    if box[2:] == size:  # nothing to resize; it is as small as the frame
        top, left, tall, wide = box
        return padded_to_frame(
            apply_orientation(to_rgb(image), orientation)[top : top + tall, left : left + wide], frame
        )
    return padded_to_frame(resized_region(image, orientation, box, *size), frame)


def _check_work(data: bytes, image: Any, where: str) -> None:
    """Check the cost of decoding against the file's size: a small file must not take gigabytes or minutes."""
    width, height = image.size
    count, kind = width * height, getattr(image, "format", None)
    if max(width, height) > _LONGEST_SIDE:
        raise InputError(where, f"may have at most {_LONGEST_SIDE} pixels per side", f"{width} x {height}")
    if kind == "WEBP" and count > _FEW_PIXELS and count > _MOST_A_BYTE * len(data):
        rule = f"a WebP of over {_FEW_PIXELS} pixels may have at most {_MOST_A_BYTE} a byte"
        raise InputError(where, rule, f"{count} pixels in {len(data)} bytes")
    if kind in ("JPEG", "MPO"):
        scans = count_scans(data)
        if scans > _MOST_SCANS or scans * count > _MOST_SCANNED:
            rule = f"may have at most {_MOST_SCANS} scans, and {_MOST_SCANNED} pixels in all of them"
            raise InputError(where, rule, f"{scans} scans of {count} pixels", "Save it as a baseline JPEG.")


@contextmanager
def _opened(data: bytes, where: str) -> Iterator[Any]:
    """The file, opened but not decoded: it has `size`, width first, and of a HEIC `to_pillow`."""
    if _is_heic(data):
        yield open_heic(data, where)
        return
    if is_tiff(data):
        plain, orientation = plain_tiff(data, where)
        with pillow().open(io.BytesIO(plain), formats=("TIFF",)) as image:
            image.info[_TIFF_ORIENTATION] = orientation
            yield image
        return
    require_few_parts(data, where)
    with pillow().open(io.BytesIO(data), formats=FORMATS) as image:
        yield image


def _turned(data: bytes, image: Any) -> int:
    """How the opened file is turned upright; of a HEIC that has been done."""
    if _is_heic(data):
        return 1
    return int(image.info.get(_TIFF_ORIENTATION) or _orientation(image))


def _is_heic(data: bytes) -> bool:
    return format_of(data[:BEGINNING]) is HEIC


@contextmanager
def _refusing(data: bytes | None, max_pixels: int, where: str) -> Iterator[None]:
    """Turns what decoders raise over a file, of no common class, into InputError."""
    images = pillow()
    try:
        yield
    except (DltkError, MemoryError):
        raise
    except images.UnidentifiedImageError as fault:
        raise _other_format(data or b"", where) from fault
    except (images.DecompressionBombError, images.DecompressionBombWarning) as fault:
        most = min(max_pixels, 2 * (images.MAX_IMAGE_PIXELS or max_pixels))  # Pillow's own limit, which it checks first
        raise InputError(where, f"may have at most {most} pixels", str(fault)) from fault
    except Exception as fault:  # OSError, SyntaxError, struct.error ...
        raise InputError(where, "must be an undamaged image", str(fault) or type(fault).__name__) from fault


def _other_format(data: bytes, where: str) -> InputError:
    found, rule = format_of(data[:BEGINNING]), "must be a JPEG, PNG, BMP, WebP, GIF or TIFF"
    if found is None:
        return InputError(where, rule, f"{len(data)} bytes of something else" if data else "no bytes")
    if not found.remedy:
        return InputError(where, "must be an undamaged image", f"{found.name} that is damaged where it begins")
    return InputError(where, rule, found.name, found.remedy)


def _is_pillow(source: Any) -> bool:
    """Nothing is imported: who has such an image has Pillow loaded. Another thread may be loading it just now."""
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return isinstance(kind, type) and isinstance(source, kind)


def _input_hint(source: Any) -> str:
    """What to give in place of something that is no image."""
    if isinstance(source, (list, tuple)) and any(is_file(each) or isinstance(each, np.ndarray) for each in source):
        return "Several images go to predict_many."
    if hasattr(source, "__array__") or isinstance(source, (list, tuple)):
        return "Give np.asarray(image, np.uint8), its values 0..255."
    return ""


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata around a sound picture
        return 1


def _check_pixels(pixels: int, max_pixels: int, where: str) -> None:
    if pixels > max_pixels:
        hint = "Shrink it; for training, data.max_pixels may allow more."
        raise InputError(where, f"may have at most {max_pixels} pixels", pixels, hint)


def pillow() -> Any:
    """The module PIL.Image.

    Raises:
        EnvironmentFault: if Pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError as fault:
        hint = f"Run `{pip_package('Pillow')}`."
        raise EnvironmentFault("Pillow", "is needed to read images", hint=hint) from fault
    return Image
