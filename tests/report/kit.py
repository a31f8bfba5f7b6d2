"""Runs and bundles to report on: real figures of `training.report`, in folders written without training anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import tiny
from dltk.base.files import canonical_json
from dltk.edge.manifest import MANIFEST, file_entry
from dltk.edge.signature import Signature, TensorSpec
from dltk.training.evaluation import report

SERIES = Signature(
    task="forecast",
    family="series",
    inputs=(TensorSpec("series", "float32", (None, 3, 1), ("batch", "time", "column")),),
    outputs=(TensorSpec("forecast", "float32", (None, 2, 1), ("batch", "time", "column")),),
    preprocess=(
        {"op": "window", "length": 3, "columns": ["load"]},
        {"op": "standardize", "mean": [10.0], "std": [2.0]},
    ),
    postprocess=({"op": "unstandardize", "mean": [10.0], "std": [2.0]},),
    labels=("load",),
)
HISTORY = "phase,epoch,loss,accuracy,validation_loss,seconds\nhead,1,1.5,0.5,1.6,0.2\nall,1,0.9,,1.0,0.3\n"
DATA = {
    "source": "photos",
    "digest": "d" * 64,
    "report": {
        "samples": {"train": 40, "validation": 9, "test": 60},
        "skipped": [{"name": "cat/broken.jpg", "reason": "is cut off"}],
        "duplicates": [{"kept": "cat/1.png", "side": "test", "dropped": [["cat/2.png", "train"]]}],
        "conflicts": [[{"name": "cat/3.png", "labels": ["cat"]}, {"name": "dog/3.png", "labels": ["dog"]}]],
        "carved_from_train": ["test"],
    },
}
COMPRESSION = {
    "source": "runs/flowers",
    "steps": [
        {
            "name": "quantize",
            "settings": {"precision": "int8"},
            "changed": ["conv", "dense"],
            "skipped": [{"layer": "softmax", "reason": "stays float"}],
            "figures": {"bytes_after_over_before": 0.28},
            "warnings": ["few calibration samples"],
        },
        {"name": "prune"},
    ],
}
GENERATOR = {"kind": "generator", "training": {"loss": 1.25, "generator_loss": -0.5}}


def classification(labels: tuple[str, ...] = tiny.LABELS) -> dict:
    """Figures of a classifier that is right more often than not."""
    generator = np.random.Generator(np.random.PCG64(5))
    targets = generator.integers(0, len(labels), 60)
    logits = generator.normal(0, 1, (60, len(labels))) + 2 * np.eye(len(labels))[targets]
    signature = replace(tiny.SIGNATURE, labels=labels)
    return report(logits, targets, signature, validation=(logits[:30], targets[:30]))


def forecast() -> dict:
    """Figures of a forecast of two steps."""
    generator = np.random.Generator(np.random.PCG64(6))
    targets = generator.normal(0, 1, (20, 2, 1)).astype(np.float32)
    return report(targets + np.float32(0.1), targets, SERIES)


def write_run(folder: Path, metrics: dict, *, history: str | None = HISTORY, data: dict | None = DATA) -> Path:
    """A finished run folder, as far as a report looks into it."""
    folder.mkdir(parents=True)
    recipe = {"recipe": "cnn", "settings": {}, "smoke": False, "source_sha256": "0" * 64, "task": "some-task"}
    for name, value in {"recipe": recipe, "metrics": metrics, "data": data, "signature": {}}.items():
        if value is not None:
            (folder / f"{name}.json").write_bytes(canonical_json(value))
    (folder / "model.keras").write_bytes(b"never opened")
    if history is not None:
        (folder / "history.csv").write_text(history)
    return folder


def write_bundle(folder: Path, *, measured: dict | None = None, labels: tuple[str, ...] = tiny.LABELS) -> Path:
    """A sound bundle of a float and an int8 file, scored, with `measured` as its report.json."""
    signature = replace(tiny.SIGNATURE, labels=labels)
    models = {"model.float32.tflite": tiny.tflite(), "model.int8.tflite": tiny.tflite("int8")}
    manifest = tiny.write_bundle(folder, models, signature=signature)
    metric = {
        "name": "accuracy",
        "value": 0.75,
        "reference": 0.8,
        "drop": 0.05,
        "interval": [0.01, 0.09],
        "samples": 60,
    }
    artifacts = tuple(replace(each, metric=metric, operators={"FULLY_CONNECTED": 1}) for each in manifest.artifacts)
    files = dict(manifest.files)
    if measured is not None:
        (folder / "report.json").write_bytes(canonical_json(measured))
        files["report.json"] = file_entry(canonical_json(measured))
    (folder / MANIFEST).write_bytes(replace(manifest, artifacts=artifacts, files=files).to_bytes())
    return folder
