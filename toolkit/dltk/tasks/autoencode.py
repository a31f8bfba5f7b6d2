"""Give back what was shown: to find samples that are unlike the rest, to take noise away, or for a short code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, NoisySplit, Split
from dltk.data.kinds.images import channels, prepare_images, reading_ops, size_of
from dltk.data.kinds.rows import prepare_rows
from dltk.data.split import keep_normal_class
from dltk.edge.bundle.signature import Op, Signature, TensorSpec
from dltk.edge.families import compared_inputs
from dltk.edge.families.anomaly import VERDICTS, anomaly_scores
from dltk.edge.families.restore import FAMILY as RESTORE
from dltk.edge.families.shared.samples import is_table
from dltk.edge.input.noise import PIXELS, column_deviations
from dltk.edge.sources import read_table
from dltk.edge.sources.tables import Dialect, is_table_file
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]

_FAMILIES = {"anomaly": "anomaly", "denoise": "restore", "embed": "embedding"}  # what `settings.use` makes of it
_CEILING = 1e-10  # least mean squared error of a peak signal-to-noise ratio: equal images would have an endless one


class _Autoencode(SplitTask):
    """A sample is an image, or a row of a CSV. `settings.use` selects the model's output."""

    name = "autoencode"
    family = "anomaly"
    trainer = "autoencoder"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A folder of images, or a CSV of numbers, for example.")
        if settings.use == "anomaly" and settings.data.multi_label:
            raise InputError(
                "setting data.multi_label", "must be false for use=anomaly: a sample is normal or not", True
            )
        dataset = _prepared(settings, data, progress)
        if settings.use == "anomaly":
            dataset = keep_normal_class(dataset, settings.data.normal)
        if "columns" in dataset.report:
            seen = dataset.train.take(slice(None))
            moments = {"mean": seen.mean(axis=0, dtype=np.float64).tolist(), "std": column_deviations(seen).tolist()}
            dataset = replace(dataset, report={**dataset.report, **moments})
        return _noisy(dataset, settings) if settings.use == "denoise" else dataset

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        name, shape = _input(settings, dataset)
        outputs = {"code": (settings.model.code,)} if settings.use == "embed" else {"restored": shape}
        return Contract({name: shape}, outputs)

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        name, shape = _input(settings, dataset)
        axes = ("batch", "column") if name == "row" else ("batch", "height", "width", "channel")
        outputs = TensorSpec("restored", "float32", (None, *shape), axes)
        if settings.use == "embed":
            outputs = TensorSpec("code", "float32", (None, settings.model.code), ("batch", "code"))
        return Signature(
            task=self.name,
            family=_FAMILIES[settings.use],
            inputs=(TensorSpec(name, "float32", (None, *shape), axes, _range(name, built)),),
            outputs=(outputs,),
            preprocess=(*_reading(settings, dataset), *built.preprocess),
            postprocess=_after(settings, dataset, built),
            labels=VERDICTS if settings.use == "anomaly" else (),
        )

    def finalize_signature(
        self, signature: Signature, outputs: NDArray[Any], dataset: Dataset, metrics: Mapping[str, Any]
    ) -> Signature:
        """The threshold: a quantile of the scores of normal validation samples."""
        if signature.family != "anomaly":
            return signature
        if not len(outputs):
            raise InputError(
                "validation split", "must hold samples that set the threshold", 0, "Raise data.validation."
            )
        (op,) = signature.postprocess
        normal = np.asarray(dataset.validation.targets) == 0
        scores = _scores(outputs, dataset.validation, signature)[normal]
        return signature.with_postprocess({**op, "at": float(np.quantile(scores, op["quantile"]))})

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        if signature.family == "anomaly":
            return _anomaly_figures(outputs, dataset, signature)
        if signature.family != "restore" or is_table(signature):
            return {}
        return _image_figures(outputs, dataset, signature)


TASK = _Autoencode()


def _prepared(settings: Any, data: str, progress: Progress) -> Dataset:
    """Rows of a table without a column of files (`data.path`); else images."""
    if is_table_file(data):
        table = read_table(Path(data), dialect=Dialect.of(settings.data), note=progress.log)
        if settings.data.path not in table.header:
            return prepare_rows(table, settings.data, seed=settings.seed)
    return prepare_images(data, settings.data, seed=settings.seed, progress=progress, least_classes=1)


