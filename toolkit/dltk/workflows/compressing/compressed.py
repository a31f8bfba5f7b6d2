"""What a compression made: measured on its files, and kept as a finished Run."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dltk.base.files import write_atomic
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned
from dltk.edge.bundle.arrays import save_npz
from dltk.export.emit import Target
from dltk.models.files.save import keras_bytes
from dltk.report.schema import ArtifactRow, Report
from dltk.run import Run
from dltk.validate import Gate
from dltk.workflows.analysis.findings import findings
from dltk.workflows.compressing.search import misses_on_test
from dltk.workflows.compressing.source import Source
from dltk.workflows.finish import finish_run
from dltk.workflows.measure import Evaluation, Kept, evaluation, measure, measure_all, planned_files, reference_outputs

__all__ = ["Compressed", "commands", "finish_compressed"]

Files = tuple[ArtifactRow, ...]


@dataclass(frozen=True)
class Compressed:
    """The Run that came out, and the report: what each step changed, and what the files measure."""

    run: Run
    report: Mapping[str, Any]


def finish_compressed(
    made: Run,
    source: Source,
    candidate: Candidate,
    bench: Workbench,
    report: Report,
    planned: Sequence[Planned],
    *,
    control: bool,
) -> Report:
    """Measure what came out, on its files, and leave a finished Run; the metrics are written last.

    Args:
        made: holds what it has in common with its source already, and the models between steps.
        report: with steps; where it came from and what is measured is added.
        planned: the steps that were taken.
        control: also train the source for the epochs that the steps took, and measure that.
    """
    lines = tuple(commands(source.commands, source.run.path, made.path, planned))
    kept = _with_baseline(made, bench)
    if candidate.plan is not None:
        candidate.plan.save(made.quantization_path)
    write_atomic(made.model_path, keras_bytes(candidate.model))
    samples = evaluation(kept, candidate.model, bench.signature, progress=bench.progress)
    artifacts, tried = _measured(candidate, bench, samples)
    machine = dict(bench.device.machine)
    report = replace(report, source=str(source.run.path), machine=machine, commands=lines)
    report = replace(report, artifacts=artifacts, tried=tried)
    if report.search is not None:
        report = replace(report, search=replace(report.search, misses_on_test=misses_on_test(report.search, artifacts)))
    report = findings(made, candidate, bench, planned, report, samples, control=control)
    made.write_json("report", report.as_dict())
    shutil.rmtree(made.checkpoints, ignore_errors=True)
    if candidate.model is bench.source:  # no weight changed: the float figures are the source's
        made.write_signature(bench.signature)
        made.write_json("metrics", source.metrics)
    else:
        task, settings, progress = source.task, source.settings, bench.progress
        finish_run(made, task, candidate.model, bench.dataset, bench.signature, settings, progress=progress)
    return report


def commands(before: Sequence[str], source: Path, made: Path, planned: Sequence[Planned]) -> list[str]:
    """Lines for a shell: those `before`, what was done to `source` with all settings, how `made` is exported."""
    steps = [word for step in planned for word in ("--step", step.as_text())]
    compress = ["dltk", "compress", str(source), *steps, "--run", str(made)]
    return [*before, shlex.join(compress), shlex.join(["dltk", "export", str(made)])]


def _with_baseline(made: Run, bench: Workbench) -> Kept:
    """The test samples, and the outputs of the first float32 model of the line: drops are counted from there."""
    kept = Kept.of(made, bench.signature)
    if kept.baseline is not None:
        return kept
    outputs = reference_outputs(bench.source, kept.raws, bench.signature, progress=bench.progress)
    save_npz(made.baseline_path, outputs)
    return replace(kept, baseline=outputs)


def _measured(candidate: Candidate, bench: Workbench, samples: Evaluation) -> tuple[Files, Files]:
    """float32 and what the plan makes of it, as TFLite files; nothing is refused here, only reported.

    Where integers alone fail, float16 is tried: what may be advised is known then.

    Returns:
        (rows of the files, rows of what was tried).
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    graph, plan = deployed_graph(read(candidate.model)), candidate.plan
    wanted = [Target("tflite", "float32"), *planned_files(plan)]
    signature = bench.signature
    common: dict[str, Any] = {"gate": Gate(), "seed": bench.seed, "device": bench.device}
    forms, progress = dict.fromkeys(wanted, graph), bench.progress
    found = measure_all(forms, signature, plan, samples, label="measuring", progress=progress, **common)
    rows = tuple(one.row() for one in found)
    if all(row.passed for row in rows) or not rows[0].passed or not rows[-1].precision.startswith("int"):
        return rows, ()
    other = measure(graph, signature, Target("tflite", "float16"), None, samples, **common)
    return rows, (other.row(),)
