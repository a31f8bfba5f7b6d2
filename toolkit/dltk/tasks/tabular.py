"""Predicts one column of a table from the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.tabular import prepare_table
from dltk.edge.bundle.shapes import record_of
from dltk.edge.bundle.signature import Op, Signature, TensorSpec
from dltk.edge.input.vocabulary import VOCABULARY, parse_vocabulary
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]

_THRESHOLD = 0.5  # of a sigmoid: where the odds are even


class _Tabular(SplitTask):
    """A sample is a row. Its numbers are standardized before the model, so that one int8 scale fits all of them."""

    name = "tabular"
    family = "tabular"  # "tabular-values" where the target is numbers
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A CSV file with a header.")
        return prepare_table(data, settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        columns, inputs = dataset.report["columns"], {}
        dtype = record_of(columns)
        if "numbers" in (dtype.names or ()):
            bins = dataset.report.get("bins", {"column": []})
            inputs["numbers"] = (dtype["numbers"].shape[0] + len(bins["column"]),)
        ranges = {}
        if columns["categories"]:
            inputs["categories"] = (len(columns["categories"]),)
            ranges["categories"] = (0.0, parse_vocabulary(dataset.assets[VOCABULARY]).size - 1.0)
        name, size = _output(dataset)
        return Contract(inputs, {name: (size,)}, ranges)

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        report, contract = dataset.report, self.contract(settings, dataset)
        steps: list[Op] = [report["columns"]]
        if "mean" in report:
            steps.append({"op": "standardize", "mean": report["mean"], "std": report["std"]})
            if "bins" in report:
                steps.append({"op": "bins", **report["bins"]})
            if settings.data.clip:
                steps.append({"op": "clip", "low": -settings.data.clip, "high": settings.data.clip})
        steps += [parse_vocabulary(data).op() for data in dataset.assets.values()]
        kinds, axes = {"numbers": "float32", "categories": "int32"}, ("batch", "column")
        values = report["kind"] == "values"
        name, size = _output(dataset)
        return Signature(
            task=self.name,
            family="tabular-values" if values else self.family,
            inputs=tuple(
                TensorSpec(each, kinds[each], (None, *shape), axes, contract.input_ranges.get(each))
                for each, shape in contract.inputs.items()
            ),
            outputs=(TensorSpec(name, "float32", (None, size), ("batch", "target" if values else "class")),),
            preprocess=(*steps, *built.preprocess),
            postprocess=(_last(report),),
            labels=dataset.labels,
            assets=dataset.assets,
        )

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """Of values the coefficient of determination: "r2", the mean over the target columns, and "r2_of" each."""
        if dataset.report["kind"] != "values":
            return {}
        wanted = np.asarray(dataset.test.targets, np.float64)
        spread = np.square(wanted - wanted.mean(axis=0)).sum(axis=0)
        found = 1.0 - np.square(wanted - outputs).sum(axis=0) / np.where(spread > 0, spread, np.inf)
        names = dataset.report["columns"]["targets"]
        return {"r2": float(found.mean()), "r2_of": dict(zip(names, map(float, found), strict=True))}


TASK = _Tabular()


def _output(dataset: Dataset) -> tuple[str, int]:
    if dataset.report["kind"] == "values":
        return "values", len(dataset.report["columns"]["targets"])
    return "logits", len(dataset.labels)


def _last(report: Any) -> Op:
    if report["kind"] == "values":
        return {"op": "unstandardize", "mean": report["target_mean"], "std": report["target_std"]}
    if report["kind"] == "labels":
        return {"op": "sigmoid", "threshold": _THRESHOLD}
    return {"op": "softmax", "temperature": 1.0}
