"""Rows of a search for steps that meet limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dltk.base.rows import Row, count, flag, number, numbers, part, rows, text, texts, values
from dltk.report.schema.rows import ArtifactRow, counts

__all__ = ["MissRow", "SearchPart", "SensitivityRow", "StageRow", "TrialRow"]


@dataclass(frozen=True)
class MissRow(Row):
    """A limit that was not met."""

    limit: str = text("`drop`, `size`, `download` or `latency`")
    wanted: float | None = number("the most that the limit allows")
    found: float | None = number("what was measured, in the same unit; null where it was not; not in a bundle")


@dataclass(frozen=True)
class TrialRow(Row):
    """A candidate of a search."""

    number: int | float = count("counted from 1, in the order of trying")
    stage: str = text("stage of the search that proposed it")
    steps: tuple[str, ...] = texts("as `--step` takes them")
    key: str = text("digest of the steps and their settings")
    row: ArtifactRow | None = part(ArtifactRow, "its file, on the validation split; null where it could not be made")
    error: str = text("why it could not be made")
    misses: tuple[MissRow, ...] = rows(MissRow, "limits that it does not meet")


@dataclass(frozen=True)
class StageRow(Row):
    """A stage of a search."""

    stage: str = text("name of the stage")
    trials: tuple[int, ...] = numbers("numbers of its candidates")


@dataclass(frozen=True)
class SensitivityRow(Row):
    """What int8 does to the outputs when only this layer is quantized."""

    layer: str = text("name of the layer")
    weights: int | float | None = number("numbers in the kernel")
    signal_to_noise: float | None = number("of the model's outputs, dB")
    drop: float | None = number("of the metric on the samples looked at; null without a metric")


@dataclass(frozen=True)
class SearchPart(Row):
    """A search for steps that meet limits, or the limits that explicit steps were checked against."""

    bounds: Mapping[str, Any] = values("limits as numbers: `drop`, `size`, `download`, `latency`", check=counts)
    confident: bool = flag("whether the upper end of the drop's interval must meet the limit")
    stages: tuple[StageRow, ...] = rows(StageRow, "stages in order")
    trials: tuple[TrialRow, ...] = rows(TrialRow, "all candidates")
    front: tuple[int, ...] = numbers("numbers of the candidates on the Pareto front")
    chosen: int | float | None = number("number of the candidate that was chosen")
    met: bool = flag("whether the chosen candidate meets all limits")
    limits: Mapping[str, Any] = values("limits as they were asked for")
    source: ArtifactRow | None = part(ArtifactRow, "the source's float32 file, on the validation split")
    samples: int | float | None = number("validation samples that decide")
    sensitivity: tuple[SensitivityRow, ...] = rows(SensitivityRow, "layers, most sensitive first", optional=True)
    misses_on_test: tuple[MissRow, ...] = rows(MissRow, "limits that the chosen file misses on the test split")
