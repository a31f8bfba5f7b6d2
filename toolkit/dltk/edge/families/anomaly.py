"""A sample to how strange it is: a model that learnt to give normal samples back fails at others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric
from dltk.edge.families.shared.samples import Samples, columns_of, error, is_table, number, step

__all__ = ["FAMILY", "VERDICTS", "AnomalyPrediction", "Anomaly", "anomaly_scores"]

VERDICTS = ("normal", "anomaly")  # by number, as targets have them


@dataclass(frozen=True)
class AnomalyPrediction:
    """The reconstruction error of a sample, and the verdict.

    Attributes:
        score: mean squared error between input tensor and reconstruction.
        threshold: above it a sample is called an anomaly.
        verdict: "normal" or "anomaly".
    """

    score: float
    threshold: float
    verdict: str


def anomaly_scores(outputs: Mapping[str, NDArray[Any]], signature: Signature) -> NDArray[np.float64]:
    """Mean squared error (n,) between the input tensor and what comes back; both are in `outputs`."""
    return error(outputs, outputs[signature.inputs[0].name], signature)


def _right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    strange = anomaly_scores(outputs, signature) > _threshold(signature)
    return np.asarray(strange == np.asarray(targets, bool), np.float64)


def _threshold(signature: Signature) -> float:
    return number(step(signature.postprocess, "threshold"), "at")


class Anomaly(Samples):
    """Output: shaped like the input tensor. Targets: int64 (n,), 0 where a sample is normal and 1 where it is not."""

    name = "anomaly"
    accepted_inputs = "an image (a path, bytes, a file object, a PIL image, a uint8 array), or a row of numbers"
    metrics: tuple[Metric, ...] = (Metric("verdict_accuracy", True, True, _right, compares_inputs=True),)

    def kind(self, signature: Signature) -> Kind:
        """The sample itself."""
        return "reconstruction"

    def predictions(
        self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int
    ) -> list[AnomalyPrediction]:
        """Per sample: score and verdict. `top` has no meaning here.

        Args:
            outputs: the reconstructions (n, ...), and the input tensors in the same shape.
        """
        limit = _threshold(signature)
        scores = anomaly_scores(outputs, signature).tolist()
        return [AnomalyPrediction(score, limit, VERDICTS[score > limit]) for score in scores]

    def as_json(self, prediction: AnomalyPrediction) -> dict[str, Any]:
        """{"verdict", "score", "threshold"}."""
        return {"verdict": prediction.verdict, "score": prediction.score, "threshold": prediction.threshold}

    def as_text(self, prediction: AnomalyPrediction) -> str:
        """One line."""
        return f"{prediction.verdict}  score {prediction.score:.6g}, threshold {prediction.threshold:.6g}"

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of images in one folder per class or a CSV path,label; or of a CSV with the columns and one of labels."""
        from dltk.edge.families.shared.files import read_listing
        from dltk.edge.sources.kinds import IMAGES
        from dltk.edge.sources.listing import Layout, list_files
        from dltk.edge.sources.tables import dialect_of, read_table

        op = step(signature.postprocess, "threshold", "normal", "label")
        if is_table(signature):
            table = read_table(data, dialect=dialect_of(signature), required=(op["label"],))
            raws, given = table.numbers(columns_of(signature)), table.column(op["label"])
            return Labelled(raws, _targets(given, op["normal"]))
        listing = list_files(data, IMAGES, least_classes=1, layout=Layout(dialect=dialect_of(signature)))
        raws, rows, skipped, notes = read_listing(listing, signature, self.read, data)
        targets = _targets([listing.classes[row][0] for row in rows], op["normal"])
        return Labelled(raws, targets, skipped, notes)


def _targets(labels: Any, normal: str) -> NDArray[np.int64]:
    return np.array([label != normal for label in labels], np.int64)


FAMILY: Family = Anomaly()
