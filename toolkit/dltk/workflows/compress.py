"""Take the steps of a compression on a Run; what comes out is a Run again, with its plan and its report."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.files import parse_json, read_capped, sha256, sweep, write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.compress.candidate import Candidate, Outcome, Workbench
from dltk.compress.plan import QuantizationPlan
from dltk.compress.steps import Planned, parse_steps
from dltk.data.dataset import Dataset
from dltk.edge.arrays import save_npz
from dltk.edge.manifest import PRECISIONS
from dltk.edge.signature import Signature
from dltk.export.emit import Target, targets
from dltk.models.save import keras_bytes
from dltk.run import Run
from dltk.validate import Gate
from dltk.workflows.finish import finish_run
from dltk.workflows.keras_file import open_keras
from dltk.workflows.measure import evaluation, measure, reference_outputs

__all__ = ["Compressed", "compress"]

_STATE = "compress"  # compress.json: what was asked for, so that --resume goes on with the same


@dataclass(frozen=True)
class Compressed:
    """The Run that came out, and the report: what each step changed, and what the files measure."""

    run: Run
    report: Mapping[str, Any]


def compress(
    run: str | Path,
    *,
    steps: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress = SILENT,
) -> Compressed:
    """Make the model in `run` smaller and faster; the source Run is not touched.

    Args:
        steps: `NAME[:KEY=VALUE,...]` in order; the recipe's own plan when empty.
        out: the new Run's folder; `RUN-compressed` when None.
        resume: go on with an interrupted compression: finished steps are not taken again.

    Raises:
        UsageError, InputError, StepOrderError: before any work, if steps or run do not fit.
        LimitError: if the loss of a step that trains becomes NaN.
    """
    source = Run.open(run)
    settings, signature = source.settings(), source.signature
    planned = parse_steps(tuple(steps) or settings.compress.steps)
    path = Path(out or f"{Path(run)}-compressed")
    asked = _asked(source, planned)
    started = _started(path, asked) if resume else None
    if started is None:
        Run.require_free(path)
    elif started.is_finished:
        progress.say(f"{path}: is finished already")
        return Compressed(started, started.read_json("report"))
    if source.quantization_path.is_file():
        raise InputError(run, "is quantized already", hint="Compress the run that it was made from.")
    task = tasks.task(source.recipe.task)
    dataset = _dataset(source, task, settings, progress)
    model = open_keras(source.model_path)
    made = started or Run.create(path)
    _describe(made, source, asked)
    bench = Workbench(
        source=model,
        dataset=dataset,
        signature=signature,
        seed=settings.seed,
        calibration=lambda count: task.calibration(
            dataset, count=count or settings.calibration.samples, seed=settings.seed
        ),
        checkpoint=made.checkpoints / "step.npz",
        augment=getattr(settings, "augment", None),
        resume=resume,
        progress=progress,
    )
    candidate, reports = _take(made, planned, Candidate(model), bench)
    report = {"source": str(source.path), "steps": reports}
    return _finish(made, source, task, candidate, bench, settings, report)


def _asked(source: Run, planned: Sequence[Planned]) -> dict[str, Any]:
    return {
        "model": sha256(source.model_path.read_bytes()),
        "steps": [step.as_dict() for step in planned],
    }


def _started(path: Path, asked: Mapping[str, Any]) -> Run | None:
    """The compression to go on with; None where it was killed before it began.

    Raises:
        InputError: if it was begun with other steps or another model.
    """
    if not (path / f"{_STATE}.json").is_file():
        return None
    sweep(path)
    begun = parse_json(read_capped(path / f"{_STATE}.json", 10_000_000), path)
    if begun != asked:
        hint = "Resume with the very same steps and source, or give another --run."
        raise InputError(path, "was begun with other steps or another model", hint=hint)
    return Run(path)


def _dataset(source: Run, task: tasks.Task, settings: Any, progress: Progress) -> Dataset:
    dataset = task.prepare(settings, source.data_source, progress=progress)
    if dataset.digest != source.read_json("data").get("digest"):
        hint = "Put the old data back: the test samples would no longer be unseen ones."
        raise InputError(source.data_source, "must still be the data the run was made with", "changed samples", hint)
    return dataset


def _describe(made: Run, source: Run, asked: Mapping[str, Any]) -> None:
    made.write_json(_STATE, dict(asked))  # first: with it the folder can be resumed
    for name in ("recipe.json", "recipe.py", "data.json", "notes.json"):
        if (source.path / name).is_file():
            write_atomic(made.path / name, (source.path / name).read_bytes())


def _take(
    made: Run, planned: Sequence[Planned], candidate: Candidate, bench: Workbench
) -> tuple[Candidate, list[dict[str, Any]]]:
    """Step after step; each one that changed weights leaves its model, so that a resumed run starts behind it."""
    reports = []
    folder = made.path / "steps"
    for number, step in enumerate(planned):
        kept, told = folder / f"{number}-{step.name}.keras", folder / f"{number}-{step.name}.json"
        if told.is_file() and kept.is_file():
            bench.progress.say(f"{step.name}: is done already")
            candidate = Candidate(open_keras(kept))
            reports.append(parse_json(read_capped(told, 64_000_000), told))
            continue
        outcome = step.apply(candidate, bench)
        for warning in outcome.warnings:
            bench.progress.warn(warning)
        reports.append(_report(step, outcome))
        if outcome.candidate.model is not candidate.model:
            write_atomic(kept, keras_bytes(outcome.candidate.model))
            made.write_json(f"steps/{told.stem}", reports[-1])
            bench.checkpoint.unlink(missing_ok=True)
        candidate = outcome.candidate
    return candidate, reports


def _report(step: Planned, outcome: Outcome) -> dict[str, Any]:
    return step.as_dict() | {
        "changed": list(outcome.changed),
        "skipped": [{"layer": item.layer, "reason": item.reason} for item in outcome.skipped],
        "figures": dict(outcome.figures),
        "warnings": list(outcome.warnings),
    }


def _finish(
    made: Run,
    source: Run,
    task: tasks.Task,
    candidate: Candidate,
    bench: Workbench,
    settings: Any,
    report: dict[str, Any],
) -> Compressed:
    """Measure what came out, on its files, and leave a finished Run; the metrics are written last."""
    raws, targets_found = source.evaluation()
    save_npz(made.evaluation_path, {"raws": raws, "targets": targets_found})
    _keep_baseline(made, source, bench, raws)
    if candidate.plan is not None:
        candidate.plan.save(made.quantization_path)
    write_atomic(made.model_path, keras_bytes(candidate.model))
    report["artifacts"] = _measured(made, candidate, bench.signature, settings, bench.progress)
    made.write_json("report", report)
    shutil.rmtree(made.checkpoints, ignore_errors=True)
    if candidate.model is bench.source:  # no weight changed: the float figures are the source's
        made.write_json("signature", bench.signature.as_dict())
        made.write_json("metrics", source.read_json("metrics"))
    else:
        finish_run(made, task, candidate.model, bench.dataset, bench.signature, settings, progress=bench.progress)
    return Compressed(made, report)


def _keep_baseline(made: Run, source: Run, bench: Workbench, raws: Any) -> None:
    """Answers of the first float32 model of the line: drops are counted from there."""
    if source.baseline_path.is_file():
        write_atomic(made.baseline_path, source.baseline_path.read_bytes())
        return
    outputs = reference_outputs(bench.source, raws, bench.signature, progress=bench.progress)
    save_npz(made.baseline_path, outputs)


def _measured(
    made: Run, candidate: Candidate, signature: Signature, settings: Any, progress: Progress
) -> list[dict[str, Any]]:
    """float32 and what the plan makes of it, as TFLite files; nothing is refused here, only told."""
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    graph, plan = deployed(read(candidate.model)), candidate.plan
    wanted = [Target("tflite", "float32"), *_planned_files(plan, made)]
    samples = evaluation(made, candidate.model, signature, progress=progress)
    rows = []
    with progress.bar("measuring", len(wanted)) as bar:
        for target in wanted:
            found = measure(graph, signature, target, plan, samples, gate=Gate(), seed=settings.seed)
            rows.append(found.row())
            bar.advance(1, target.file)
    return rows


def _planned_files(plan: QuantizationPlan | None, made: Run) -> list[Target]:
    if plan is None or plan.precision not in PRECISIONS:
        return []
    return list(targets(("tflite",), (plan.precision,), plan, made.path))
