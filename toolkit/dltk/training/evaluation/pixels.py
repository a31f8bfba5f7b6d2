"""Figures of models that give every pixel a class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.metrics import confusion_matrix, ranks
from dltk.training.evaluation.rows import PartRow

__all__ = ["pixels_report", "ranking_report"]


def pixels_report(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    """Of scores (n, height, width, classes) against class numbers (n, height, width): all pixels counted together.

    Pixel accuracy, and per class: intersection over union, precision, recall. "mean_iou" is the mean over the classes
    that occur in targets or predictions (Everingham et al. 2010, the PASCAL VOC challenge).
    """
    classes = outputs.shape[-1]
    known = targets < classes  # not those that are ignored
    counts = confusion_matrix(targets[known], outputs.argmax(-1)[known], classes)
    right, wanted, found = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    unions = wanted + found - right
    names = signature.labels or tuple(map(str, range(classes)))
    rows = [
        PartRow(
            label=names[number],
            pixels=int(wanted[number]),
            iou=_share(right[number], unions[number]),
            precision=_share(right[number], found[number]),
            recall=_share(right[number], wanted[number]),
        ).as_dict()
        for number in range(classes)
    ]
    occurring = right[unions > 0] / unions[unions > 0]
    return {
        "kind": "pixels",
        "samples": len(targets),
        "mean_iou": float(np.mean(occurring)),
        "pixel_accuracy": float(right.sum() / counts.sum()),
        "parts": rows,
    }


def _share(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None


_DEPTHS = (1, 5, 10, 20)


def ranking_report(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    """Hit rate and normalized discounted cumulative gain at 1, 5, 10 and 20, and the mean reciprocal rank.

    The ranking is over all items that `dltk.edge.metrics.ranks` leaves in the running. None are sampled: sampled
    metrics mislead (Krichene and Rendle 2020, KDD).

    Args:
        outputs: scores (n, items).
        targets: the item's number (n,), or (n, 1 + k) with items that are no candidates; see `ranks`.
    """
    places = ranks(outputs, targets)
    found: dict[str, Any] = {"kind": "ranking", "samples": len(targets)}
    for depth in _DEPTHS:
        hits = places <= depth
        found[f"hit_rate_{depth}"] = float(hits.mean())
        found[f"ndcg_{depth}"] = float(np.where(hits, 1 / np.log2(places + 1), 0.0).mean())
    return found | {"mean_reciprocal_rank": float((1 / places).mean())}
