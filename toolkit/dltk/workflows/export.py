"""Write the model of a Run as a bundle: emit, run without TensorFlow, judge, seal, swap in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dltk import bundle
from dltk.base.errors import InputError, LimitError
from dltk.base.files import read_capped, require_utf8, sha256
from dltk.base.install import DISTRIBUTION, own_version
from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle.manifest import file_entry
from dltk.edge.bundle.seal import Key, private_key
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.replay import GOLDEN
from dltk.edge.runtime.device import machine
from dltk.export.emit import Target, targets
from dltk.export.flatbuffer.stateless import STATE_OPERATOR
from dltk.export.flatbuffer.stateless import stateless as without_state
from dltk.export.runner import RUNNER, runner
from dltk.models.files.keras_file import open_keras
from dltk.quantization.plan import QuantizationPlan
from dltk.recipe.settings import as_dict, digest
from dltk.report.schema import REPORT, ArtifactRow, Report
from dltk.run import Run
from dltk.twin.graph import Graph
from dltk.validate import Gate, micro_runtime
from dltk.workflows.analysis import remedies
from dltk.workflows.analysis.findings import carried
from dltk.workflows.card import RESET, licenses, model_card, report_page
from dltk.workflows.measure import Evaluation, Measured, agreement, evaluation, line, measure, reference_outputs
from dltk.workflows.micro import on_micro
from dltk.workflows.preflight import require_place, require_training_packages
from dltk.workflows.rehearse import rehearse, with_golden

__all__ = ["Exported", "export"]

# Of the bytes of model.keras, what a file takes at least: 8 and 16 bits of 32.
_SHARES = {"float32": 1.0, "float16": 0.5, "dynamic": 0.25, "int8": 0.25, "int8-io": 0.25, "int16x8": 0.25}
_TOOLS = ("keras", "numpy", "onnx", "onnxruntime", "tensorflow", "tf2onnx", "tf-keras", "ai-edge-litert")


@dataclass(frozen=True)
class Exported:
    """A bundle, and what was measured on the way.

    Attributes:
        table: one row a file, latency on this machine included.
        agreement: "FILE FILE" -> top-1 agreement of the files of one precision.
    """

    path: Path
    table: tuple[ArtifactRow, ...]
    agreement: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "bundle": str(self.path),
            "artifacts": [row.as_dict() for row in self.table],
            "agreement": dict(self.agreement),
            "machine": machine(),
        }


def export(
    run: str | Path,
    *,
    formats: Sequence[str] = (),
    precisions: Sequence[str] = (),
    out: str | Path | None = None,
    golden: int = 8,
    synthetic: bool = False,
    gate: Gate | None = None,
    stateless: bool = False,
    archive: bool = False,
    sign: Key | None = None,
    trust_recipe: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Write the model of `run` as a bundle; nothing is written unless every file passes the gate.

    Args:
        formats: "tflite", "onnx", both when empty; "c" for C sources of the TFLite files, which come along.
        precisions: as `--precision`; float32 and what the run's plan allows when empty.
        out: the bundle's folder; `exported/NAME` when None. Of an archive the file, `exported/NAME.zip` when None.
        golden: samples that the bundle carries to prove itself.
        synthetic: make those samples up instead of taking test samples.
        gate: limits; the default ones when None.
        stateless: write LSTMs into TFLite files in a form that keeps no state from one sample to the next.
        archive: write one compressed file instead of a folder.
        sign: Ed25519 private key (a PEM file's path or bytes) to sign the manifest with.
        trust_recipe: run the run's own recipe.py to read its settings by; otherwise nothing in `run` is executed.

    Raises:
        UsageError: if a file that does not exist is asked for.
        InputError: if the run is incomplete, int8 is asked for and it has no ranges, `out` holds something else than a
            bundle, or `sign` is no key to sign with.
        LimitError: if a file does not pass; `measured` has what was found about every file.
        EnvironmentFault: if "c" is asked for and tflite-micro is not installed.
    """
    if "c" in formats:
        micro_runtime()
    key = None if sign is None else private_key(sign)
    opened, gate = Run.open(run, trust_recipe=trust_recipe), gate or Gate()
    signature, settings = opened.signature, opened.settings()
    plan = QuantizationPlan.load(opened.quantization_path) if opened.quantization_path.is_file() else None
    wanted = targets(formats, precisions, plan, run, source=_source(opened))
    target = Path(out or Path("exported", f"{opened.name}.zip" if archive else opened.name))
    require_utf8(target)
    bundle.require_replaceable(target, archive=archive)
    size = os.path.getsize(opened.model_path)
    require_place(target, round(size * sum(_SHARES[item.precision] for item in wanted)))
    require_training_packages()
    model, graph = _read(opened)
    _require_fits(plan, graph, opened)
    samples = evaluation(opened, model, signature, progress=progress)
    forms = {item: _form(graph, item, plan, stateless) for item in wanted}
    found = _measured(forms, signature, plan, samples, gate, settings.seed, progress)
    whole = Path(os.path.abspath(target))  # `.` has a name, too
    name = whole.stem if archive else whole.name
    proof, sources = _golden(model, samples, signature, golden, synthetic), dict[str, bytes]()
    found = with_golden(found, proof, signature, samples, gate)
    if "c" in formats:
        found, sources = on_micro(found, proof, signature, name, gate)
    exported = Exported(target, tuple(one.row() for one in found), agreement(found, signature))
    _require_passed(exported, found, gate, plan)
    files = _files(opened, found, exported) | {GOLDEN: proof} | sources
    lineage = _lineage(opened, settings, graph.digest(), plan) | _state(found)
    sealing = bundle.Sealing(name, signature, [one.artifact for one in found], files, lineage, gate.as_dict())
    rehearse(sealing, target)
    bundle.publish(replace(sealing, files=files | report_page(sealing, progress)), target, archive=archive, key=key)
    return exported


