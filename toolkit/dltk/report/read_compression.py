"""The compression in a report.json, checked: it may have come with an untrusted bundle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltk.report.metrics import read_metrics
from dltk.report.schema import ComparedRow, LayerRow, StateRow, StepRow, read_metric
from dltk.report.values import mapping, number, records, scalars, texts

__all__ = ["read_compression"]

_LIMITS = ("drop", "size", "download", "latency")


def read_compression(found: Any, where: object) -> dict[str, Any] | None:
    """The steps of a compression and what was found about them; None where nothing was compressed.

    What has another form is left out.

    Raises:
        InputError: if figures before and after are there and no figures of an evaluation.
    """
    steps = records(mapping(found).get("steps"))
    if not steps:
        return None
    return {
        "source": str(found.get("source", "")),
        "machine": scalars(found.get("machine")),
        "steps": [StepRow.from_dict(step).as_dict() for step in steps],
        "bought": [StateRow.from_dict(row).as_dict() for row in records(found.get("bought"))],
        "layers": [LayerRow.from_dict(row).as_dict() for row in records(found.get("layers"))],
        "divergence": _divergence(found.get("divergence")),
        "outcomes": _outcomes(found.get("outcomes"), where),
        "search": _search(found.get("search")),
        "commands": texts(found.get("commands")),
    }


def _divergence(found: Any) -> dict[str, Any] | None:
    if not mapping(found):
        return None
    return {
        **{key: number(found.get(key)) for key in ("samples", "limit", "int8_limit")},
        **{key: found[key] if isinstance(found.get(key), str) else None for key in ("first", "first_int8")},
        "failed": str(found.get("failed", "")),
        "layers": [ComparedRow.from_dict(row).as_dict() for row in records(found.get("layers"))],
    }


def _outcomes(found: Any, where: object) -> dict[str, Any] | None:
    if not all(mapping(mapping(found).get(side)) for side in ("before", "after")):
        return None
    return {"file": str(found.get("file", ""))} | {
        side: read_metrics(dict(found[side]), f"{where}: outcomes.{side}") for side in ("before", "after")
    }


def _search(found: Any) -> dict[str, Any] | None:
    trials = [_trial(trial) for trial in records(mapping(found).get("trials"))]
    if not trials:
        return None
    bounds = mapping(found.get("bounds"))
    front = found.get("front")
    return {
        "bounds": {key: bounds[key] for key in _LIMITS if number(bounds.get(key)) is not None},
        "confident": found.get("confident") is True,
        "met": found.get("met") is True,
        "misses_on_test": [str(miss.get("limit", "")) for miss in records(found.get("misses_on_test"))],
        "chosen": number(found.get("chosen")),
        "front": [place for place in front if number(place) is not None] if isinstance(front, list) else [],
        "trials": trials,
        "sensitivity": [
            {"layer": str(row.get("layer", ""))} | {key: number(value) for key, value in row.items() if key != "layer"}
            for row in records(found.get("sensitivity"))
        ],
    }


def _trial(trial: Mapping[str, Any]) -> dict[str, Any]:
    row = mapping(trial.get("row"))
    return {
        "number": number(trial.get("number")) or 0,
        "stage": str(trial.get("stage", "")),
        "steps": texts(trial.get("steps")),
        "error": str(trial.get("error", "")),
        **{key: number(row.get(key)) for key in ("bytes", "download_bytes", "p50_ms")},
        "metric": read_metric(row.get("metric")),
        "misses": [str(miss.get("limit", "")) for miss in records(trial.get("misses"))],
    }
