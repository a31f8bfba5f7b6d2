"""What stands in a report.json: the rows that workflows fill and reports draw, each field in one place.

`docs/reference/report.md` is made of them. A report may come with an untrusted bundle, and from an older dltk: see
`dltk.base.rows` for how it is read.
"""

from __future__ import annotations

from dltk.report.schema.report import REPORT, SCHEMA, Report
from dltk.report.schema.rows import (
    ArtifactRow,
    ComparedRow,
    Divergence,
    LayerRow,
    Outcomes,
    Skipped,
    SkippedBy,
    StateRow,
    StepRow,
    interval,
)
from dltk.report.schema.search import MissRow, SearchPart, SensitivityRow, StageRow, TrialRow

__all__ = [
    "REPORT",
    "SCHEMA",
    "ArtifactRow",
    "ComparedRow",
    "Divergence",
    "LayerRow",
    "SkippedBy",
    "MissRow",
    "Outcomes",
    "Report",
    "SearchPart",
    "SensitivityRow",
    "Skipped",
    "StageRow",
    "StateRow",
    "StepRow",
    "TrialRow",
    "interval",
]
