"""The last stretch of a series to its next values, and how far off they may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Op, Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric, SingleSample, Tensors
from dltk.edge.input import preprocess
from dltk.edge.sources.tables import Table, dialect_of, read_table
from dltk.edge.sources.times import Step, require_regular

__all__ = ["FAMILY", "Series", "interval_of", "measurements", "window_of"]

# Column -> value, and low and high where known; one per step of the horizon.
Prediction = list[dict[str, dict[str, float]]]


def _mean_absolute_error(
    outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature
) -> NDArray[np.float64]:
    found = _in_units(outputs[signature.outputs[0].name], signature)
    wanted = _in_units(np.asarray(targets), signature)
    return np.asarray(np.abs(found - wanted).reshape(len(found), -1).mean(axis=1), np.float64)


class Series(SingleSample):
    """Raw sample: float32 (length, columns) in the data's unit. Output and targets: (n, horizon, columns) or
    (n, horizon * columns), standardized; metrics bring both back to the data's unit.
    """

    name = "series"
    accepted_inputs = "the path of a CSV, or an array (rows, columns) of numbers"
    metrics: tuple[Metric, ...] = (Metric("mean_absolute_error", False, False, _mean_absolute_error),)

    def kind(self, signature: Signature) -> Kind:
        """Numbers."""
        return "regression"

    def read(self, source: Any, signature: Signature) -> NDArray[np.float32]:
        """The last `length` rows of an array, or of the window's columns of a CSV file, evenly spaced in time.

        Returns:
            float32 (length, columns).

        Raises:
            InputError: if rows or columns are missing, or a number is not finite, or not above 0 for a model that takes
                logarithms.
        """
        window = window_of(signature)
        length, width = int(window["length"]), len(window["columns"])
        if isinstance(source, (str, Path)):
            table = read_table(source, dialect=dialect_of(signature))
            values, where = _checked(table, signature, last=length), str(source)
        else:
            values, where = np.asarray(source, np.float32), "array"
        if values.ndim != 2 or values.shape[1] != width or len(values) < length:
            raise InputError(where, f"must have at least {length} rows of {width} values", values.shape)
        raw = values[-length:].copy()
        if not np.isfinite(raw).all():
            raise InputError(where, "must hold finite numbers")
        if _takes_logarithm(signature) and not (raw > 0).all():
            raise InputError(where, "must hold numbers above 0: the model takes their logarithm", float(raw.min()))
        return raw

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, length, columns), standardized."""
        return {signature.inputs[0].name: preprocess.apply_ops(np.asarray(raws, np.float32), signature.preprocess)}

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: column -> {"value", "low", "high"}, one dictionary per step. `top` has no meaning here.

        The numbers are in the data's unit. Low and high are missing where the model has no interval.

        Args:
            outputs: output name -> (n, ...), horizon x columns numbers per sample, standardized.
        """
        names, parts = _target_columns(signature), {"value": outputs[signature.outputs[0].name]}
        if (found := interval_of(signature)) is not None:
            values = np.asarray(parts["value"], np.float64).reshape(-1, *found[0].shape)
            parts |= {"low": values + found[0], "high": values + found[1]}
        parts = {name: _in_units(values, signature) for name, values in parts.items()}
        samples, steps, _ = parts["value"].shape
        return [
            [
                {
                    name: {part: float(values[sample, step, place]) for part, values in parts.items()}
                    for place, name in enumerate(names)
                }
                for step in range(steps)
            ]
            for sample in range(samples)
        ]

    def as_json(self, prediction: Prediction) -> Prediction:
        """[{column: {"value": ..., "low": ..., "high": ...}, ...}, ...]."""
        return prediction

    def as_text(self, prediction: Prediction) -> str:
        """One line per step: the value, and in brackets low and high."""
        lines = (
            f"+{step:<4d} " + "  ".join(f"{one_line(name)}={_number(found)}" for name, found in values.items())
            for step, values in enumerate(prediction, start=1)
        )
        return "\n".join(lines)

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Every window of a CSV with what came after it, standardized as the model gives it.

        Raises:
            InputError: if there are fewer rows than a window and a horizon have, or a column does not fit.
        """
        window, targets, path = window_of(signature), _target_columns(signature), Path(data)
        table, length = read_table(path, dialect=dialect_of(signature)), int(window["length"])
        horizon = int(np.prod(signature.outputs[0].sample_shape)) // len(targets)
        inputs = _checked(table, signature, last=len(table))
        after = measurements(table, targets, positive=_takes_logarithm(signature))
        if len(inputs) < length + horizon:
            raise InputError(path, f"needs at least {length + horizon} rows", len(inputs))
        wanted = preprocess.from_data_units(after[length:], signature.postprocess)
        count = len(inputs) - length - horizon + 1
        raws = np.moveaxis(sliding_window_view(inputs, length, axis=0), -1, 1)[:count]
        return Labelled(raws, np.moveaxis(sliding_window_view(wanted, horizon, axis=0), -1, 1))

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.float32]:
        """Random walks (count, length, columns) around the mean that the signature standardizes by."""
        window = window_of(signature)
        generator = np.random.Generator(np.random.PCG64(seed))
        steps = generator.standard_normal((count, int(window["length"]), len(window["columns"])))
        walks = steps.cumsum(axis=1) / np.sqrt(steps.shape[1])
        for op in reversed(signature.preprocess):
            if op["op"] == "standardize":
                walks = walks * np.asarray(op["std"]) + np.asarray(op["mean"])
            elif op["op"] == "log":
                walks = np.exp(walks)
        return np.asarray(walks, np.float32)


