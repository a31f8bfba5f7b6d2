"""Figures of models that rank all items for a user, of whom one item is held out (leave one out)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.metrics import ranks
from dltk.edge.signature import Signature

__all__ = ["ranking_report"]

_DEPTHS = (1, 5, 10, 20)


def ranking_report(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    """Hit rate and normalized discounted cumulative gain at 1, 5, 10 and 20, and the mean reciprocal rank.

    The ranking is over all items that `dltk.edge.metrics.ranks` leaves in the running. None are sampled: sampled
    metrics mislead (Krichene and Rendle 2020, KDD).
    """
    places = ranks(outputs, targets)
    found: dict[str, Any] = {"kind": "ranking", "samples": len(targets)}
    for depth in _DEPTHS:
        hits = places <= depth
        found[f"hit_rate_{depth}"] = float(hits.mean())
        found[f"ndcg_{depth}"] = float(np.where(hits, 1 / np.log2(places + 1), 0.0).mean())
    return found | {"mean_reciprocal_rank": float((1 / places).mean())}
