"""Decodes masks: files without loss, to the numbers or the colours of their pixels, never more."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import read_capped, resolved
from dltk.base.install import pip_package
from dltk.edge.input.formats import BEGINNING, format_of
from dltk.edge.input.images.decode import MAX_PIXELS
from dltk.edge.input.images.parts import require_few_parts

__all__ = ["MaskPixels", "colour_number", "decode_mask"]

_FORMATS = ("PNG", "GIF", "BMP")  # without loss
_LOSSY = ("a JPEG image", "a HEIC image", "a WebP image")


@dataclass(frozen=True)
class MaskPixels:
    """The pixels of a mask.

    Attributes:
        numbers: uint8 (H, W): palette indices, grey levels, 0 and 1; None where the mask has colours.
        colours: int32 (H, W): red * 65536 + green * 256 + blue.
        is_rgb: whether the file holds colours, even if all of them are grey.
    """

    numbers: NDArray[np.uint8] | None
    colours: NDArray[np.int32]
    is_rgb: bool = False


def decode_mask(path: Path) -> MaskPixels:
    """The pixels of the mask at `path`: a PNG, GIF or BMP with a palette, of grey levels, of two or of exact colours.

    Raises:
        InputError: if it is none, damaged, too large or partly transparent.
        EnvironmentFault: if Pillow is missing.
    """
    try:
        from PIL import Image
    except ImportError as fault:
        raise EnvironmentFault("Pillow", "is needed to read masks", hint=f"Run `{pip_package('Pillow')}`.") from fault
    data = read_capped(resolved(path), 4 * MAX_PIXELS)
    found = format_of(data[:BEGINNING])
    if found is not None and found.name in _LOSSY:
        rule = "a mask must be a PNG: lossy compression blends class numbers at every border"
        raise InputError(
            path, rule, found.name, "Export the masks as PNG from their source; converting keeps the blends."
        )
    try:
        require_few_parts(data, str(path))
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(path, f"may have at most {MAX_PIXELS} pixels", image.width * image.height)
            return _pixels(image, path)
    except (DltkError, MemoryError):
        raise
    except Exception as fault:  # decoders of damaged files raise many kinds
        raise InputError(path, "must be an undamaged PNG", str(fault) or type(fault).__name__) from fault


def colour_number(red: int, green: int, blue: int) -> int:
    """A colour as one number."""
    return (red << 16) | (green << 8) | blue


def _pixels(image: Any, path: Path) -> MaskPixels:
    if image.mode.startswith("I"):  # 16-bit grey
        wide = np.asarray(image)
        if wide.min() < 0 or wide.max() > 255:
            hint = "Save it with a palette, or as 8-bit grey, one level per class."
            raise InputError(path, "class numbers must lie in 0..255", int(wide.max()), hint)
        return _grey(wide.astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA"):
        if int(np.asarray(image.getchannel("A")).min()) < 255:
            hint = "Save it without transparency, with a palette or one grey level per class."
            raise InputError(path, "a mask must be opaque", f"mode {image.mode}", hint)
        image = image.convert({"RGBA": "RGB", "LA": "L", "PA": "P"}[image.mode])
    if image.mode in ("P", "L", "1"):
        numbers = np.array(image).astype(np.uint8)
        return _grey(numbers) if image.mode == "L" else MaskPixels(numbers, _packed(np.asarray(image.convert("RGB"))))
    if image.mode == "RGB":
        pixels = np.asarray(image)
        is_grey = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())
        return MaskPixels(np.array(pixels[..., 0]) if is_grey else None, _packed(pixels), is_rgb=True)
    hint = "Save it with a palette, or as 8-bit grey, one level per class."
    raise InputError(path, "a mask must be a PNG of class numbers or colours", f"mode {image.mode}", hint)


def _grey(numbers: NDArray[np.uint8]) -> MaskPixels:
    return MaskPixels(numbers, np.asarray(numbers, np.int32) * 0x010101)


def _packed(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    wide = pixels.astype(np.int32)
    return np.asarray((wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2], np.int32)
