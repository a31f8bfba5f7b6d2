"""The compression in a report.json, as `collect` gives it: single values where steps report objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltk.report.metrics import read_metrics
from dltk.report.schema import Outcomes, Report, SearchPart, StateRow, StepRow
from dltk.report.shown import ShownTrial, plain_metric
from dltk.report.values import scalars

__all__ = ["read_compression"]

_LIMITS = ("drop", "size", "download", "latency")


def read_compression(found: Report, where: object) -> dict[str, Any] | None:
    """The steps of a compression and what was found about them; None where nothing was compressed.

    Raises:
        InputError: if figures before and after are there and no figures of an evaluation.
    """
    if not found.steps:
        return None
    return {
        "source": found.source,
        "machine": scalars(found.machine),
        "steps": [_step(row) for row in found.steps],
        "bought": [_state(row) for row in found.bought],
        "layers": [row.as_dict() for row in found.layers],
        "divergence": None if found.divergence is None else found.divergence.as_dict(),
        "outcomes": _outcomes(found.outcomes, where),
        "search": _search(found.search),
        "commands": list(found.commands),
    }


def _step(row: StepRow) -> dict[str, Any]:
    return row.as_dict() | {"settings": scalars(row.settings), "figures": scalars(row.figures)}


def _state(row: StateRow) -> dict[str, Any]:
    return row.as_dict() | {"metric": plain_metric(row.metric)}


def _outcomes(found: Outcomes | None, where: object) -> dict[str, Any] | None:
    if found is None or not found.before or not found.after:
        return None
    sides: Mapping[str, Mapping[str, Any]] = {"before": found.before, "after": found.after}
    read = {side: read_metrics(dict(value), f"{where}: outcomes.{side}") for side, value in sides.items()}
    return {"file": found.file, **read}


def _search(found: SearchPart | None) -> dict[str, Any] | None:
    if found is None or not found.trials:
        return None
    return {
        "bounds": {key: found.bounds[key] for key in _LIMITS if key in found.bounds},
        "confident": found.confident,
        "met": found.met,
        "misses_on_test": [miss.limit for miss in found.misses_on_test],
        "chosen": found.chosen,
        "front": list(found.front),
        "trials": [ShownTrial.of(trial).as_dict() for trial in found.trials],
        "sensitivity": [row.as_dict() for row in found.sensitivity],
    }
