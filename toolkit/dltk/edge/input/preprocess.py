"""From what a user gives to what a model takes: the same code runs in training and on the device.

A sample goes two steps. `read_image` runs the ops "decode" and "resize" and gives the raw sample, uint8 (H, W, 3) or of
one channel, that training caches. `apply_ops` runs the ops after them on a batch of raw samples and gives float32
tensors. How images become pixels stands in `dltk.edge.input.images.decode`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Op
from dltk.edge.input.images.decode import MAX_PIXELS, ImageSource, decode_image, to_grey
from dltk.edge.input.images.resize import resize_image

__all__ = [
    "MAX_PIXELS",
    "READING_OPS",
    "apply_ops",
    "channels_of",
    "decode_image",
    "from_data_units",
    "image_ops",
    "to_data_units",
    "read_image",
    "resize_image",
]

BatchOp = Callable[[NDArray[Any], Op], NDArray[Any]]
NO_OPS: Mapping[str, BatchOp] = {}

_LARGEST_EXPONENT = 88.0  # float32 ends a little above e^88
# They make the raw sample, or read a part of it into an input of its own: `apply_ops` passes over them.
READING_OPS = ("masks", "decode", "resize", "table", "window", "columns", "sound", "text", "tokenize")


def image_ops(
    height: int, width: int, *, fit: str = "stretch", max_pixels: int = MAX_PIXELS, channels: int = 3
) -> tuple[Op, Op]:
    """The ops "decode" and "resize" that lead the preprocessing of a model that takes images of `height` x `width`.

    Args:
        channels: 3, or 1 for grey ("L", as Pillow calls it).
    """
    return (
        {"op": "decode", "mode": "RGB" if channels == 3 else "L", "max_pixels": max_pixels},
        {"op": "resize", "height": height, "width": width, "method": "bilinear", "fit": fit},
    )


def read_image(source: ImageSource, ops: Sequence[Op]) -> NDArray[np.uint8]:
    """One raw sample, uint8 (H, W, 3), or (H, W, 1) in mode "L", by the ops "decode" and "resize" among `ops`.

    Args:
        source: path, the bytes of a file, or a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    Raises:
        InputError: if it is no such image, damaged, or has too many pixels.
        EnvironmentFault: if Pillow is needed and missing.
    """
    limit = next((op.get("max_pixels", MAX_PIXELS) for op in ops if op["op"] == "decode"), MAX_PIXELS)
    resize = next((op for op in ops if op["op"] == "resize"), None)
    # A bundle may lower the cap, not lift it: its number may be anybody's.
    image = decode_image(source, max_pixels=min(limit, MAX_PIXELS), resize=resize)
    return image if channels_of(ops) == 3 else to_grey(image)


def channels_of(ops: Sequence[Op]) -> int:
    """How many channels raw samples have by the op "decode": 3 in mode RGB, 1 in mode L.

    Raises:
        InputError: on another mode.
    """
    mode = next((op.get("mode", "RGB") for op in ops if op["op"] == "decode"), "RGB")
    if mode not in ("RGB", "L"):
        raise InputError("preprocess: decode", "mode must be RGB or L", mode)
    return 3 if mode == "RGB" else 1


def apply_ops(raws: NDArray[Any], ops: Sequence[Op], more: Mapping[str, BatchOp] = NO_OPS) -> NDArray[np.float32]:
    """Tensors, float32 (n, ...), of a batch of raw samples (n, ...), by every op that is none of `READING_OPS`.

    Args:
        more: ops that the family has beside those of this module.

    Raises:
        InputError: on an op that this version does not know, or numbers that do not fit the samples.
    """
    batch: NDArray[Any] = raws
    for op in ops:
        name = op["op"]
        if name in READING_OPS:
            continue
        if name not in _BATCH_OPS:
            raise InputError(f"preprocess: {name}", "is not known to this version", hint=did_you_mean(name, _BATCH_OPS))
        try:
            batch = {**_BATCH_OPS, **more}[name](batch, op)
        except (KeyError, TypeError, ValueError) as fault:
            raise InputError(f"preprocess: {name}", f"must fit samples of shape {raws.shape[1:]}", dict(op)) from fault
    return np.ascontiguousarray(batch, dtype=np.float32)


def to_data_units(values: NDArray[Any], ops: Sequence[Op]) -> NDArray[np.float64]:
    """What a model of numbers gives, in the unit of the data: by the ops "unstandardize" and "exp" after the model.

    Args:
        values: (n, ..., columns); the result has the same shape.
    """
    found = np.asarray(values, np.float64)
    for op in ops:
        if op["op"] == "unstandardize":
            found = found * np.asarray(op["std"], np.float64) + np.asarray(op["mean"], np.float64)
        elif op["op"] == "exp":
            found = np.exp(np.minimum(found, _LARGEST_EXPONENT))
    return found


def from_data_units(values: NDArray[Any], ops: Sequence[Op]) -> NDArray[np.float64]:
    """The other way round: what a model whose predictions go through `ops` should have given for `values`.

    Args:
        values: (n, ..., columns), in the unit of the data; the result has the same shape.
    """
    found = np.asarray(values, np.float64)
    for op in reversed(ops):
        if op["op"] == "unstandardize":
            found = (found - np.asarray(op["mean"], np.float64)) / np.asarray(op["std"], np.float64)
        elif op["op"] == "exp":
            found = np.log(found)
    return found


def _scale(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.multiply(batch, np.asarray(op["multiply"], np.float32), dtype=np.float32)
    scaled += np.asarray(op["add"], np.float32)
    return scaled


def _reverse_channels(batch: NDArray[Any], op: Op) -> NDArray[Any]:
    return batch[..., ::-1]


def _standardize(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    centred: NDArray[np.float32] = np.subtract(batch, np.asarray(op["mean"], np.float32), dtype=np.float32)
    centred /= np.asarray(op["std"], np.float32)
    return centred


def _log(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    # In float64 first: machines differ in the last bit of a logarithm, and rounding hides it.
    return np.log(np.asarray(batch, np.float64)).astype(np.float32)


def _clip(batch: NDArray[Any], op: Op) -> NDArray[Any]:
    return np.clip(batch, np.float32(op["low"]), np.float32(op["high"]))


def _bins(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """Numbers float32 (n, columns) and after them their bins: 0 below a bin, 1 above it, linear between.

    The piecewise-linear encoding of Gorishniy et al. 2022, arXiv:2203.05556: a dense layer over it is any
    piecewise-linear function of a column.

    An empty number, NaN, stays one; its bins are those of 0, which is the mean once numbers are standardized.

    Args:
        op: "column", whose bin it is (bins,); "low", where each begins; "width", how far it goes.
    """
    column, low, width = np.asarray(op["column"], np.int64), op["low"], op["width"]
    if batch.ndim != 2 or not 0 <= column.min() <= column.max() < batch.shape[1]:
        raise ValueError("a column that is not there")
    if not len(column) == len(low) == len(width):
        raise ValueError("lists of different lengths")
    numbers = np.asarray(batch, np.float32)
    places = np.where(np.isnan(numbers), np.float32(0), numbers)[:, column]
    places -= np.asarray(low, np.float32)
    places /= np.asarray(width, np.float32)
    return np.concatenate([numbers, np.clip(places, np.float32(0), np.float32(1))], axis=1)


def _normal(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """A standard normal sample a seed number: NumPy's Philox, which gives the same numbers on every machine."""
    shape = tuple(int(size) for size in op["shape"])
    samples = np.empty((len(batch), *shape), np.float32)
    for index, seed in enumerate(np.asarray(batch, np.int64).reshape(len(batch))):
        samples[index] = np.random.Generator(np.random.Philox(int(seed))).standard_normal(shape, np.float32)
    return samples


@installed_only  # a family that hears imports the table itself, so that its run.pyz has it
def _sound(batch: NDArray[Any], op: Op) -> NDArray[Any]:
    from dltk.edge.input.sound_ops import SOUND_OPS

    return SOUND_OPS[op["op"]](batch, op)


_BATCH_OPS: dict[str, BatchOp] = {
    "scale": _scale,
    "reverse_channels": _reverse_channels,
    "standardize": _standardize,
    "log": _log,
    "clip": _clip,
    "bins": _bins,
    "normal": _normal,
    "peak": _sound,
    "log_mel": _sound,
    "decibel_mel": _sound,
}
