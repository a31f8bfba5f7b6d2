"""report.json as a whole, and its version."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from dltk.base.errors import InputError
from dltk.base.install import update_hint
from dltk.base.rows import Row, column, part, rows, text, texts, values
from dltk.report.schema.rows import ArtifactRow, Divergence, LayerRow, Outcomes, StateRow, StepRow
from dltk.report.schema.search import SearchPart
from dltk.run import Run

__all__ = ["REPORT", "SCHEMA", "Report"]

REPORT = "report.json"
SCHEMA = 1  # of report.json; a larger one when a field changes its meaning or its kind: new fields need none
_TIMES = ("p50_ms", "seconds", "found")  # the last: by how much a limit was missed, also one of time


def _schema(found: Any, where: str) -> int:
    if found is None:
        return 0
    if type(found) is not int or found < 0:
        raise InputError(where, "must be a whole number", found)
    if found > SCHEMA:
        raise InputError(where, f"this version of dltk reads up to {SCHEMA}", found, update_hint())
    return found


@dataclass(frozen=True)
class Report(Row):
    """The file as a whole: of a run that `dltk compress` made, or of a bundle."""

    schema: int = column("number", f"version of this layout: {SCHEMA}; earlier dltk wrote none", _schema, SCHEMA)
    source: str = text("the run that was compressed")
    machine: Mapping[str, Any] = values("the machine that latencies were measured on; not in a bundle")
    steps: tuple[StepRow, ...] = rows(StepRow, "steps in order")
    search: SearchPart | None = part(SearchPart, "only where limits were given", optional=True)
    artifacts: tuple[ArtifactRow, ...] = rows(ArtifactRow, "of a run, what `compress` measured; of a bundle, its files")
    tried: tuple[ArtifactRow, ...] = rows(ArtifactRow, "other precisions, where int8 does not pass", optional=True)
    bought: tuple[StateRow, ...] = rows(StateRow, "the model before and after each step that changed it")
    layers: tuple[LayerRow, ...] = rows(LayerRow, "in the order of the exported graph")
    divergence: Divergence | None = part(Divergence, "the runtimes compared layer by layer")
    outcomes: Outcomes | None = part(Outcomes, "figures before and after; null where no prediction is right or wrong")
    commands: tuple[str, ...] = texts("commands that make the run again")
    agreement: Mapping[str, Any] = values("of a bundle: two files -> share of samples they agree on", optional=True)
    reference: Mapping[str, Any] = values("of a bundle: figures of the float model", optional=True)
    metrics: Mapping[str, Any] | None = values("of a bundle: `metrics.json` of the run", null=True, optional=True)

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """The report.json of a run; None where nothing was compressed.

        Raises:
            InputError: if it is damaged or of another layout.
        """
        path = run.path / REPORT
        return cls.from_dict(run.read_json(path.stem), f"{path}:") if os.path.lexists(path) else None

    def in_bundle(
        self, artifacts: Sequence[ArtifactRow], agreement: Mapping[str, float], metrics: Any
    ) -> dict[str, Any]:
        """The report.json of a bundle: of a compression all but latencies and the machine that measured them."""
        carried = replace(self, schema=SCHEMA, machine={}, tried=()).as_dict() if self != Report() else {}
        carried.pop("machine", None)
        files = [{key: value for key, value in row.as_dict().items() if key not in _TIMES} for row in artifacts]
        own = {"schema": SCHEMA, "artifacts": files, "agreement": dict(agreement), "metrics": metrics}
        return _timeless(carried) | own


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _timeless(child) for key, child in value.items() if key not in _TIMES}
    return [_timeless(child) for child in value] if isinstance(value, list) else value
