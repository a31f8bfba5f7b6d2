"""Images that a program holds as arrays: which are taken, and how the others become such."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.input.images.pixels import composite_over_white

__all__ = ["from_array"]

_CHANNELS = (1, 3, 4)
_FLOATS = (  # lowest, highest, how they become uint8
    (0.0, 1.0, "np.rint(image * 255).astype(np.uint8)"),
    (-1.0, 1.0, "np.rint((image + 1) * 127.5).astype(np.uint8)"),
    (0.0, 255.0, "np.rint(image).astype(np.uint8)"),
)


def from_array(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) of a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), whose alpha is laid over white.

    Raises:
        InputError: with what makes one of it, if it is another array.
    """
    shaped = array[:, :, None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or shaped.ndim != 3 or shaped.shape[2] not in _CHANNELS or 0 in shaped.shape:
        received = f"{array.dtype} {array.shape}"
        raise InputError(where, "must be uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)", received, _remedy(array))
    if shaped.shape[2] == 4:
        return composite_over_white(shaped)
    return np.repeat(shaped, 3, axis=2) if shaped.shape[2] == 1 else shaped


def _remedy(array: NDArray[Any]) -> str:
    """What makes an image of `array`, the dtype first."""
    if array.ndim == 4:
        return "Several images go to predict_many, each uint8 (H, W, 3)."
    if array.dtype != np.uint8:
        return _to_uint8(array)
    if array.ndim == 3 and array.shape[0] in _CHANNELS and array.shape[2] not in _CHANNELS:
        return "Channels come last: np.moveaxis(image, 0, -1)."
    if array.ndim == 3 and array.shape[2] == 2 and 0 not in array.shape:
        return "Drop the alpha channel: image[..., 0]."
    return ""


def _to_uint8(array: NDArray[Any]) -> str:
    kind = array.dtype.kind
    if kind == "b":
        return "Values must be 0..255: image.astype(np.uint8) * 255."
    if kind not in "iuf" or not array.size:
        return "Values must be whole numbers 0..255 of dtype uint8."
    low, high = float(array.min()), float(array.max())
    if kind == "f":
        for lowest, highest, how in _FLOATS:
            if lowest <= low and high <= highest:
                return f"Values must be 0..255, and these lie in {lowest:g}..{highest:g}: {how}."
    elif low >= 0 and high <= 255:
        return "Values fit: image.astype(np.uint8)."
    elif array.dtype == np.uint16:
        return "Keep the upper eight bits: (image >> 8).astype(np.uint8)."
    return f"Bring its values, {low:g} to {high:g}, to 0..255, and give it as uint8."
