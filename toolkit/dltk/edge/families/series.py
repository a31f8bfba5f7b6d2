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
from dltk.edge.families.shared.intervals import interval_ends
from dltk.edge.input import preprocess
from dltk.edge.sources.tables import dialect_of, read_table
from dltk.edge.sources.times.parts import Part, read_parts
from dltk.edge.sources.times.rule import TimeRule

__all__ = ["FAMILY", "Series", "window_of"]

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

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """`source` itself; of a CSV of several series each of them, as a `Part`.

        Raises:
            InputError: as `read`.
        """
        window = window_of(signature)
        if not window.get("series") or not isinstance(source, (str, Path)):
            return [source]
        return list(_parts(source, window["columns"], signature, last=int(window["length"])))

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
            parts, where = _parts(source, window["columns"], signature, last=length), str(source)
            if len(parts) > 1:
                raise InputError(where, "must hold one series where one sample is read", f"{len(parts)} series")
            values = parts[0].values
        elif isinstance(source, Part):
            values, where = source.values, f"series {source.name!r}"
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
            outputs: output name -> (n, ...), horizon x columns numbers per sample, standardized; of a model that has an
                interval the input, too: (n, length, columns).
        """
        names = _target_columns(signature)
        values = np.asarray(outputs[signature.outputs[0].name], np.float64)
        values = values.reshape(len(values), -1, len(names))
        parts = {"value": values}
        if any(op["op"] == "interval" for op in signature.postprocess):
            windows = outputs[signature.inputs[0].name]
            if (ends := interval_ends(signature.postprocess, values.shape[1:], windows)) is not None:
                parts |= {"low": values + ends[0], "high": values + ends[1]}
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
        window, targets = window_of(signature), _target_columns(signature)
        length, horizon = int(window["length"]), int(np.prod(signature.outputs[0].sample_shape)) // len(targets)
        parts = _parts(data, window["columns"], signature)
        after = parts if tuple(window["columns"]) == targets else _parts(data, targets, signature)
        raws, wanted = [], []
        for part, values in zip(parts, (each.values for each in after), strict=True):
            count = len(part.values) - length - horizon + 1
            if count > 0:
                scaled = preprocess.from_data_units(values[length:], signature.postprocess)
                raws.append(np.moveaxis(sliding_window_view(part.values, length, axis=0), -1, 1)[:count])
                wanted.append(np.moveaxis(sliding_window_view(scaled, horizon, axis=0), -1, 1))
        if not raws:
            most = max(len(part.values) for part in parts)
            raise InputError(data, f"needs at least {length + horizon} rows", most)
        if len(raws) == 1:
            return Labelled(raws[0], wanted[0])
        short = tuple((each.name, "too few rows") for each in parts if len(each.values) < length + horizon)
        return Labelled(np.concatenate(raws), np.concatenate(wanted), short)

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


def _parts(
    path: str | Path, columns: Sequence[str], signature: Signature, *, last: int | None = None
) -> tuple[Part, ...]:
    """The series of a CSV, read as the data of training was."""
    rule, positive = TimeRule.of(window_of(signature)), _takes_logarithm(signature)
    table = read_table(path, dialect=dialect_of(signature))
    return read_parts(table, columns, rule, positive=positive, last=last).parts


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
