"""How good a model is on a split, as plain JSON values."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Split
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import compared_inputs, compares_inputs, family
from dltk.edge.input.preprocess import to_data_units
from dltk.edge.metrics import expected_calibration_error, reliability, softmax, top_k_accuracy
from dltk.models.files.extent import batch_within
from dltk.training.evaluation.pixels import pixels_report, ranking_report
from dltk.training.evaluation.rows import ClassRow, HorizonRow, Means
from dltk.training.evaluation.temperature import fit_temperature

__all__ = ["inputs_of", "predict_outputs", "report"]

_CURVE = 101  # points a ROC curve is kept with


def predict_outputs(
    model: Any, split: Split, signature: Signature, *, batch_size: int = 256, progress: Progress = SILENT
) -> NDArray[np.float32]:
    """Outputs (n, ...) of `model` in inference mode, samples read a batch at a time.

    Args:
        model: of Keras, or `Frozen`: one that is compiled once for several splits.
    """
    from dltk.training.features import Frozen

    found, frozen = [], model if isinstance(model, Frozen) else Frozen(model)
    with progress.bar("evaluating", len(split)) as bar:
        size = batch_within(frozen.model, batch_size)
        for outputs in frozen.run_all(len(split), split.take, signature, batch_size=size):
            found.append(outputs)
            bar.advance(len(outputs))
    return np.concatenate(found) if found else np.zeros((0, *signature.outputs[0].sample_shape), np.float32)


def inputs_of(split: Split, signature: Signature) -> Mapping[str, NDArray[Any]]:
    """The input tensors of all samples of `split`, where the family's metrics compare outputs with them; else none.

    Returns:
        input name -> (n, ...).
    """
    return compared_inputs(split.take(slice(None)), signature) if compares_inputs(signature) else {}


def report(
    outputs: NDArray[Any], targets: NDArray[Any], signature: Signature, *,
    validation: tuple[NDArray[Any], NDArray[Any]] | None = None, temperature: float = 1.0,
    inputs: Mapping[str, NDArray[Any]] | None = None
) -> dict[str, Any]:  # fmt: skip
    """Figures of model outputs (n, ...) against targets.

    Single labels: accuracy, top_k, per class: precision, recall, f1, auc, samples; macro means, confusion matrix, ROC
    curves, calibration before and after a temperature fitted on `validation` (outputs, targets), or `temperature`
    without those, and the reliability behind it: (confidence, accuracy, samples) a bin. Several labels: the same per
    label at the signature's threshold. Values: errors overall and per step of the horizon, in the data's unit. Pixels
    and rankings: see `dltk.training.evaluation.pixels`. Reconstructions: the family's own metrics; the input tensors
    must stand in `inputs` where these compare outputs with them.

    Raises:
        InputError: if there are no samples.
    """
    if not len(targets):
        raise InputError("test split", "must hold samples to evaluate on", 0, "Set data.test above 0.")
    kind = family(signature.family).kind(signature)
    if kind == "single-label":
        if validation is not None:
            temperature = fit_temperature(_logits(validation[0], signature), validation[1])
        return _single_label(outputs, np.asarray(targets), signature, temperature)
    if kind == "reconstruction":
        return _reconstruction(outputs, np.asarray(targets), signature, inputs or {})
    return _REPORTS[kind](outputs, np.asarray(targets), signature)


def _single_label(
    outputs: NDArray[Any], targets: NDArray[Any], signature: Signature, temperature: float
) -> dict[str, Any]:  # fmt: skip
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    classes = outputs.shape[-1]
    logits, predicted = _logits(outputs, signature), outputs.argmax(-1)
    scores = softmax(logits)
    numbers = list(range(classes))
    table = precision_recall_fscore_support(targets, predicted, labels=numbers, zero_division=0)
    ranks = _ranking(scores, np.eye(classes, dtype=bool)[targets])
    return {
        "kind": "single-label",
        "samples": len(targets),
        "accuracy": float((predicted == targets).mean()),
        "top_k": {str(k): top_k_accuracy(scores, targets, k=k) for k in (1, 2, 3, 5) if k < classes},
        "macro": _macro(table, ranks),
        "classes": _classes(_names(signature, classes), table, ranks),
        "confusion": confusion_matrix(targets, predicted, labels=numbers).tolist(),
        "roc": [curve for _, curve in ranks],
        "calibration": _calibration(logits, targets, temperature),
    }


def _calibration(logits: NDArray[Any], targets: NDArray[Any], temperature: float) -> dict[str, Any]:
    fitted = softmax(logits, temperature=temperature)
    return {
        "temperature": temperature,
        "expected_calibration_error": expected_calibration_error(softmax(logits), targets),
        "expected_calibration_error_fitted": expected_calibration_error(fitted, targets),
        "reliability": [list(each) for each in reliability(fitted, targets)],
    }


def _multi_label(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_fscore_support

    from dltk.edge.families.shared.labels import probabilities

    last = signature.postprocess[-1] if signature.postprocess else {}
    scores, wanted = probabilities(outputs, signature), targets >= 0.5
    chosen = scores >= float(last.get("threshold", 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label that nobody has is told by its count, not by a warning
        table = precision_recall_fscore_support(wanted, chosen, average=None, zero_division=0)
    ranks = _ranking(scores, wanted)
    return {
        "kind": "multi-label",
        "samples": len(targets),
        "accuracy": float((chosen == wanted).mean()),
        "exact_match": float((chosen == wanted).all(axis=-1).mean()),
        "macro": _macro(table, ranks),
        "classes": _classes(_names(signature, outputs.shape[-1]), table, ranks),
        "roc": [curve for _, curve in ranks],
    }


def _values(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    found, wanted = (to_data_units(values, signature.postprocess) for values in (outputs, targets))
    errors = found - wanted.reshape(found.shape)
    tensors = {signature.outputs[0].name: outputs}
    kept = family(signature.family).metrics
    figures: dict[str, Any] = {
        "kind": "regression",
        "samples": len(targets),
        **{metric.name: float(metric.scores(tensors, targets, signature).mean()) for metric in kept},
        "root_mean_squared_error": float(np.sqrt(np.square(errors).mean())),
    }
    return figures | ({"horizon": _horizon(errors)} if "time" in signature.outputs[0].axes else {})


def _horizon(errors: NDArray[np.float64]) -> list[dict[str, Any]]:
    """Errors (n, steps, ...) a step."""
    by_step = errors.reshape(len(errors), errors.shape[1], -1)
    return [
        HorizonRow(
            step=step + 1,
            mean_absolute_error=float(np.abs(by_step[:, step]).mean()),
            root_mean_squared_error=float(np.sqrt(np.square(by_step[:, step]).mean())),
        ).as_dict()
        for step in range(by_step.shape[1])
    ]


def _reconstruction(
    outputs: NDArray[Any], targets: NDArray[Any], signature: Signature, inputs: Mapping[str, NDArray[Any]]
) -> dict[str, Any]:
    tensors = {**inputs, signature.outputs[0].name: outputs}
    metrics = family(signature.family).metrics
    figures = {metric.name: float(metric.scores(tensors, targets, signature).mean()) for metric in metrics}
    return {"kind": "reconstruction", "samples": len(targets), **figures}


def _logits(outputs: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """Logits, also of a model that ends in its own softmax."""
    values = np.asarray(outputs, np.float64)
    if any(op["op"] in ("softmax", "sigmoid") for op in signature.postprocess):
        return values
    return np.asarray(np.log(np.maximum(values, 1e-7)))


def _names(signature: Signature, classes: int) -> tuple[str, ...]:
    return signature.labels or tuple(map(str, range(classes)))


def _ranking(scores: NDArray[Any], wanted: NDArray[np.bool_]) -> list[tuple[float | None, list[list[float]]]]:
    """(AUC, ROC curve) a class, one against the rest; None and an empty curve if only one of the two occurs."""
    from sklearn.metrics import roc_auc_score, roc_curve

    found: list[tuple[float | None, list[list[float]]]] = []
    for number in range(scores.shape[-1]):
        positive = wanted[:, number]
        if positive.all() or not positive.any():
            found.append((None, []))
            continue
        false, true, _ = roc_curve(positive, scores[:, number])
        grid = np.linspace(0, 1, _CURVE)
        curve = [
            [round(float(x), 4), round(float(y), 4)] for x, y in zip(grid, np.interp(grid, false, true), strict=True)
        ]
        found.append((float(roc_auc_score(positive, scores[:, number])), curve))
    return found


def _classes(names: Sequence[str], table: Any, ranks: Sequence[tuple[float | None, Any]]) -> list[dict[str, Any]]:
    precision, recall, f1, support = table
    return [
        ClassRow(
            label=name,
            samples=int(support[number]),
            precision=float(precision[number]),
            recall=float(recall[number]),
            f1=float(f1[number]),
            auc=ranks[number][0],
        ).as_dict()
        for number, name in enumerate(names)
    ]


def _macro(table: Any, ranks: Sequence[tuple[float | None, Any]]) -> dict[str, float | None]:
    """Means over the classes, each counting alike; AUC over those where it exists."""
    areas = [area for area, _ in ranks if area is not None]
    precision, recall, f1 = (float(np.mean(values)) for values in table[:3])
    return Means(precision, recall, f1, float(np.mean(areas)) if areas else None).as_dict()


_REPORTS: Mapping[str, Callable[[NDArray[Any], NDArray[Any], Signature], dict[str, Any]]] = {
    "multi-label": _multi_label,
    "pixels": pixels_report,
    "ranking": ranking_report,
    "regression": _values,
}
