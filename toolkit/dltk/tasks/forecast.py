"""What a series of measurements will be, from a window of what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.kinds.series import prepare_series
from dltk.data.seasons import seasonal_naive
from dltk.data.strata import stratified
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families.shared.intervals import interval_ends, window_scale
from dltk.edge.input.preprocess import apply_ops, from_data_units, to_data_units
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask
from dltk.tasks.conformal import Errors, half_widths, independent_samples

__all__ = ["TASK"]

_LEVEL = 0.8  # share of what comes that an interval is to hold


class _Forecast(SplitTask):
    """A sample is a window (window, columns) in the file's unit; its target the (horizon, columns) after it,
    standardized like the model's output.
    """

    name = "forecast"
    family = "series"
    trainer = "fit"
    uses_training_outputs = True

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        return prepare_series(data or "sine", settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        columns = len(dataset.report["columns"])
        inputs, outputs = (
            {"series": (dataset.report["window"], columns)},
            {"forecast": (settings.data.horizon, columns)},
        )
        return Contract(inputs, outputs, facts={"season": dataset.report["season"]})

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        report, axes = dataset.report, ("batch", "time", "column")
        columns = list(report["columns"])
        moments = {"mean": list(report["mean"]), "std": list(report["std"])}
        window = {"op": "window", "length": report["window"], "columns": columns, **report["rows"]}
        logarithm = report["transform"] == "log"
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(TensorSpec("series", "float32", (None, report["window"], len(columns)), axes),),
            outputs=(TensorSpec("forecast", "float32", (None, settings.data.horizon, len(columns)), axes),),
            preprocess=(window, *([{"op": "log"}] if logarithm else []), {"op": "standardize", **moments}),
            postprocess=({"op": "unstandardize", **moments}, *([{"op": "exp"}] if logarithm else [])),
            labels=tuple(columns),
        )

    def calibration(self, dataset: Dataset, *, count: int, seed: int) -> NDArray[Any]:
        """Training windows; every second one is moved on along the trend of the training rows, the later the further.

        The latest of them is moved to the last row of all: a series that grows leaves the range of its training rows,
        and an int8 model cuts off what lies outside its own.
        """
        positions = stratified(dataset.train.targets, count=count, seed=seed, mixed=True)
        moved = positions[1::2]  # in the order drawn, but the furthest first: the last samples may set no ranges
        moved[:] = np.roll(moved, -int(moved.argmax())) if len(moved) else moved
        raws, report = dataset.train.take(positions), dataset.report
        ops = [{"op": "exp"}] if report["transform"] == "log" else []
        ahead = report["held_back"] * (moved.argsort().argsort() + 1) / max(1, len(moved))
        raws[1::2] = to_data_units(
            from_data_units(raws[1::2], ops) + ahead[:, None, None] * np.asarray(report["trend"]), ops
        )
        return raws

    def finalize_signature(
        self, signature: Signature, outputs: NDArray[Any], dataset: Dataset, metrics: Mapping[str, Any]
    ) -> Signature:
        """An interval per step and column: `tasks.conformal.half_widths` times how much the window changes.

        Without a validation split there is none. Windows of a series are not independent samples: the coverage holds
        only if errors grow with the changes as they did. `outputs` are of shape (n, horizon, columns), maybe flat.
        """
        rest = tuple(op for op in signature.postprocess if op["op"] != "interval")
        if not len(outputs):
            return signature.with_postprocess(*rest)
        season = int(dataset.report["season"])
        trained = metrics.get("training_outputs", np.zeros((0, *np.shape(outputs)[1:])))
        judged = _errors_over_scale(dataset.validation, outputs, signature, season)
        half = half_widths(judged, _errors_over_scale(dataset.train, trained, signature, season), _LEVEL)
        ends = {"low": (-half).tolist(), "high": half.tolist()}
        return signature.with_postprocess({"op": "interval", "level": _LEVEL, "season": season, **ends}, *rest)

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """Compared with the season-naive forecast of the same windows: MASE (Hyndman and Koehler 2006), sMAPE in
        percent (Makridakis 1993), and the coverage of the interval, overall and per step.
        """
        report, ops = dataset.report, signature.postprocess
        windows = dataset.test.take(slice(None))
        wanted = to_data_units(dataset.test.targets, ops)
        answer = np.asarray(outputs, np.float64).reshape(wanted.shape)
        found = to_data_units(answer, ops)
        naive = seasonal_naive(windows.astype(np.float64), horizon=wanted.shape[1], season=report["season"])
        figures: dict[str, Any] = {"season": report["season"], **_errors(found, wanted, report)}
        figures |= {f"seasonal_naive_{name}": value for name, value in _errors(naive, wanted, report).items()}
        stretch = {"window": windows[-1, :, 0], "wanted": wanted[-1, :, 0], "value": found[-1, :, 0]}
        tensors = apply_ops(windows, signature.preprocess)
        if (ends := interval_ends(ops, wanted.shape[1:], tensors)) is not None:
            low, high = (to_data_units(answer + end, ops) for end in ends)
            figures["interval_samples"] = independent_samples(len(dataset.validation), wanted.shape[1])
            inside = (low <= wanted) & (wanted <= high)
            figures["interval_coverage"] = float(inside.mean())
            figures["coverage"] = inside.mean(axis=(0, 2)).tolist()
            stretch |= {"low": low[-1, :, 0], "high": high[-1, :, 0]}
        lists = {name: values.tolist() for name, values in stretch.items()}
        return {**figures, "stretch": {"column": report["columns"][0], **lists}}


TASK = _Forecast()


def _errors_over_scale(split: Split, outputs: NDArray[Any], signature: Signature, season: int) -> Errors:
    """Absolute errors (n, horizon, columns) of the first n windows, over how much the window changes."""
    targets = np.asarray(split.targets, np.float64)[: len(outputs)]
    errors = np.abs(np.asarray(outputs, np.float64).reshape(targets.shape) - targets)
    if not len(errors):
        return errors
    return errors / window_scale(apply_ops(split.take(slice(0, len(errors))), signature.preprocess), season)


def _errors(found: NDArray[Any], wanted: NDArray[Any], report: Mapping[str, Any]) -> dict[str, float]:
    by_column = np.abs(found - wanted).mean(axis=(0, 1))
    scale = np.asarray(report["naive_error"])
    sizes = np.abs(found) + np.abs(wanted)
    return {
        "mean_absolute_error": float(by_column.mean()),
        "mean_absolute_scaled_error": float((by_column / np.where(scale > 0, scale, 1.0)).mean()),
        "symmetric_mean_absolute_percentage_error": float(
            (200 * np.abs(found - wanted) / np.where(sizes > 0, sizes, 1.0)).mean()
        ),
    }
