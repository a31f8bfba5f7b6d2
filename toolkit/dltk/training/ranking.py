"""Figures of models that rank all items for a user, of whom one item is held out (leave one out)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.signature import Signature

__all__ = ["ranking_report", "ranks"]

_DEPTHS = (1, 5, 10, 20)


def ranks(scores: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.int64]:
    """The place (n,), from 1, of item `targets` (n,) among all items by `scores` (n, items); ties count against it."""
    own = np.take_along_axis(scores, np.asarray(targets, np.int64)[:, None], axis=-1)
    return np.asarray((scores >= own).sum(axis=-1), np.int64)


def ranking_report(outputs: NDArray[Any], targets: NDArray[Any], signature: Signature) -> dict[str, Any]:
    """Hit rate and normalized discounted cumulative gain at 1, 5, 10 and 20, and the mean reciprocal rank.

    The ranking is over all items, none sampled: sampled metrics mislead (Krichene and Rendle 2020, KDD).
    """
    places = ranks(outputs, targets)
    found: dict[str, Any] = {"kind": "ranking", "samples": len(targets)}
    for depth in _DEPTHS:
        hits = places <= depth
        found[f"hit_rate_{depth}"] = float(hits.mean())
        found[f"ndcg_{depth}"] = float(np.where(hits, 1 / np.log2(places + 1), 0.0).mean())
    return found | {"mean_reciprocal_rank": float((1 / places).mean())}