def _measured(
    forms: Mapping[Target, Graph],
    signature: Signature,
    plan: QuantizationPlan | None,
    samples: Evaluation,
    gate: Gate,
    seed: int,
    progress: Progress,
) -> list[Measured]:
    """Each file made of its graph, and judged; a line a file."""
    found: list[Measured] = []
    with progress.bar("exporting", len(forms)) as bar:
        for item, graph in forms.items():
            found.append(measure(graph, signature, item, plan, samples, gate=gate, seed=seed))
            bar.advance(1, item.file)
            progress.say(line(found[-1].row()))
    return found


def _form(graph: Graph, target: Target, plan: QuantizationPlan | None, stateless: bool) -> Graph:
    """The graph that `target` is made of."""
    return without_state(graph, target.precision, plan) if stateless and target.format == "tflite" else graph


def _state(found: Sequence[Measured]) -> dict[str, Any]:
    """Which files keep state between samples, and what a program of somebody's own must do; nothing where none does."""
    files = [one.target.file for one in found if STATE_OPERATOR in one.artifact.operators]
    return {"keeps_state": {"files": files, "before_each_sample": RESET}} if files else {}


def _source(run: Run) -> str | None:
    """The run that `run` was compressed from, as its report has it."""
    found = Report.of(run)
    return None if found is None else found.source or None


def _read(run: Run) -> tuple[Any, Any]:
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    model = open_keras(run.model_path)
    return model, deployed(read(model))


def _require_fits(plan: QuantizationPlan | None, graph: Graph, run: Run) -> None:
    layers = set(graph.layers)
    if plan is not None and not {*plan.weights, *plan.floats} <= layers:
        strange = sorted({*plan.weights, *plan.floats} - layers)
        hint = "Compress again, and export what comes out."
        raise InputError(run.quantization_path, "must be the plan of this run's model", strange, hint)


def _require_passed(exported: Exported, found: Sequence[Measured], gate: Gate, plan: QuantizationPlan | None) -> None:
    failed = [one for one in found if not one.verdict.passed]
    if failed:
        hint = f"No bundle was written.{_advice(exported.table, gate, plan)}"
        received = f"{failed[0].target.file} {failed[0].verdict.reasons[0]}"
        received += f" and {len(failed) - 1} more that do not" if len(failed) > 1 else ""
        raise LimitError(exported.path, "every file must pass the gate", received, hint, measured=exported.as_dict())


def _advice(rows: Sequence[ArtifactRow], gate: Gate, plan: QuantizationPlan | None) -> str:
    """What helps, by what was measured."""
    left, moved = remedies.passing(rows), remedies.limits(rows)
    quantized = any(not row.passed and row.precision.startswith("int") for row in rows)
    ranges = remedies.ranges(plan.calibration) if quantized and plan is not None else ""
    found = (
        f"Of ranges, {ranges}." if ranges else "",
        f"Export what passed with{left}." if left else "",
        f"All pass with {moved}." if moved else "",
        "Without --strict, what the samples cannot decide passes with a note." if gate.strict else "",
    )
    return "".join(f" {words}" for words in found if words)


def _files(run: Run, found: Sequence[Measured], exported: Exported) -> dict[str, bytes]:
    """Every file of the bundle but manifest, page, golden samples and C sources. None says when or how fast."""
    signature = run.signature
    files = {one.target.file: one.data for one in found} | dict(signature.assets)
    if signature.labels:
        files["labels.txt"] = bundle.labels_bytes(signature.labels)
    compression = carried(Report.of(run) or Report())
    report = compression.in_bundle(exported.table, exported.agreement, run.read_json("metrics"))
    files[REPORT] = bundle.report_bytes(report)
    files["recipe.json"] = read_capped(run.path / "recipe.json")
    files["MODEL_CARD.md"] = model_card(run, exported.table, _state(found)).encode()
    files["LICENSES.txt"] = licenses(run).encode()
    files[RUNNER] = runner(signature.family)
    return files


def _golden(model: Any, samples: Evaluation, signature: Signature, count: int, synthetic: bool) -> bytes:
    if not synthetic:
        first = {name: value[:count] for name, value in samples.reference.items()}
        targets = None if samples.targets is None else samples.targets[:count]
        return bundle.golden_bytes(samples.raws[:count], first, signature, targets)
    raws = family(signature.family).synthetic(signature, count=count, seed=0)
    return bundle.golden_bytes(raws, reference_outputs(model, raws, signature), signature, None)


def _lineage(run: Run, settings: Any, model: str, plan: QuantizationPlan | None) -> dict[str, Any]:
    data = run.data
    return {
        "recipe": run.recipe_name,
        "recipe_digest": digest(settings),
        "settings": as_dict(settings),
        "data_digest": data.get("digest"),
        "source_digest": file_entry(read_capped(run.model_path)).sha256,
        "graph_digest": model,
        "plan_digest": sha256(read_capped(run.quantization_path)) if plan is not None else None,
        "calibration": dict(plan.calibration) if plan is not None else None,
        "left_float": dict(plan.floats) if plan is not None else {},
        "weight_levels": plan.levels if plan is not None and plan.weights else None,
        "per_tensor_dense": plan is not None and plan.per_tensor_dense,
        "seed": settings.seed,
        "tools": {DISTRIBUTION: own_version()} | {name: version(name) for name in _TOOLS},
        "instructions": machine()["instructions"],
    }
