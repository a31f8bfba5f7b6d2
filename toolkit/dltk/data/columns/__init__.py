"""What the columns of a table are: numbers, dates, categories, targets, and what is left out."""

from __future__ import annotations

from dltk.data.columns.choose import Chosen, TargetKind, choose

__all__ = ["Chosen", "TargetKind", "choose"]
