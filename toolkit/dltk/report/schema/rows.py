"""Rows of a compression: its steps, states, layers and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError
from dltk.base.rows import Row, count, flag, is_number, number, rows, text, texts, values

__all__ = [
    "ArtifactRow",
    "ComparedRow",
    "Divergence",
    "LayerRow",
    "SkippedBy",
    "Outcomes",
    "Skipped",
    "StateRow",
    "StepRow",
    "counts",
    "interval",
]


def interval(found: Any) -> list[int | float] | None:
    """The two ends of an interval; None where they are no two numbers."""
    ends = list(found) if isinstance(found, Sequence) and not isinstance(found, str) else []
    return ends if len(ends) == 2 and all(map(is_number, ends)) else None


def _metric(found: Mapping[str, Any], where: str) -> None:
    kinds: dict[str, Any] = dict.fromkeys(("value", "reference", "drop", "samples", "changed"), ("a number", is_number))
    kinds["name"] = ("a text", lambda value: isinstance(value, str))
    kinds["interval"] = ("two numbers", interval)
    for key, (rule, fits) in kinds.items():
        if found.get(key) is not None and not fits(found[key]):
            raise InputError(f"{where}.{key}", f"must be {rule}", found[key])


def counts(found: Mapping[str, Any], where: str) -> None:
    """Raise InputError, naming the key after `where`, unless every value of `found` is a number."""
    for key, value in found.items():
        if not is_number(value):
            raise InputError(f"{where}.{key}", "must be a number", value)


_METRIC = (
    "`name`, `value`, `reference` (the same of the source's float32 model), `drop` (positive: worse), `interval` of "
    "the drop at 95%, `samples`, `changed` (predictions that changed), `higher_is_better`, `is_share` (it lies in 0..1)"
)


@dataclass(frozen=True)
class Skipped(Row):
    """A layer that a step left as it was."""

    layer: str = text("name of the layer")
    reason: str = text("why it was left")


@dataclass(frozen=True)
class StepRow(Row):
    """A step of a compression: what it was asked for, and what it did."""

    name: str = text("`distil`, `prune`, `channels`, `cluster` or `quantize`")
    settings: Mapping[str, Any] = values("every setting of the step")
    changed: tuple[str, ...] = texts("names of the layers that it changed")
    skipped: tuple[Skipped, ...] = rows(Skipped, "layers that it left as they were")
    figures: Mapping[str, Any] = values("what the step itself measured, such as `epochs`, `kept`, `calibration`")
    warnings: tuple[str, ...] = texts("sentences about what is worth a look")


@dataclass(frozen=True)
class StateRow(Row):
    """A state of the model on its way through a compression, measured as a file."""

    after: str = text("the step that made it, or which float32 model it is")
    file: str = text("name of the model file")
    precision: str = text("`float32`, `float16`, `dynamic`, `int8`, `int8-io` or `int16x8`")
    bytes: int | float = count("size of the file")
    download_bytes: int | float = count("size of the file after `gzip -9 -n`")
    p50_ms: float | None = number("median latency of one sample, one thread; not in a bundle")
    metric: Mapping[str, Any] | None = values(f"on the test split: {_METRIC}", check=_metric, null=True)


@dataclass(frozen=True)
class SkippedBy(Row):
    """A step that left a layer as it was."""

    step: str = text("name of the step")
    reason: str = text("why it left the layer")


@dataclass(frozen=True)
class LayerRow(Row):
    """A layer that has a kernel, after the compression."""

    layer: str = text("name of the layer")
    kind: str = text("Keras class name")
    channels_before: int | float | None = number("size of the output's last axis in the source")
    channels: int | float | None = number("the same after the compression; null where it is open")
    weights: int | float | None = number("numbers in all weights of the layer")
    sparsity: float | None = number("share of the kernel that is zero, 0..1")
    clusters: int | float | None = number("different values in the kernel; null where there are many")
    precision: str = text("precision of the weights")
    snr_db: float | None = number("signal to noise of the layer's int8 output, dB; null without shared ranges")
    left: tuple[SkippedBy, ...] = rows(SkippedBy, "steps that left the layer as it was")


@dataclass(frozen=True)
class ComparedRow(Row):
    """How far the runtimes are apart after a layer."""

    layer: str = text("name of the layer")
    litert: float | None = number("largest difference of LiteRT float32 from Keras, over max(1, largest value)")
    onnx: float | None = number("the same of ONNX Runtime float32")
    int8_steps: int | float | None = number("largest difference of the two int8 files, in quantization steps")
    int8_differing: float | None = number("share of the int8 values that differ, 0..1")


@dataclass(frozen=True)
class Divergence(Row):
    """Keras, LiteRT and ONNX Runtime compared layer by layer."""

    samples: int | float | None = number("how many test samples were compared")
    limit: float | None = number("largest float32 difference that counts as equal")
    int8_limit: int | float | None = number("largest int8 difference that counts as equal, in quantization steps")
    first: str | None = text("first layer above `limit`; null where there is none", empty=None)
    first_int8: str | None = text("first layer above `int8_limit`; null where there is none", empty=None)
    failed: str = text("why there is no comparison; empty where there is one")
    layers: tuple[ComparedRow, ...] = rows(ComparedRow, "a row per layer that has weights")


@dataclass(frozen=True)
class Outcomes(Row):
    """Figures of the source's float32 model and of the compressed file, on the same test samples."""

    file: str = text("name of the compressed file")
    before: Mapping[str, Any] = values("of the float32 model, as in `metrics.json` of a run")
    after: Mapping[str, Any] = values("of the file, in its runtime")


@dataclass(frozen=True)
class ArtifactRow(Row):
    """A model file, run on all test samples in its runtime."""

    file: str = text("name of the file")
    format: str = text("`tflite` or `onnx`")
    precision: str = text("`float32`, `float16`, `dynamic`, `int8`, `int8-io` or `int16x8`")
    bytes: int | float = count("size of the file")
    download_bytes: int | float = count("size of the file after `gzip -9 -n`")
    p50_ms: float | None = number("median latency of one sample, one thread; not in a bundle")
    metric: Mapping[str, Any] | None = values(f"on the test split: {_METRIC}", check=_metric, null=True)
    parity: Mapping[str, Any] = values("`measure` against the float model's outputs, `error`, `tolerance` and more")
    ranges: str = text("`shared`, `native` or `none`")
    float_operators: Mapping[str, Any] = values("operators that compute in float32 -> how many", check=counts)
    passed: bool = flag("whether the file passes the gate", empty=True)
    reasons: tuple[str, ...] = texts("why it does not pass")
    notes: tuple[str, ...] = texts("what the test samples are too few to decide")
    accepts: Mapping[str, Any] = values("limits of `--gate` that the file would meet", check=counts)
