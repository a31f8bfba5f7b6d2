"""Whole CIFAR-10: accuracy and time of two recipes, what int8 costs and saves, and the memory of fine-tuning."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_least, at_most, points_lost, spread, with_float32
from support.measured import measure
from support.shell import console_script, once, run_json, shown

__all__ = ["accuracy", "int8", "memory"]

_FASTER = {"tflite": ("LiteRT", 1 / 2), "onnx": ("ONNX Runtime", 1 / 1.8)}  # most that int8 takes of float32's p50
_BENCHES = 3  # runs of `dltk bench`
_MOST_ANONYMOUS = 2_000_000_000


@dataclass(frozen=True)
class _Subject:
    """A recipe that is measured on the whole of CIFAR-10."""

    name: str
    recipe: str
    settings: tuple[str, ...]
    accuracy: float
    minutes: float | None  # most minutes of training
    bytes_ratio: float  # least float32 over int8


# 45,000 images bear more than the careful defaults: blocks 6 to 16 learn, at a higher rate.
_DEEP = (
    "head.epochs=10",
    "head.batch_size=64",
    "head.learning_rate=1e-3",
    "model.unfreeze_after=block_5_add", "augment.translate=0.08", "tune.epochs=6", "tune.learning_rate=5e-4"
)  # fmt: skip
# evaluation_mb: all 10,000 test images go along, so that the drop is measured on each of them.
_SUBJECTS = {
    "mobilenet": _Subject("mobilenet", "image-classification", (*_DEEP, "data.evaluation_mb=300"), 0.90, None, 3.3),
    "cnn": _Subject("cnn", "cnn", ("data.evaluation_mb=300",), 0.85, 60.0, 3.2),
}


def accuracy(name: str, *, runs: Path, limit: int = 0) -> list[Figure]:
    """Test accuracy and minutes of training; the run is made in `runs`, or taken from there."""
    subject = _SUBJECTS[name]
    run, command = _trained(subject, runs, limit)
    metrics = json.loads((run / "metrics.json").read_text())
    with (run / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    minutes = sum(float(row["seconds"]) for row in rows) / 60
    found = _row(f"accuracy-{name}", command)
    once = f"one run, {len(rows)} epochs"
    within = "" if subject.minutes is None else f"at most {subject.minutes:.0f}"
    in_time = None if subject.minutes is None else at_most(minutes, subject.minutes)
    return [
        found(
            f"test accuracy on {metrics['samples']:,} images", f"{metrics['accuracy']:.4f}", once,
            f"at least {subject.accuracy:.2f}", at_least(metrics["accuracy"], subject.accuracy)
        ),
        found("minutes of training, including features and validation", f"{minutes:.1f}", once, within, in_time),
    ]  # fmt: skip


def int8(name: str, *, runs: Path, limit: int = 0) -> list[Figure]:
    """What calibrated int8 loses and saves against float32, of the files themselves."""
    subject = _SUBJECTS[name]
    source, _ = _trained(subject, runs, limit)
    dltk, quantized, bundle = console_script(), runs / f"{name}-int8", runs / f"{name}-bundle"
    compress: list[str | Path] = [dltk, "compress", source, "--step", "quantize:precision=int8", "--run", quantized]
    once(quantized, compress)
    wanted = ["--format", "tflite", "--format", "onnx", "--precision", "float32", "--precision", "int8"]
    export: list[str | Path] = [dltk, "export", quantized, *wanted, "--out", bundle, "--json"]
    exported, _ = run_json(export)
    ratios, times = _latencies(bundle)
    command = f"{shown(compress)}\n{shown(export)}\n{shown([dltk, 'bench', bundle, '--json'])}"
    found, artifacts = _row(f"int8-{name}", command), exported["artifacts"]
    files = {(each["format"], each["precision"]): each for each in artifacts}
    before, after = files["tflite", "float32"], files["tflite", "int8"]
    saved = before["bytes"] / after["bytes"]
    return [
        *(_drop(found, each) for each in artifacts if each["precision"] == "int8"),
        *(_faster(found, form, values) for form, values in ratios.items()),
        *(found(f"p50 in ms, {file}", f"{middle:.3f}", text, "", None) for file, (middle, text) in times.items()),
        found(
            "LiteRT bytes, float32 divided by int8", f"{saved:.2f}",
            f"{before['bytes']:,} and {after['bytes']:,} bytes",
            f"at least {subject.bytes_ratio}", at_least(saved, subject.bytes_ratio)
        ),
    ]  # fmt: skip


def memory(*, limit: int = 0, size: int = 96) -> list[Figure]:
    """The most anonymous memory that fine-tuning on all 50,000 training images takes."""
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as scratch:
        pairs = [f"data.size={size}", "head.epochs=2", "tune.epochs=1", *([f"data.limit={limit}"] if limit else [])]
        command: list[str | Path] = [console_script(), "finetune", "image-classification", "--data", "cifar10"]
        command += [word for pair in pairs for word in ("--set", pair)]
        peak = measure([*command, "--run", Path(scratch, "run")], watch=True).peak_anonymous
    images = limit or 50_000
    return [
        _row("memory", shown(command))(
            f"peak RssAnon of fine-tuning MobileNetV2 on {images:,} images at {size} px",
            f"{peak / 1e9:.2f} GB", "one run, sampled every 0.2 s", "under 2 GB", at_most(peak, _MOST_ANONYMOUS)
        )
    ]  # fmt: skip


def _drop(found: Callable[..., Figure], artifact: dict[str, Any]) -> Figure:
    lost, words = points_lost(artifact["metric"])
    what = f"points of accuracy lost by {artifact['file']}, {with_float32(artifact['metric'])}"
    return found(what, f"{lost:+.2f}", words, "at most 0.5", at_most(lost, 0.5))


def _faster(found: Callable[..., Figure], form: str, ratios: list[float]) -> Figure:
    (runtime, most), (ratio, words) = _FASTER[form], spread(ratios, "{:.3f}")
    target = f"at most 1/{1 / most:g}"
    return found(f"{runtime} p50, int8 divided by float32", f"{ratio:.3f}", words, target, at_most(ratio, most))


def _latencies(bundle: Path) -> tuple[dict[str, list[float]], dict[str, tuple[float, str]]]:
    """Format -> int8 over float32 of each `dltk bench`; and file -> p50 in ms with its spread."""
    ratios: dict[str, list[float]] = {"tflite": [], "onnx": []}
    times: dict[str, list[float]] = {}
    for _ in range(_BENCHES):
        report, _ = run_json([console_script(), "bench", bundle, "--json"])
        measured = {(each["format"], each["precision"]): each["p50_ms"] for each in report["artifacts"]}
        for form, found in ratios.items():
            found.append(measured[form, "int8"] / measured[form, "float32"])
        for each in report["artifacts"]:
            times.setdefault(each["file"], []).append(each["p50_ms"])
    return ratios, {file: spread(values, "{:.3f}") for file, values in times.items()}


def _trained(subject: _Subject, runs: Path, limit: int) -> tuple[Path, str]:
    """The finished run of `subject` in `runs`, and the command that makes it."""
    target = runs / subject.name
    settings = (*subject.settings, *((f"data.limit={limit}",) if limit else ()))
    pairs = [word for pair in settings for word in ("--set", pair)]
    command = [console_script(), "finetune", subject.recipe, "--data", "cifar10", "--run", target, *pairs]
    return once(target, command), shown(command)


def _row(group: str, command: str) -> Callable[..., Figure]:
    def row(what: str, value: str, words: str, target: str, met: bool | None) -> Figure:
        return Figure(group, what, command, value, words, target, met, machine())

    return row
