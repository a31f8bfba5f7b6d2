"""Runs and bundles to report on, written without training anything.

The figures have the form of `training.report`; test_evaluation.py holds them against the real one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

import tiny
from dltk.base.files import canonical_json
from dltk.edge.bundle.manifest import MANIFEST, file_entry
from dltk.edge.bundle.signature import Signature, TensorSpec

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
    "artifacts": [
        {"file": "model.int8.tflite", "bytes": 1000, "parity": {"measure": "cosine", "error": 0.001, "tolerance": 0.99}}
    ],
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
METRIC = {
    "name": "accuracy",
    "value": 0.75,
    "reference": 0.8,
    "drop": 0.05,
    "interval": [0.01, 0.09],
    "samples": 60,
    "higher_is_better": True,
}
GENERATOR = {"kind": "generator", "training": {"loss": 1.25, "generator_loss": -0.5}}


def answers(classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits (60, classes) that are right more often than not, and targets (60,)."""
    generator = np.random.Generator(np.random.PCG64(5))
    targets = generator.integers(0, classes, 60)
    return generator.normal(0, 1, (60, classes)) + 2 * np.eye(classes)[targets], targets


def classification(labels: tuple[str, ...] = tiny.LABELS) -> dict:
    """Figures of a classifier; counts are counted, the other numbers made up."""
    logits, targets = answers(len(labels))
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (targets, logits.argmax(-1)), 1)
    means = {"precision": 0.9, "recall": 0.8, "f1": 0.85, "auc": 0.95}
    rows = [
        {"label": label, "samples": int(count), **means, "auc": None if number == 1 else 0.95}
        for number, (label, count) in enumerate(zip(labels, confusion.sum(axis=1), strict=True))
    ]
    curve = [[0.0, 0.0], [0.25, 0.75], [1.0, 1.0]]
    return {
        "kind": "single-label",
        "samples": 60,
        "accuracy": float((logits.argmax(-1) == targets).mean()),
        "top_k": {"1": 0.8, "2": 0.9},
        "macro": means,
        "classes": rows,
        "confusion": confusion.tolist(),
        "roc": [[] if row["auc"] is None else curve for row in rows],
        "calibration": {
            "temperature": 0.5,
            "expected_calibration_error": 0.2,
            "expected_calibration_error_fitted": 0.04,
            "reliability": [[0.3, 0.25, 4], [0.9, 0.95, 56]],
        },
    }


def findings(labels: tuple[str, ...] = tiny.LABELS) -> dict:
    """The full report of a compression, as `dltk.workflows.analysis.findings` writes it, with `labels` as names."""
    name = labels[0]
    files = (("source, float32", "float32", 4000), ("prune", "float32", 2000), ("quantize", "int8", 1000))
    steps = ["prune:sparsity=0.5", "quantize"]
    limits = {"drop": 0.1, "download": 1500, "latency": 0.5}
    return COMPRESSION | {
        "bought": [
            {"after": after, "file": f"model.{precision}.tflite", "precision": precision, "bytes": 4000}
            | {"download_bytes": size, "p50_ms": 0.25, "metric": METRIC}
            for after, precision, size in (*files, ("float32, same extra epochs", "float32", 4000))
        ],
        "layers": [
            {"layer": name, "kind": "Conv2D", "channels_before": 16, "channels": 8, "weights": 448, "sparsity": 0.5}
            | {"clusters": 9, "precision": "int8", "snr_db": 31.25}
            | {"left": [{"step": "prune", "reason": "fewer than 1000 weights"}]}
        ],
        "divergence": {"samples": 32, "limit": 1e-4, "int8_limit": 1, "first": None, "first_int8": name, "failed": ""}
        | {"layers": [{"layer": name, "litert": 1e-6, "onnx": 2e-6, "int8_steps": 3, "int8_differing": 0.125}]},
        "outcomes": {"file": "model.int8.tflite", "before": classification(labels), "after": classification(labels)},
        "search": {
            "bounds": limits,
            "trials": [
                {"number": 1, "stage": "int8", "steps": steps, "row": None, "error": name, "misses": []},
                {"number": 2, "stage": "search", "steps": steps, "error": "", "misses": [{"limit": "drop"}]}
                | {"row": {"bytes": 3000, "download_bytes": 1000, "p50_ms": 0.125, "metric": METRIC}},
            ],
            "front": [2],
            "chosen": 2,
            "met": False,
            "misses_on_test": [{"limit": "download", "wanted": 1500, "found": 2000}],
            "sensitivity": [{"layer": name, "drop": 0.0625}],
        },
        "commands": [f"dltk finetune cnn --data '{name}'", "dltk export run"],
    }


def forecast() -> dict:
    """Figures of a forecast of two steps."""
    errors = {"mean_absolute_error": 0.2, "root_mean_squared_error": 0.25}
    return {"kind": "regression", "samples": 20, **errors, "horizon": [{"step": step, **errors} for step in (1, 2)]}


def judged_forecast() -> dict:
    """The same with figures that the task itself adds."""
    stretch = {"column": "load", "window": [1.0, 2.0, 3.0], "wanted": [4.0, 5.0], "value": [4.5, 5.5]}
    ends = {"low": [3.0, 4.0], "high": [5.0, 6.0]}
    return forecast() | {"interval_coverage": 0.8, "coverage": [0.8, 0.8], "stretch": stretch | ends}


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
    artifacts = tuple(replace(each, metric=METRIC, operators={"FULLY_CONNECTED": 1}) for each in manifest.artifacts)
    files = dict(manifest.files)
    if measured is not None:
        (folder / "report.json").write_bytes(canonical_json(measured))
        files["report.json"] = file_entry(canonical_json(measured))
    (folder / MANIFEST).write_bytes(replace(manifest, artifacts=artifacts, files=files).to_bytes())
    return folder