def _noisy(dataset: Dataset, settings: Any) -> Dataset:
    """Validation and test samples with noise; their targets are the clean ones."""
    deviation = settings.augment.noise
    if not deviation:
        raise InputError("setting augment.noise", "must be above 0 for use=denoise", deviation)
    scale = np.asarray(dataset.report["std"] if "columns" in dataset.report else PIXELS, np.float32)

    def noisy(split: Split) -> NoisySplit:
        return NoisySplit(split.store, split.rows, split.take(slice(None)), deviation, settings.seed, scale)

    digest = sha256(canonical_json([dataset.digest, deviation, settings.seed]))
    return replace(dataset, validation=noisy(dataset.validation), test=noisy(dataset.test), digest=digest)


def _input(settings: Any, dataset: Dataset) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the input."""
    if "columns" in dataset.report:
        return "row", (len(dataset.report["columns"]),)
    side = size_of(dataset)
    return "image", (side, side, channels(settings.data))


def _reading(settings: Any, dataset: Dataset) -> tuple[Op, ...]:
    report = dataset.report
    if "columns" not in report:
        return reading_ops(settings.data, size_of(dataset))
    return (
        {"op": "columns", "names": list(report["columns"])},
        {"op": "standardize", "mean": list(report["mean"]), "std": list(report["std"])},
    )


def _after(settings: Any, dataset: Dataset, built: Built) -> tuple[Op, ...]:
    """What the device does with the output; the threshold is set once the model is trained."""
    report = dataset.report
    if settings.use == "embed":
        return ()
    if settings.use == "anomaly":
        data = settings.data
        return (
            {"op": "threshold", "at": 0.0, "quantile": settings.quantile, "normal": data.normal, "label": data.label},
        )
    noise = {"op": "noise", "deviation": settings.augment.noise}  # says what was trained for; it adds none to answers
    if "columns" in report:
        return ({"op": "unstandardize", "mean": list(report["mean"]), "std": list(report["std"])}, noise)
    multiply, add = _scale(built)
    return ({"op": "to_uint8", "multiply": 1 / multiply, "add": -add / multiply}, noise)


def _range(name: str, built: Built) -> tuple[float, float] | None:
    """What 0 and 255 become; open where the input is a row."""
    if name == "row":
        return None
    multiply, add = _scale(built)
    return min(add, 255 * multiply + add), max(add, 255 * multiply + add)


def _scale(built: Built) -> tuple[float, float]:
    """The one factor and shift by which all channels become tensors: they are undone on the way back.

    Raises:
        InputError: if the recipe scales channels differently, or does something else with them.
    """
    names = [op["op"] for op in built.preprocess]
    scales = [op for op in built.preprocess if op["op"] == "scale"]
    numbers = {pair for op in scales for pair in zip(op["multiply"], op["add"], strict=True)}
    if names != ["scale"] or len(numbers) != 1:
        raise InputError("recipe", "must scale all channels alike, and do nothing else with images", names)
    (found,) = numbers
    return found


def _scores(outputs: NDArray[Any], split: Split, signature: Signature) -> NDArray[np.float64]:
    tensors = compared_inputs(split.take(slice(None)), signature)
    return anomaly_scores({**tensors, signature.outputs[0].name: outputs}, signature)


def _anomaly_figures(outputs: NDArray[Any], dataset: Dataset, signature: Signature) -> dict[str, Any]:
    """At the threshold, and over all thresholds: AUC is no mean over samples, so that it decides nothing."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores, strange = _scores(outputs, dataset.test, signature), np.asarray(dataset.test.targets, bool)
    (op,) = signature.postprocess
    called = scores > op["at"]
    found: dict[str, Any] = {
        "verdict_accuracy": float((called == strange).mean()),
        "threshold": op["at"],
        "anomalies": int(strange.sum()),
    }
    if not strange.all():
        found["false_alarms"] = float(called[~strange].mean())
    if strange.any():
        found["detected"] = float(called[strange].mean())
    if strange.any() and not strange.all():
        found["auc"] = float(roc_auc_score(strange, scores))
        found["average_precision"] = float(average_precision_score(strange, scores))
    return found


def _image_figures(outputs: NDArray[Any], dataset: Dataset, signature: Signature) -> dict[str, float]:
    """Mean peak signal-to-noise ratio, in dB, of the noisy images and of the restored ones."""
    clean = dataset.test.targets
    answers = RESTORE.predictions({signature.outputs[0].name: outputs}, signature, top=1)
    before = _psnr(dataset.test.take(slice(None)), clean)
    after = _psnr(np.stack(answers), clean)
    return {"psnr_noisy": before, "psnr_restored": after, "psnr_gain": after - before}


def _psnr(found: NDArray[np.uint8], clean: NDArray[Any]) -> float:
    errors = np.square((found.astype(np.float32) - clean) / 255).reshape(len(found), -1).mean(axis=1, dtype=np.float64)
    return float(-10 * np.log10(np.maximum(errors, _CEILING)).mean())
