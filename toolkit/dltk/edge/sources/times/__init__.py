"""The times of a table: how their cells are written, how far apart rows are, and what is missing between them."""

from __future__ import annotations

from dltk.edge.sources.times.dates import moment
from dltk.edge.sources.times.forms import DATES, Times, is_clock, read_times
from dltk.edge.sources.times.parts import Part, Parts, groups_of, read_parts, readings_of, time_cells
from dltk.edge.sources.times.rule import TimeRule
from dltk.edge.sources.times.spacing import Step
from dltk.edge.sources.times.values import GAPS, is_missing

__all__ = [
    "DATES",
    "GAPS",
    "Part",
    "Parts",
    "Step",
    "TimeRule",
    "Times",
    "groups_of",
    "is_clock",
    "is_missing",
    "moment",
    "read_parts",
    "read_times",
    "readings_of",
    "time_cells",
]