def window_of(signature: Signature) -> Op:
    """The step that defines the columns and the number of rows of a sample.

    Raises:
        InputError: if the signature has none.
    """
    return signature.step("window")


def interval_of(signature: Signature) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """What lies between a forecast and the low and high end of its interval, standardized, (horizon, columns) each.

    Raises:
        InputError: if the step does not fit the outputs.
    """
    columns = len(_target_columns(signature))
    shape = (int(np.prod(signature.outputs[0].sample_shape)) // columns, columns)
    for op in signature.postprocess:
        if op["op"] == "interval":
            try:
                low, high = (np.asarray(op[end], np.float64) for end in ("low", "high"))
            except (KeyError, TypeError, ValueError) as fault:
                raise InputError("postprocess: interval", "must have numbers as low and high", dict(op)) from fault
            if low.shape != shape or high.shape != shape or not np.isfinite([low, high]).all():
                raise InputError("postprocess: interval", f"low and high must be finite, of shape {shape}", low.shape)
            return low, high
    return None


def measurements(table: Table, columns: Sequence[str], *, positive: bool) -> NDArray[np.float32]:
    """float32 (rows, columns) of `table`.

    Raises:
        InputError: naming the line of the first cell that is no finite number, or not above 0 where it must be.
    """
    values = table.numbers(columns)
    if positive and not (values > 0).all():
        row, place = np.argwhere(values <= 0)[0]
        rule = f"column {columns[place]!r} must be above 0 for its logarithm"
        raise InputError(table.where(int(row)), rule, f"{values[row, place]:g}")
    return values


def _checked(table: Table, signature: Signature, *, last: int) -> NDArray[np.float32]:
    """The window's columns of `table`, whose `last` rows stand as far apart as those of training did."""
    window = window_of(signature)
    time = window.get("time")
    if time is not None:
        try:
            column, step = str(time["column"]), Step(str(time["unit"]), float(time["size"]))
        except (KeyError, TypeError, ValueError) as fault:
            raise InputError("preprocess: window: time", "must have a column, a unit and a size", time) from fault
        require_regular(table, column, step, last=last)
    return measurements(table, window["columns"], positive=_takes_logarithm(signature))


def _takes_logarithm(signature: Signature) -> bool:
    return any(op["op"] == "log" for op in signature.preprocess)


def _target_columns(signature: Signature) -> tuple[str, ...]:
    return signature.labels or tuple(window_of(signature)["columns"])


def _in_units(values: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """(n, horizon, columns) in the data's unit."""
    shaped = np.asarray(values, np.float64).reshape(len(values), -1, len(_target_columns(signature)))
    return preprocess.to_data_units(shaped, signature.postprocess)


def _number(found: Mapping[str, float]) -> str:
    text = f"{found['value']:.6g}"
    return f"{text} [{found['low']:.6g}, {found['high']:.6g}]" if "low" in found else text


FAMILY: Family = Series()
