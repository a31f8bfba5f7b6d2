"""What a bundle holds beside its golden samples: its files, and the lineage in its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from dltk.base.install import DISTRIBUTION, own_version
from dltk.edge.runtime.machine import machine
from dltk.export.flatbuffer.stateless import STATE_OPERATOR
from dltk.export.runner import RUNNER, runner
from dltk.report.schema import REPORT, Report
from dltk.twin.graph import Graph
from dltk.workflows.analysis.findings import bundle_findings
from dltk.workflows.exporting.card import RESET, licenses, model_card
from dltk.workflows.exporting.opened import Opened
from dltk.workflows.measure import Measured

__all__ = ["files_of", "labels_bytes", "lineage", "state_of"]

_TOOLS = ("keras", "numpy", "onnx", "onnxruntime", "tensorflow", "tf2onnx", "tf-keras", "ai-edge-litert")


def files_of(opened: Opened, found: Sequence[Measured], agreement: Mapping[str, float]) -> dict[str, bytes]:
    """The files of a bundle: name -> bytes.

    Those that run: the models, what their inputs are prepared with, and `run.pyz`. Those that describe the model:
    labels, report, recipe, card, licenses; none contains times or latencies.
    """
    signature, rows = opened.signature, [one.row() for one in found]
    labels = {"labels.txt": labels_bytes(signature.labels)} if signature.labels else {}
    report = bundle_findings(opened.report or Report()).in_bundle(rows, agreement, opened.metrics)
    models = {one.target.file: one.data for one in found}
    # Without indentation: curves have hundreds of points.
    text = json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return {
        **models,
        **signature.assets,
        **labels,
        RUNNER: runner(signature.family),
        REPORT: f"{text}\n".encode(),
        "recipe.json": opened.recipe,
        "MODEL_CARD.md": model_card(opened, rows, state_of(found)).encode(),
        "LICENSES.txt": licenses(opened).encode(),
    }


def labels_bytes(labels: Sequence[str]) -> bytes:
    """`labels.txt`: one label per line."""
    return "".join(f"{label}\n" for label in labels).encode()


def lineage(opened: Opened, graph: Graph) -> dict[str, Any]:
    """What the bundle was made from and with; no times, so that equal runs give equal bytes."""
    plan, data = opened.plan, opened.data
    return {
        "recipe": opened.run.recipe_name,
        "recipe_digest": opened.recipe_digest,
        "settings": opened.plain_settings,
        "data_digest": data.get("digest"),
        "source_digest": opened.model_digest,
        "graph_digest": graph.digest(),
        "plan_digest": opened.plan_digest,
        "calibration": dict(plan.calibration) if plan is not None else None,
        "left_float": dict(plan.floats) if plan is not None else {},
        "weight_levels": plan.levels if plan is not None and plan.weights else None,
        "per_tensor_dense": plan is not None and plan.per_tensor_dense,
        "seed": opened.settings.seed,
        "tools": {DISTRIBUTION: own_version()} | {name: version(name) for name in _TOOLS},
        "instructions": machine()["instructions"],
    }


def state_of(found: Sequence[Measured]) -> dict[str, Any]:
    """Which files keep state between samples, and what other programs must do; empty if there are none."""
    files = [one.target.file for one in found if STATE_OPERATOR in one.artifact.operators]
    return {"keeps_state": {"files": files, "before_each_sample": RESET}} if files else {}
