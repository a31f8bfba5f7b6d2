"""Rows of an evaluation: what `report` fills, and tables are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dltk.base.rows import Row, count, number, text

__all__ = ["CLASS_FIGURES", "HORIZON_FIGURES", "PART_FIGURES", "ClassRow", "HorizonRow", "Means", "PartRow"]


@dataclass(frozen=True)
class Means(Row):
    """Means over the classes, each counting alike; `auc` over those where it exists."""

    precision: float | None = number("0..1")
    recall: float | None = number("0..1")
    f1: float | None = number("0..1")
    auc: float | None = number("area under the ROC curve")


@dataclass(frozen=True)
class ClassRow(Means):
    """One class against the rest; `auc` is None where only one side occurs."""

    label: str = text("name of the class")
    samples: int | float = count("samples of this class")


@dataclass(frozen=True)
class PartRow(Row):
    """The pixels of one class; a figure is None where it would be a share of nothing."""

    label: str = text("name of the class")
    pixels: int | float = count("pixels of this class")
    iou: float | None = number("intersection over union")
    precision: float | None = number("0..1")
    recall: float | None = number("0..1")


@dataclass(frozen=True)
class HorizonRow(Row):
    """Errors of one step of a forecast, in the unit of the data."""

    step: int | float = count("counted from 1")
    mean_absolute_error: float | None = number("mean of absolute errors")
    root_mean_squared_error: float | None = number("root of the mean of squared errors")


CLASS_FIGURES: Sequence[tuple[str, Callable[[Means], float | None]]] = (
    ("precision", lambda row: row.precision),
    ("recall", lambda row: row.recall),
    ("f1", lambda row: row.f1),
    ("auc", lambda row: row.auc),
)
PART_FIGURES: Sequence[tuple[str, Callable[[PartRow], float | None]]] = (
    ("iou", lambda row: row.iou),
    ("precision", lambda row: row.precision),
    ("recall", lambda row: row.recall),
)
HORIZON_FIGURES: Sequence[tuple[str, Callable[[HorizonRow], float | None]]] = (
    ("mean absolute error", lambda row: row.mean_absolute_error),
    ("root mean squared error", lambda row: row.root_mean_squared_error),
)
