"""Which candidates are beaten by no other in everything."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["pareto_front"]


def pareto_front(points: Sequence[Sequence[float]]) -> list[int]:
    """Positions of the points (each of equal length, less is better) that no other dominates, in order.

    A point dominates another if it is nowhere worse and somewhere better. Of equal points all are kept.
    """
    return [i for i, point in enumerate(points) if not any(_dominates(other, point) for other in points)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
