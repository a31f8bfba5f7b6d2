"""The rows of a report.json: what workflows fill and reports draw, each field named in one place.

A row is written with `as_dict` and read again with `from_dict`. A report may come with an untrusted bundle, and from
an older dltk: what is missing or has another type is read as empty, and unknown keys are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

from dltk.report.values import mapping, number, records, scalars, texts

__all__ = [
    "ComparedRow",
    "LayerRow",
    "Left",
    "Skipped",
    "StateRow",
    "StepRow",
    "interval",
    "read_metric",
]


def read_metric(found: Any) -> dict[str, Any] | None:
    """The metric of one file; its interval is two numbers or None."""
    if not mapping(found):
        return None
    metric: dict[str, Any] = scalars(found, depth=1)
    return metric | {"interval": interval(found.get("interval"))}


def interval(found: Any) -> list[int | float] | None:
    """The two ends of an interval; None where they are no two numbers."""
    ends = [number(end) for end in found] if isinstance(found, Sequence) and not isinstance(found, str) else []
    kept = [end for end in ends if end is not None]
    return kept if len(kept) == len(ends) == 2 else None


def _word(found: Any) -> str:
    return "" if found is None else str(found)


# How a field is read out of JSON: kept with the field, so that no second list of names can part from it.
_WORD = {"read": _word}
_WORDS = {"read": lambda found: tuple(texts(found))}
_NUMBER = {"read": number}
_COUNT = {"read": lambda found: number(found) or 0}
_VALUES = {"read": scalars}
_METRIC = {"read": read_metric}


class _Row:
    """A frozen row whose fields define how they are read."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, by the names of the fields."""
        return {name: _plain(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Self:
        """The row that `as_dict` wrote, or as much of one as `found` has."""
        return cls(**{each.name: each.metadata["read"](found.get(each.name)) for each in fields(cls)})  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, _Row):
        return value.as_dict()
    if isinstance(value, Mapping):
        return dict(value)
    return [_plain(child) for child in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Skipped(_Row):
    """A layer that a step left alone, and why."""

    layer: str = field(metadata=_WORD)
    reason: str = field(metadata=_WORD)


@dataclass(frozen=True)
class Left(_Row):
    """A step that left a layer alone, and why."""

    step: str = field(metadata=_WORD)
    reason: str = field(metadata=_WORD)


@dataclass(frozen=True)
class StepRow(_Row):
    """What a step of a compression was asked for, and did.

    Attributes:
        settings, figures: single values by dotted name once they are read; as they were reported before.
    """

    name: str = field(metadata=_WORD)
    settings: Mapping[str, Any] = field(metadata=_VALUES)
    changed: tuple[str, ...] = field(metadata=_WORDS)
    skipped: tuple[Skipped, ...] = field(metadata={"read": lambda found: tuple(map(Skipped.from_dict, records(found)))})
    figures: Mapping[str, Any] = field(metadata=_VALUES)
    warnings: tuple[str, ...] = field(metadata=_WORDS)


@dataclass(frozen=True)
class StateRow(_Row):
    """A state of the model on its way through a compression, measured as a file.

    Attributes:
        after: the step that made it, or which float32 model it is.
        bytes, download_bytes: of the file, and of it with gzip -9.
        p50_ms: median latency of one sample; None where it was not taken.
        metric: {"name", "value", "reference", "drop", "interval", ...}, or None.
    """

    after: str = field(metadata=_WORD)
    file: str = field(metadata=_WORD)
    precision: str = field(metadata=_WORD)
    bytes: int | float = field(metadata=_COUNT)
    download_bytes: int | float = field(metadata=_COUNT)
    p50_ms: float | None = field(metadata=_NUMBER)
    metric: Mapping[str, Any] | None = field(metadata=_METRIC)


@dataclass(frozen=True)
class LayerRow(_Row):
    """What became of a layer that has a kernel.

    Attributes:
        kind: Keras class name.
        channels_before: None for a layer that the source does not have.
        channels: size of the output's last axis; None where it is open.
        weights: numbers in all weights of the layer.
        sparsity: share of the kernel that is zero, 0..1.
        clusters: different values in the kernel; None where there are many.
        snr_db: signal to noise of the layer's int8 output; None where the layer has no grid.
        left: the steps that left the layer as it was.
    """

    layer: str = field(metadata=_WORD)
    kind: str = field(metadata=_WORD)
    channels_before: int | float | None = field(metadata=_NUMBER)
    channels: int | float | None = field(metadata=_NUMBER)
    weights: int | float | None = field(metadata=_NUMBER)
    sparsity: float | None = field(metadata=_NUMBER)
    clusters: int | float | None = field(metadata=_NUMBER)
    precision: str = field(metadata=_WORD)
    snr_db: float | None = field(metadata=_NUMBER)
    left: tuple[Left, ...] = field(metadata={"read": lambda found: tuple(map(Left.from_dict, records(found)))})


@dataclass(frozen=True)
class ComparedRow(_Row):
    """How far the runtimes are apart behind a layer.

    Attributes:
        litert, onnx: largest difference of the float32 file from Keras, over max(1, largest value).
        int8_steps: largest difference of the two int8 files, in steps of their grid; None without a common grid.
        int8_differing: share of the values that differ, 0..1.
    """

    layer: str = field(metadata=_WORD)
    litert: float | None = field(metadata=_NUMBER)
    onnx: float | None = field(metadata=_NUMBER)
    int8_steps: int | float | None = field(metadata=_NUMBER)
    int8_differing: float | None = field(metadata=_NUMBER)
