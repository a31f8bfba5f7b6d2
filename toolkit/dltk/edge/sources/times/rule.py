"""How the rows of a table stand in time: what a model's data was, and what a file to predict must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.sources.times.spacing import Step

__all__ = ["TimeRule"]


@dataclass(frozen=True)
class TimeRule:
    """How rows are put in order.

    Attributes:
        columns: of the time; two that are read together, such as a date and a time of day; none: rows are counted.
        dates: `auto`, or one of the orders of `forms.ORDERS`.
        gaps: one of `values.GAPS`.
        series: columns whose values name the series of a row; none: all rows are one series.
        missing: texts that stand for a missing value, beside the usual ones.
        step: between rows; None while it is still to be found.
    """

    columns: tuple[str, ...] = ()
    dates: str = "auto"
    gaps: str = "refuse"
    series: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    step: Step | None = None

    @property
    def column(self) -> str:
        """The time column or columns, for people."""
        return " and ".join(map(repr, self.columns))

    def parameters(self) -> dict[str, Any]:
        """Keys of the step "window" of a signature; what is as usual is left out."""
        found: dict[str, Any] = {}
        if self.columns and self.step is not None:
            column = self.columns[0] if len(self.columns) == 1 else list(self.columns)
            found["time"] = {"column": column, "unit": self.step.unit, "size": self.step.size}
            if self.dates != "auto":
                found["time"]["dates"] = self.dates
        if self.gaps != "refuse":
            found["gaps"] = self.gaps
        return found | {key: list(value) for key in ("series", "missing") if (value := getattr(self, key))}

    @classmethod
    def of(cls, window: Mapping[str, Any]) -> TimeRule:
        """Out of the step "window" of a signature.

        Raises:
            InputError: if it does not fit.
        """
        time, gaps = window.get("time"), str(window.get("gaps", "refuse"))
        series, missing = (tuple(map(str, window.get(key, ()))) for key in ("series", "missing"))
        if time is None:
            return cls((), "auto", gaps, series, missing)
        try:
            column, step = time["column"], Step(str(time["unit"]), float(time["size"]))
            columns = (column,) if isinstance(column, str) else tuple(map(str, column))
            return cls(columns, str(time.get("dates", "auto")), gaps, series, missing, step)
        except (AttributeError, KeyError, TypeError, ValueError) as fault:
            raise InputError("preprocess: window: time", "must have a column, a unit and a size", time) from fault
