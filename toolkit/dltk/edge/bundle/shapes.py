"""What a raw sample of each family is, and what ops make of its shape: the parts of `dltk.edge.bundle.consistency`."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.edge.bundle.op_table import DATE_PARTS
from dltk.edge.bundle.signature import Op, Signature

__all__ = [
    "Raw",
    "Shape",
    "after",
    "frames_of",
    "history",
    "image",
    "image_or_row",
    "names",
    "needed",
    "observation",
    "op_of",
    "pair",
    "record",
    "record_of",
    "require_broadcast",
    "require_count",
    "row",
    "seed",
    "sound",
    "tensor_shape",
    "text",
    "window",
]

Shape = tuple[int, ...]
Raw = tuple[np.dtype[Any], Shape]  # of one raw sample; of a text only the kind of the dtype is fixed

_MAX_FFT, _MAX_BANDS = 1 << 15, 512
_MAX_SPECTRUM = 20_000_000  # numbers in the spectrogram of one recording


# --- shapes through the ops


def tensor_shape(shape: Shape, ops: tuple[Op, ...]) -> Shape:
    """What ops on tensors make of a sample of `shape`; those that read samples are passed over.

    Raises:
        InputError: naming the op that does not fit the shape it is given.
    """
    for op in ops:
        name = op["op"]
        if name in ("log_mel", "decibel_mel"):
            try:
                shape = (frames_of(shape[0], op), int(op["bands"]), 1)
            except ValueError as fault:
                raise InputError(f"preprocess: {name}", f"must fit {shape[0]} samples", dict(op)) from fault
        elif name == "bins":
            shape = _with_bins(shape, op)
        elif name == "clip" and not op["low"] < op["high"]:
            raise InputError("preprocess: clip", "low must be below high", dict(op))
        for key in ("multiply", "add", "mean", "std"):
            if key in op:
                require_broadcast(op, key, shape, "preprocess")
    return shape


def _with_bins(shape: Shape, op: Op) -> Shape:
    """A row with its bins after it."""
    counts = {key: len(op[key]) for key in ("column", "low", "width")}
    if len(set(counts.values())) > 1:
        raise InputError("preprocess: bins", "column, low and width must have one number a bin", counts)
    if len(shape) != 1 or max(op["column"]) >= shape[0]:
        raise InputError("preprocess: bins: column", f"must be one of a sample of shape {shape}", max(op["column"]))
    return (shape[0] + counts["column"],)


def frames_of(samples: int, op: Op) -> int:
    """How many frames "log_mel" or "decibel_mel" makes of `samples`.

    Raises:
        ValueError: if its numbers cannot be.
    """
    frame, hop, fft, bands = (op[name] for name in ("frame", "hop", "fft", "bands"))
    fits = _whole(fft, 2, _MAX_FFT) and _whole(frame, 1, min(fft, samples)) and _whole(hop, 1, samples)
    fits = fits and 0 < op.get("window", frame) <= frame
    fits = fits and _whole(bands, 1, _MAX_BANDS) and 0 <= op["low"] < op["high"] <= op["rate"] / 2 and op["floor"] > 0
    if not fits:
        raise ValueError(f"{op['op']} cannot be {dict(op)}")
    frames = 1 + (samples - int(frame)) // int(hop)
    if frames * int(fft) > _MAX_SPECTRUM:
        raise ValueError(f"{op['op']} cannot have {frames} frames of {fft}")
    return frames


def require_broadcast(op: Op, key: str, shape: Shape, before: str) -> None:
    """Raise InputError unless the numbers at `key` broadcast to a sample of `shape`, and no further."""
    found = np.shape(op[key])
    try:
        same = np.broadcast_shapes(found, shape) == shape
    except ValueError:
        same = False
    if not same:
        raise InputError(f"{before}: {op['op']}: {key}", f"must fit samples of shape {shape}", f"numbers of {found}")


# --- what a raw sample is


def op_of(signature: Signature, name: str) -> Op | None:
    """The first op called `name`, before or after the model; None where there is none."""
    return next((op for op in (*signature.preprocess, *signature.postprocess) if op["op"] == name), None)


def needed(signature: Signature, name: str) -> Op:
    """The op called `name`.

    Raises:
        InputError: if there is none.
    """
    found = op_of(signature, name)
    if found is None:
        raise InputError("preprocess", f"needs a step {name!r}", [op["op"] for op in signature.preprocess])
    return found


def image(signature: Signature) -> Raw:
    """An image: uint8 (height, width, 3), or (height, width, 1) where it is decoded as grey.

    Raises:
        InputError: if no input is an image.
    """
    resize, mode = op_of(signature, "resize"), (op_of(signature, "decode") or {}).get("mode", "RGB")
    shape = next((spec.sample_shape for spec in signature.inputs if len(spec.sample_shape) == 3), None)
    if shape is None:
        raise InputError("inputs", "must be an image: height, width, channels", signature.inputs[0].sample_shape)
    height, width = shape[:2] if resize is None else (resize["height"], resize["width"])
    return np.dtype(np.uint8), (height, width, 3 if mode == "RGB" else 1)


def row(signature: Signature) -> Raw:
    """A row of numbers: float32 (columns,).

    Raises:
        InputError: unless "columns" names them and "standardize" has a mean and a deviation for each.
    """
    for key in ("mean", "std"):
        require_count(needed(signature, "standardize"), key, len(names(signature)))
    return np.dtype(np.float32), (len(names(signature)),)


def names(signature: Signature) -> list[str]:
    """The names of a row's columns, at least one.

    Raises:
        InputError: if the op "columns" is missing or names none.
    """
    found: list[str] = needed(signature, "columns").get("names", [])
    if not found:
        raise InputError("preprocess: columns", "needs 'names'", dict(needed(signature, "columns")))
    return found


def image_or_row(signature: Signature) -> Raw:
    """`row` where there is an op "columns", otherwise `image`; raises InputError as they do."""
    return row(signature) if op_of(signature, "columns") else image(signature)


def record(signature: Signature) -> Raw:
    """A row of a table: a record () of float32 "numbers" (numbers,) and int32 "categories" (categories,).

    A field without columns is left out.

    Raises:
        InputError: if the op "columns" lacks a list, or names neither numbers nor categories.
    """
    return record_of(needed(signature, "columns")), ()


def record_of(op: Op) -> np.dtype[Any]:
    """The dtype of a row by the op "columns": numbers, then the parts of dates, then marks of empty cells.

    Raises:
        InputError: if the op lacks a list, names neither numbers nor categories, or marks a column that it lacks.
    """
    lists = [op.get(key) for key in ("numbers", "categories", "targets", "empty")]
    if any(found is None for found in lists) or "missing" not in op:
        raise InputError("preprocess: columns", "must name numbers, categories, targets, empty and missing", dict(op))
    dates, marked = op.get("dates", []), op.get("marked", [])
    strange = set(marked) - {*op["numbers"], *(date["column"] for date in dates)}
    if strange:
        raise InputError("preprocess: columns: marked", "must be among the numbers and dates", sorted(strange))
    width = len(op["numbers"]) + len(marked) + sum(DATE_PARTS[part] for date in dates for part in date["parts"])
    parts: list[Any] = [("numbers", np.float32, (width,))] if width else []
    parts += [("categories", np.int32, (len(op["categories"]),))] if op["categories"] else []
    if not parts:
        raise InputError("preprocess: columns", "must name numbers, categories, targets, empty and missing", dict(op))
    return np.dtype(parts)


def window(signature: Signature) -> Raw:
    """A part of a series: float32 (length, columns).

    Raises:
        InputError: if there is no op "window".
    """
    op = needed(signature, "window")
    return np.dtype(np.float32), (op["length"], len(op["columns"]))


def sound(signature: Signature) -> Raw:
    """A recording: int16 (samples,).

    Raises:
        InputError: if there is no op "sound".
    """
    return np.dtype(np.int16), (needed(signature, "sound")["samples"],)


def observation(signature: Signature) -> Raw:
    """An observation of an environment: float32 (numbers,), as the first input has them.

    Raises:
        InputError: if that input is no row of numbers.
    """
    if len(signature.inputs[0].sample_shape) != 1:
        raise InputError("inputs", "must be a row of numbers", signature.inputs[0].sample_shape)
    return np.dtype(np.float32), signature.inputs[0].sample_shape


def seed(signature: Signature) -> Raw:
    """A seed number: int64 ().

    Raises:
        InputError: unless the only op before the model is "normal".
    """
    if [op["op"] for op in signature.preprocess] != ["normal"]:
        raise InputError("preprocess", "must be the one step 'normal'", [op["op"] for op in signature.preprocess])
    return np.dtype(np.int64), ()


def text(signature: Signature) -> Raw:
    """A text: UTF-8 bytes (), at most `max_bytes` of the op "text".

    Raises:
        InputError: if the op "tokenize" or "text" is missing.
    """
    needed(signature, "tokenize")
    return np.dtype(f"S{needed(signature, 'text')['max_bytes']}"), ()


def pair(signature: Signature) -> Raw:
    """An image with a text: a record () of uint8 "image" (height, width, channels) and the bytes "text" ().

    Raises:
        InputError: if there is no op "resize"; otherwise as `image` and `text`.
    """
    _, shape = image(signature) if op_of(signature, "resize") else (None, None)
    if shape is None:
        raise InputError("preprocess", "needs a step 'resize'", [op["op"] for op in signature.preprocess])
    return np.dtype([("image", np.uint8, shape), ("text", text(signature)[0])]), ()


def history(signature: Signature) -> Raw:
    """A user with a history: a record () of int32 "user" () and int32 "history" (kept,).

    Raises:
        InputError: if an op is missing, or "history" is longer for the model than what is kept.
    """
    for name in ("ratings", "catalogue"):
        needed(signature, name)
    op = needed(signature, "history")
    if not op["length"] <= op["kept"]:
        raise InputError("preprocess: history", "length must be at most what is kept", dict(op))
    return np.dtype([("user", np.int32), ("history", np.int32, (op["kept"],))]), ()


def after(signature: Signature, name: str) -> Op:
    """The op called `name` behind the model.

    Raises:
        InputError: if there is none.
    """
    found = next((op for op in signature.postprocess if op["op"] == name), None)
    if found is None:
        raise InputError("postprocess", f"needs a step {name!r}", [op["op"] for op in signature.postprocess])
    return found


def require_count(op: Op, key: str, count: int) -> None:
    """Raise InputError unless `op` has `count` numbers at `key`."""
    if np.shape(op[key]) != (count,):
        raise InputError(f"step {op['op']}: {key}", f"must be {count} numbers", f"numbers of {np.shape(op[key])}")


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
