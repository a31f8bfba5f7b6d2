"""An image or a row of numbers: what the families have in common that take either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge import preprocess
from dltk.edge.families.base import Tensors
from dltk.edge.families.classification import FAMILY as IMAGES
from dltk.edge.noise import PIXELS
from dltk.edge.signature import Op, Signature
from dltk.edge.sources import read_table

__all__ = ["Samples", "columns_of", "error", "is_table", "scale_of", "step"]

_REST = ("decode", "resize", "columns")  # steps that made the raw sample


def step(ops: Sequence[Op], name: str, where: str) -> Op:
    """The step called `name`.

    Raises:
        InputError: if there is none.
    """
    for op in ops:
        if op["op"] == name:
            return op
    raise InputError(where, f"needs a step {name!r}", [op["op"] for op in ops])


def is_table(signature: Signature) -> bool:
    """Whether a sample is a row of numbers, not an image."""
    return any(op["op"] == "columns" for op in signature.preprocess)


def columns_of(signature: Signature) -> list[str]:
    """The names of a row's numbers, in order."""
    return [str(name) for name in step(signature.preprocess, "columns", "preprocess")["names"]]


def scale_of(signature: Signature) -> NDArray[np.float32]:
    """What noise is a share of: the range of pixels, or the deviation (columns,) of each column."""
    if not is_table(signature):
        return np.asarray(PIXELS)
    return np.asarray(step(signature.preprocess, "standardize", "preprocess")["std"], np.float32)


def error(outputs: Mapping[str, NDArray[Any]], wanted: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """The mean squared error (n,) of the output, as a tensor, from `wanted` (n, ...)."""
    found = np.asarray(outputs[signature.outputs[0].name], np.float64)
    squares = np.square(found - np.asarray(wanted, np.float64).reshape(found.shape))
    return np.asarray(squares.reshape(len(found), -1).mean(axis=1))


class Samples:
    """Raw sample: uint8 (height, width, channels), or float32 (columns,) in the data's own units."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """`source` itself, or the rows of a CSV file."""
        if is_table(signature) and isinstance(source, str | Path) and str(source).lower().endswith(".csv"):
            return list(read_table(source).numbers(columns_of(signature)))
        return [source]

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """The image at a path, in bytes or in an array; or a row: an array, numbers split by commas, a CSV of one."""
        return (
            _row(self.expand(source, signature), signature) if is_table(signature) else IMAGES.read(source, signature)
        )

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, ...): scaled or standardized as the signature says."""
        ops = [op for op in signature.preprocess if op["op"] not in _REST]
        return {signature.inputs[0].name: preprocess.apply_ops(raws, ops)}

    def as_file(self, answers: list[Any]) -> tuple[str, bytes] | None:
        """None: text says it all."""
        return None

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Coloured patches with noise, or rows around the mean that the signature standardizes by."""
        if not is_table(signature):
            return IMAGES.synthetic(signature, count=count, seed=seed)
        op = step(signature.preprocess, "standardize", "preprocess")
        drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal((count, len(columns_of(signature))))
        return np.asarray(drawn * np.asarray(op["std"]) + np.asarray(op["mean"]), np.float32)


def _row(sources: list[Any], signature: Signature) -> NDArray[np.float32]:
    names = columns_of(signature)
    if len(sources) != 1:
        raise InputError("table", "must have one row where one sample is read", len(sources))
    (source,) = sources
    where = "row"
    if isinstance(source, str | Path):
        where, source = f"row {source}", str(source).split(",")
    try:
        found = np.asarray(source, np.float64)
    except (TypeError, ValueError) as fault:
        raise InputError(where, f"must be {len(names)} numbers, or a .csv file", hint=f"{', '.join(names)}") from fault
    fits = found.shape == (len(names),) and np.isfinite(found).all()
    if not fits or np.abs(found).max(initial=0.0) > np.finfo(np.float32).max:
        rule = f"must be {len(names)} finite numbers: {', '.join(names)}"
        raise InputError(where, rule, found.shape if found.shape != (len(names),) else source)
    return found.astype(np.float32)
