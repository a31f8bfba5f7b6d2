"""The times of a table: how their cells are written, how far apart rows are, and what is missing between them.

The readers of dates are here; `parts` has the reader of whole series, which few models need.
"""

from __future__ import annotations

from dltk.edge.sources.times.dates import moment
from dltk.edge.sources.times.forms import DATES, Times, is_clock, read_times

__all__ = ["DATES", "Times", "is_clock", "moment", "read_times"]
