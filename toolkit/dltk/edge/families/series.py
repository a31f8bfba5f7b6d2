"""The last stretch of a series to its next values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge import preprocess
from dltk.edge.families.base import Family, Kind, Labelled, Metric, Tensors, Whole
from dltk.edge.signature import Op, Signature
from dltk.edge.sources.table import read_table

__all__ = ["FAMILY", "Series", "scale_of", "window_of"]

Answer = list[dict[str, float]]  # column -> value, one a step of the horizon


def _mean_absolute_error(
    outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature
) -> NDArray[np.float64]:
    found = _unstandardized(outputs[signature.outputs[0].name], signature)
    wanted = _unstandardized(np.asarray(targets), signature)
    return np.asarray(np.abs(found - wanted).reshape(len(found), -1).mean(axis=1), np.float64)


class Series(Whole):
    """Raw sample: float32 (length, columns) in the data's unit. Output and targets: (n, horizon, columns) or
    (n, horizon * columns), standardized; metrics bring both back to the data's unit.
    """

    name = "series"
    metrics: tuple[Metric, ...] = (Metric("mean_absolute_error", False, False, _mean_absolute_error),)

    def kind(self, signature: Signature) -> Kind:
        """Numbers."""
        return "regression"

    def read(self, source: Any, signature: Signature) -> NDArray[np.float32]:
        """The last `length` rows of an array, or of the window's columns of a CSV file."""
        window = window_of(signature)
        if isinstance(source, str | Path):
            values, where = read_table(source).numbers(window["columns"]), str(source)
        else:
            values, where = np.asarray(source, np.float32), "array"
        length, width = int(window["length"]), len(window["columns"])
        if values.ndim != 2 or values.shape[1] != width or len(values) < length:
            raise InputError(where, f"must have at least {length} rows of {width} values", values.shape)
        if not np.isfinite(values[-length:]).all():
            raise InputError(where, "must hold finite numbers")
        return values[-length:].copy()

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, length, columns), standardized."""
        ops = [op for op in signature.preprocess if op["op"] != "window"]
        return {signature.inputs[0].name: preprocess.apply_ops(np.asarray(raws, np.float32), ops)}

    def answers(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Answer]:
        """A sample: the next values by column, one dictionary a step. `top` has no meaning here."""
        names = _target_columns(signature)
        values = _unstandardized(outputs[signature.outputs[0].name], signature)
        return [[dict(zip(names, map(float, step), strict=True)) for step in sample] for sample in values]

    def as_json(self, answer: Answer) -> Answer:
        """[{column: value, ...}, ...]."""
        return answer

    def as_text(self, answer: Answer) -> str:
        """A line a step."""
        lines = (
            f"+{step:<4d} " + "  ".join(f"{name}={value:.6g}" for name, value in values.items())
            for step, values in enumerate(answer, start=1)
        )
        return "\n".join(lines)

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Every window of a CSV with what came after it, standardized as the model gives it."""
        window, targets, path = window_of(signature), _target_columns(signature), Path(data)
        table, length = read_table(path), int(window["length"])
        horizon = int(np.prod(signature.outputs[0].sample_shape)) // len(targets)
        inputs, after = table.numbers(window["columns"]), table.numbers(targets)
        if len(inputs) < length + horizon:
            raise InputError(path, f"needs at least {length + horizon} rows", len(inputs))
        mean, deviation = scale_of(signature)
        wanted = (after[length:].astype(np.float64) - mean) / deviation
        count = len(inputs) - length - horizon + 1
        raws = np.moveaxis(sliding_window_view(inputs, length, axis=0), -1, 1)[:count]
        return Labelled(raws, np.moveaxis(sliding_window_view(wanted, horizon, axis=0), -1, 1))

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.float32]:
        """Random walks (count, length, columns) around the mean that the signature standardizes by."""
        window = window_of(signature)
        generator = np.random.Generator(np.random.PCG64(seed))
        steps = generator.standard_normal((count, int(window["length"]), len(window["columns"])))
        walks = steps.cumsum(axis=1) / np.sqrt(steps.shape[1])
        scales = [op for op in signature.preprocess if op["op"] == "standardize"]
        for op in scales:
            walks = walks * np.asarray(op["std"]) + np.asarray(op["mean"])
        return np.asarray(walks, np.float32)


def scale_of(signature: Signature) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation (columns,) or () that bring outputs back to the data's unit."""
    for op in signature.postprocess:
        if op["op"] == "unstandardize":
            return np.asarray(op["mean"], np.float64), np.asarray(op["std"], np.float64)
    return np.zeros(()), np.ones(())


def window_of(signature: Signature) -> Op:
    """The step that says which columns, and how many rows of them, make a sample.

    Raises:
        InputError: if the signature has none.
    """
    for op in signature.preprocess:
        if op["op"] == "window":
            return op
    raise InputError("preprocess", "needs a step 'window'", [op["op"] for op in signature.preprocess])


def _target_columns(signature: Signature) -> tuple[str, ...]:
    return signature.labels or tuple(window_of(signature)["columns"])


def _unstandardized(values: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """(n, horizon, columns) in the data's unit."""
    mean, deviation = scale_of(signature)
    return np.asarray(values, np.float64).reshape(len(values), -1, len(_target_columns(signature))) * deviation + mean


FAMILY: Family = Series()
