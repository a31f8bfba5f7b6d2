"""An image or a row of numbers: what the families have in common that take either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Op, Signature
from dltk.edge.families.shared.base import SingleSample, Tensors, unstack_samples
from dltk.edge.families.shared.synthetic import synthetic_images
from dltk.edge.input import preprocess
from dltk.edge.input.noise import PIXELS
from dltk.edge.sources.tables import dialect_of, is_table_file, read_table

__all__ = ["Samples", "columns_of", "error", "is_table", "moments", "number", "scale_of", "step"]


def step(ops: Sequence[Op], name: str, *keys: str) -> Op:
    """The step called `name`, of a bundle that may come from anywhere; it has `keys`.

    Raises:
        InputError: if there is none, or it lacks a key.
    """
    found = next((op for op in ops if op["op"] == name), None)
    if found is None or not all(key in found for key in keys):
        needs = f" with {', '.join(keys)}" if keys else ""
        raise InputError("signature", f"needs a step {name!r}{needs}", [dict(op) for op in ops])
    return found


def number(op: Op, key: str) -> float:
    """The finite number at `key` of a step.

    Raises:
        InputError: if there is none.
    """
    value = op.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not abs(value) < 1e300:
        raise InputError(f"signature: {op['op']}: {key}", "must be a finite number", value)
    return float(value)


def moments(op: Op, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation (count,) of a step "standardize" or "unstandardize".

    Raises:
        InputError: if they are not `count` finite numbers each.
    """
    found = []
    for key in ("mean", "std"):
        values = op.get(key)
        numbers = isinstance(values, list) and all(isinstance(value, (int, float)) for value in values)
        if not isinstance(values, list) or not numbers or len(values) != count or not np.isfinite(values).all():
            raise InputError(f"signature: {op['op']}: {key}", f"must be {count} finite numbers", values)
        found.append(np.asarray(values, np.float64))
    return found[0], found[1]


def is_table(signature: Signature) -> bool:
    """Whether a sample is a row of numbers, not an image."""
    return any(op["op"] == "columns" for op in signature.preprocess)


def columns_of(signature: Signature) -> list[str]:
    """The names of a row's numbers, in order.

    Raises:
        InputError: if there is no step "columns", or its names are not at least one text.
    """
    names = step(signature.preprocess, "columns", "names")["names"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError("signature: columns: names", "must be a list of texts", names)
    return names


def scale_of(signature: Signature) -> NDArray[np.float32]:
    """What noise is a share of: the range of pixels, or the deviation (columns,) of each column."""
    if not is_table(signature):
        return np.asarray(PIXELS)
    _, deviation = moments(step(signature.preprocess, "standardize"), len(columns_of(signature)))
    return deviation.astype(np.float32)


def error(outputs: Mapping[str, NDArray[Any]], wanted: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """The mean squared error (n,) of the output, as a tensor, from `wanted` (n, ...)."""
    found = np.asarray(outputs[signature.outputs[0].name], np.float64)
    squares = np.square(found - np.asarray(wanted, np.float64).reshape(found.shape))
    return np.asarray(squares.reshape(len(found), -1).mean(axis=1))


class Samples(SingleSample):
    """Raw sample: uint8 (height, width, channels), or float32 (columns,) in the data's own units."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """`source` itself, or the rows of a CSV file."""
        if is_table(signature) and isinstance(source, (str, Path)) and is_table_file(source):
            return unstack_samples(
                read_table(source, dialect=dialect_of(signature)).numbers(columns_of(signature)), source
            )
        return [source]

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """The image at a path, in bytes or in an array; or a row: an array, numbers split by commas, a CSV of one.

        Returns:
            uint8 (height, width, channels), or float32 (columns,).
        """
        if is_table(signature):
            return _row(self.expand(source, signature), signature)
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, ...): scaled or standardized as the signature defines."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Coloured patches with noise, uint8 (count, height, width, channels).

        Or, for a table, rows around the mean that the signature standardizes by, float32 (count, columns).
        """
        if not is_table(signature):
            return synthetic_images(signature, count=count, seed=seed)
        columns = len(columns_of(signature))
        mean, deviation = moments(step(signature.preprocess, "standardize"), columns)
        drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal((count, columns))
        return np.asarray(drawn * deviation + mean, np.float32)


def _row(sources: list[Any], signature: Signature) -> NDArray[np.float32]:
    names = columns_of(signature)
    if len(sources) != 1:
        raise InputError("table", "must have one row where one sample is read", len(sources))
    (source,) = sources
    where = "row"
    if isinstance(source, (str, Path)):
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
