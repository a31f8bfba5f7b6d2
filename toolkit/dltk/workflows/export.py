"""Write the model of a Run as a bundle: emit, run without TensorFlow, compare, seal, swap in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dltk import bundle
from dltk.base.errors import LimitError
from dltk.base.files import require_utf8
from dltk.base.progress import SILENT, Progress
from dltk.bundle import BundleOptions
from dltk.edge.bundle.seal import private_key
from dltk.edge.replay import GOLDEN, read_golden
from dltk.edge.runtime.machine import machine
from dltk.export.emit import Target, requested_targets
from dltk.export.flatbuffer.stateless import stateless as without_state
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import ArtifactRow
from dltk.twin.graph import Graph
from dltk.validate import Gate, micro_runtime
from dltk.workflows.analysis import remedies
from dltk.workflows.exporting.card import report_page
from dltk.workflows.exporting.contents import files_of, lineage, state_of
from dltk.workflows.exporting.micro import on_micro
from dltk.workflows.exporting.opened import Opened
from dltk.workflows.exporting.rehearse import golden_of, replay_before_writing, with_golden_errors
from dltk.workflows.measure import Measured, agreement, evaluation, measure_all
from dltk.workflows.preflight import require_place, require_training_packages

__all__ = ["Exported", "export"]

# Of the bytes of model.keras, what a file takes at least: 16 bits of 32; every other precision has weights of 8.
_SHARES, _OF_INTEGERS = {"float32": 1.0, "float16": 0.5}, 0.25


@dataclass(frozen=True)
class Exported:
    """A bundle, and what was measured on the way.

    Attributes:
        table: one row per file, with latency on this machine.
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
    gate: Gate | None = None,
    options: BundleOptions | None = None,
    trust_recipe: bool = False,
    progress: Progress = SILENT,
) -> Exported:
    """Write the model of `run` as a bundle; nothing is written unless every file passes the gate.

    Args:
        formats: "tflite", "onnx", both when empty; "c" for C sources of the TFLite files, which come along.
        precisions: as `--precision`; float32 and what the run's plan allows when empty.
        out: the bundle's folder; `exported/NAME` when None. Of an archive the file, `exported/NAME.zip` when None.
        gate: limits; the default ones when None.
        options: golden samples, archive, signature.
        trust_recipe: run the run's own recipe.py to read its settings by; otherwise nothing in `run` is executed.

    Raises:
        UsageError: if a file that does not exist is asked for.
        InputError: if the run is incomplete, int8 is asked for and it has no ranges, `out` holds something else than a
            bundle, or `options.sign` is no key to sign with.
        LimitError: if a file does not pass; `measured` has what was found about every file.
        EnvironmentFault: if "c" is asked for and tflite-micro is not installed.
    """
    if "c" in formats:
        micro_runtime()
    gate, options = gate or Gate(), options or BundleOptions()
    archive, key = options.archive, None if options.sign is None else private_key(options.sign)
    opened = Opened.open(run, trust_recipe=trust_recipe)
    signature, plan, folder = opened.signature, opened.plan, opened.run.name
    wanted = requested_targets(formats, precisions, plan, run, source=opened.source)
    target = Path(out or Path("exported", f"{folder}.zip" if archive else folder))
    require_utf8(target)
    bundle.require_replaceable(target, archive=archive)
    size = os.path.getsize(opened.run.model_path)
    require_place(target, round(size * sum(_SHARES.get(item.precision, _OF_INTEGERS) for item in wanted)))
    require_training_packages()
    model, graph = opened.model()
    samples = evaluation(opened.samples, model, signature, progress=progress)
    forms = {item: _form(graph, item, plan, options.stateless) for item in wanted}
    how = {"gate": gate, "seed": opened.settings.seed}
    found = measure_all(forms, signature, plan, samples, label="exporting", progress=progress, **how)
    whole = Path(os.path.abspath(target))  # `.` has a name, too
    name = whole.stem if archive else whole.name
    sources: dict[str, bytes] = {}
    pairs, proof = agreement(found, signature), golden_of(model, samples, signature, options)
    known = read_golden(proof, signature)
    found = with_golden_errors(found, known, signature, samples, gate)
    if "c" in formats:
        found, sources = on_micro(found, known, signature, name, gate)
    exported = Exported(target, tuple(one.row() for one in found), pairs)
    _require_passed(exported, found, gate, plan)
    history, artifacts = lineage(opened, graph) | state_of(found), [one.artifact for one in found]
    files = files_of(opened, found, pairs) | {GOLDEN: proof} | sources
    sealing = bundle.Sealing(name, signature, artifacts, files, history, gate.as_dict())
    replay_before_writing(sealing, target)
    bundle.publish(replace(sealing, files=files | report_page(sealing, progress)), target, archive=archive, key=key)
    return exported


def _form(graph: Graph, target: Target, plan: QuantizationPlan | None, stateless: bool) -> Graph:
    """The graph that `target` is made of."""
    return without_state(graph, target.precision, plan) if stateless and target.format == "tflite" else graph


def _require_passed(exported: Exported, found: Sequence[Measured], gate: Gate, plan: QuantizationPlan | None) -> None:
    failed = [one for one in found if not one.verdict.passed]
    if failed:
        hint = f"No bundle was written.{_advice(exported.table, gate, plan)}"
        received = f"{failed[0].target.file} {failed[0].verdict.reasons[0]}"
        received += f" and {len(failed) - 1} more that do not" if len(failed) > 1 else ""
        raise LimitError(exported.path, "every file must pass the gate", received, hint, measured=exported.as_dict())


def _advice(rows: Sequence[ArtifactRow], gate: Gate, plan: QuantizationPlan | None) -> str:
    """What helps, by what was measured."""
    left, moved = remedies.passing_precisions_option(rows), remedies.gate_options(rows)
    quantized = any(not row.passed and row.precision.startswith("int") for row in rows)
    ranges = remedies.ranges(plan.calibration) if quantized and plan is not None else ""
    found = (
        f"Of ranges, {ranges}." if ranges else "",
        f"Export what passed with{left}." if left else "",
        f"All pass with {moved}." if moved else "",
        "Without --strict, a file passes with a note if the samples cannot decide." if gate.strict else "",
    )
    return "".join(f" {words}" for words in found if words)
