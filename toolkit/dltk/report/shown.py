"""Rows as `collect` gives them: of a report.json, a manifest, or both, with single values where there were objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dltk.base.rows import Row, count, text, texts, values
from dltk.base.rows import number as figure
from dltk.report.schema import TrialRow, interval
from dltk.report.values import as_texts as only_texts
from dltk.report.values import scalars

__all__ = ["FileRow", "ShownTrial", "plain_metric"]


def plain_metric(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The single values of a file's metric, and its interval: two numbers or None."""
    if not found:
        return None
    metric: dict[str, Any] = scalars(found, depth=1)
    return metric | {"interval": interval(found.get("interval"))}


@dataclass(frozen=True)
class FileRow(Row):
    """A model file, as a manifest or the report of a compression has it."""

    file: str = text("name of the file", empty="-")
    format: str = text("of the runtime", empty="-")
    precision: str = text("of weights and activations", empty="-")
    ranges: str = text("shared, native or none", empty="-")
    minimum_runtime: str = text("oldest version of the runtime", empty="-")
    bytes: int | float = count("size of the file")
    download_bytes: int | float = count("size after gzip")
    operators: Mapping[str, int] = values("operator -> how often it occurs")
    parity: Mapping[str, Any] = values("single values of the parity")
    notes: tuple[str, ...] = texts("what the samples cannot decide")
    metric: Mapping[str, Any] | None = values("single values of the metric", null=True)
    delegated_share: float | None = figure("share of the operators that a delegate takes")

    @classmethod
    def of(cls, found: Mapping[str, Any], where: object = "") -> Self:
        """Out of what a manifest or a report has; InputError where a value is of another kind."""
        row = cls.from_dict({key: value for key, value in found.items() if key != "notes"}, where)
        parity, notes = row.parity, only_texts(row.parity.get("notes"))
        numbers = {name: each for name, each in row.operators.items() if isinstance(each, int | float)}
        told = {"parity": scalars(parity, depth=1), "notes": notes, "metric": plain_metric(row.metric)}
        return cls.from_dict(row.as_dict() | told | {"operators": numbers}, where)


@dataclass(frozen=True)
class ShownTrial(Row):
    """A candidate of a search and the figures of its file."""

    number: int | float = count("counted from 1")
    stage: str = text("that proposed it")
    steps: tuple[str, ...] = texts("as `--step` takes them")
    error: str = text("why it could not be made")
    bytes: int | float | None = figure("size of the file")
    download_bytes: int | float | None = figure("size after gzip")
    p50_ms: float | None = figure("median latency")
    metric: Mapping[str, Any] | None = values("single values of the metric", null=True)
    misses: tuple[str, ...] = texts("names of the limits that it does not meet")

    @classmethod
    def of(cls, trial: TrialRow) -> Self:
        """Out of the row of a report.json."""
        row = trial.row
        return cls(
            trial.number,
            trial.stage,
            trial.steps,
            trial.error,
            None if row is None else row.bytes,
            None if row is None else row.download_bytes,
            None if row is None else row.p50_ms,
            None if row is None else plain_metric(row.metric),
            tuple(miss.limit for miss in trial.misses),
        )
