"""Take the steps of a compression on a Run; what comes out is a Run again, with its plan and its report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dltk import tasks
from dltk.base.cache.entries import using
from dltk.base.errors import InputError, UsageError
from dltk.base.files import read_capped, write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned, parse_steps
from dltk.data.dataset import Dataset
from dltk.edge.bundle.arrays import save_npz
from dltk.edge.runtime.device import THIS_MACHINE, Device
from dltk.export.emit import Target, left_float
from dltk.models.files.keras_file import open_keras
from dltk.models.files.save import keras_bytes
from dltk.run import Run
from dltk.search.limits import Limits
from dltk.validate import Gate
from dltk.workflows.analysis.findings import findings
from dltk.workflows.chain import Chain
from dltk.workflows.finish import finish_run, refreshed
from dltk.workflows.measure import evaluation, line, measure, planned_files, reference_outputs
from dltk.workflows.preflight import require_place, require_training_packages
from dltk.workflows.resume import STATE, asked_for, started_with
from dltk.workflows.search import Search, misses_on_test, require_decidable, require_met

__all__ = ["CompressOptions", "Compressed", "compress"]

_TRIALS = 20


@dataclass(frozen=True)
class CompressOptions:
    """How a compression goes about it.

    Attributes:
        trials: candidates that a search may make beyond its cheap stages; 20 when None.
        control: also train the source for the epochs that the steps took, to compare; with steps only when None.
        device: the machine that files are timed on: this one, or one of `dltk.remote.host.connect`.
    """

    trials: int | None = None
    control: bool | None = None
    device: Device = THIS_MACHINE

    def require_fit(self, *, searches: bool) -> None:
        """Raise UsageError if `trials` is no number of candidates, or bounds a search where there is none."""
        if self.trials is not None and not searches:
            rule, hint = "bounds a search, and there is none without limits or with steps", "without --step."
            raise UsageError("--trials", rule, self.trials, f"For example --max-drop 0.01 --trials 10, {hint}")
        if self.trials is not None and self.trials < 0:
            raise UsageError("--trials", "must be 0 or more", self.trials)


@dataclass(frozen=True)
class Compressed:
    """The Run that came out, and the report: what each step changed, and what the files measure."""

    run: Run
    report: Mapping[str, Any]


def compress(
    run: str | Path,
    *,
    steps: Sequence[str] = (),
    limits: Limits | None = None,
    options: CompressOptions | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    trust_recipe: bool = False,
    progress: Progress = SILENT,
) -> Compressed:
    """Make the model in `run` smaller and faster; the source Run is not touched.

    Args:
        steps: `NAME[:KEY=VALUE,...]` in order; without limits, the recipe's own plan when empty.
        limits: find steps that meet these; together with `steps`: take those, and say whether they do.
        options: how long a search may take, what is measured beside the steps, and where files are timed.
        out: the new Run's folder; `RUN-compressed` when None.
        resume: go on with an interrupted compression: finished steps and candidates are not made again.
        trust_recipe: code that `run` names may be executed: its own recipe.py, a recipe file in its plan, the module
            of its environment. Otherwise only recipe files that `steps` name are.

    Raises:
        UsageError, InputError, StepOrderError: before any work, if steps, limits or run do not fit.
        LimitError: if no candidate meets the limits: the closest is the Run then, and `measured` its report. Also if
            the loss of a step that trains becomes NaN.
    """
    limits, options = limits or Limits(), options or CompressOptions()
    options.require_fit(searches=bool(limits) and not steps)
    planned = parse_steps(tuple(steps))
    source = Run.open(run, trust_recipe=trust_recipe)
    settings = source.settings()
    planned = planned or parse_steps(() if limits else settings.compress.steps)
    path = Path(out or f"{Path(run)}-compressed")
    asked = asked_for(source, planned, limits, options.device)
    started = started_with(path, asked) if resume else None
    if started is None:
        Run.require_free(path)
    elif started.is_finished:
        progress.say(f"{path}: is finished already")
        return _within(Compressed(started, started.read_json("report")))
    if source.quantization_path.is_file():
        raise InputError(run, "is quantized already", hint="Compress the run that it was made from.")
    require_place(path, 2 * os.path.getsize(source.model_path))
    require_training_packages()
    task, made = tasks.task(source.task), started or Run(path)
    bench = replace(
        _workbench(source, task, made, settings, resume, progress),
        device=options.device,
        students=_students(planned, steps, trust_recipe),
    )
    search = Search(made, task, bench, limits) if limits else None
    if search is not None:
        require_decidable(limits, bench)
    if started is None:
        Run.create(path)
    with made.alone(), using(settings.data):
        if started is None:
            Run.require_free(path)  # still: another may have begun it before this one had it alone
        _describe(made, source, asked)
        planned, candidate, found = _taken(made, bench, search, planned, texts=steps, trials=options.trials)
        report = {"source": str(source.path), "machine": dict(options.device.machine), **found}
        compares = bool(steps) or not limits if options.control is None else options.control
        done = _finish(made, source, candidate, bench, settings, report, planned, control=compares)
        if search is not None:
            search.clear()
    return _within(done)


def _taken(
    made: Run,
    bench: Workbench,
    search: Search | None,
    planned: tuple[Planned, ...],
    *,
    texts: Sequence[str],
    trials: int | None,
) -> tuple[tuple[Planned, ...], Candidate, dict[str, Any]]:
    """The steps that were asked for in `texts`, or else found; what they made, and what the report says of both."""
    if search is not None and not texts:
        best = search.find(_TRIALS if trials is None else trials)
        return tuple(best.planned), best.candidate, {"steps": best.reports, "search": search.told(best.found)}
    candidate, reports = Chain(made.path / "steps", bench).take(planned)
    told = {} if search is None else {"search": search.told(search.judge(texts, candidate))}
    return planned, candidate, {"steps": reports, **told}


def _workbench(source: Run, task: tasks.Task, made: Run, settings: Any, resume: bool, progress: Progress) -> Workbench:
    dataset = _dataset(source, task, settings, progress)  # before TensorFlow is loaded, which takes its time
    model = open_keras(source.model_path)
    dataset = refreshed(task, model, dataset, source.signature, settings)
    return Workbench(
        source=model,
        dataset=dataset,
        signature=source.signature,
        seed=settings.seed,
        calibration=lambda count: task.calibration(
            dataset, count=count or settings.calibration.samples, seed=settings.seed
        ),
        checkpoint=made.checkpoints / "step.npz",
        open_model=open_keras,
        left_float=lambda graph, plan: left_float(graph, source.signature, plan),
        augment=getattr(settings, "augment", None),
        resume=resume,
        progress=progress,
    )


def _students(planned: Sequence[Planned], typed: Sequence[str], trusts: bool) -> frozenset[str] | None:
    """The students whose recipe may be a file: those that the user typed; None: all. A run must not run code."""
    if trusts:
        return None
    return frozenset(step.settings.student for step in planned if typed and step.name == "distil")


def _within(done: Compressed) -> Compressed:
    require_met(done.run, done.report)
    return done


def _dataset(source: Run, task: tasks.Task, settings: Any, progress: Progress) -> Dataset:
    dataset = task.prepare(settings, source.openable_source, progress=progress)
    if dataset.digest != source.data.get("digest"):
        hint = "Put the old data back: the test samples would no longer be unseen ones."
        raise InputError(source.data_source, "must still be the data the run was made with", "changed samples", hint)
    return dataset


def _describe(made: Run, source: Run, asked: Mapping[str, Any]) -> None:
    made.write_json(STATE, dict(asked))  # first: with it the folder can be resumed
    for name in ("recipe.json", "recipe.py", "data.json", "notes.json"):
        if (source.path / name).is_file():
            write_atomic(made.path / name, read_capped(source.path / name))


def _finish(
    made: Run,
    source: Run,
    candidate: Candidate,
    bench: Workbench,
    settings: Any,
    report: dict[str, Any],
    planned: Sequence[Planned],
    *,
    control: bool,
) -> Compressed:
    """Measure what came out, on its files, and leave a finished Run; the metrics are written last."""
    raws, targets_found = source.evaluation()
    save_npz(made.evaluation_path, {"raws": raws, "targets": targets_found})
    _keep_baseline(made, source, bench, raws)
    if candidate.plan is not None:
        candidate.plan.save(made.quantization_path)
    write_atomic(made.model_path, keras_bytes(candidate.model))
    report |= _measured(made, candidate, bench)
    if "search" in report:
        report["search"]["misses_on_test"] = misses_on_test(report)
    report |= findings(made, source, candidate, bench, planned, report, control=control)
    made.write_json("report", report)
    shutil.rmtree(made.checkpoints, ignore_errors=True)
    if candidate.model is bench.source:  # no weight changed: the float figures are the source's
        made.write_signature(bench.signature)
        made.write_json("metrics", source.read_json("metrics"))
    else:
        task = tasks.task(source.task)
        finish_run(made, task, candidate.model, bench.dataset, bench.signature, settings, progress=bench.progress)
    return Compressed(made, report)


def _keep_baseline(made: Run, source: Run, bench: Workbench, raws: Any) -> None:
    """Answers of the first float32 model of the line: drops are counted from there."""
    if source.baseline_path.is_file():
        write_atomic(made.baseline_path, read_capped(source.baseline_path))
        return
    outputs = reference_outputs(bench.source, raws, bench.signature, progress=bench.progress)
    save_npz(made.baseline_path, outputs)


def _measured(made: Run, candidate: Candidate, bench: Workbench) -> dict[str, Any]:
    """float32 and what the plan makes of it, as TFLite files; nothing is refused here, only told.

    Where integers alone fail, float16 is tried: what may be advised is known then.

    Returns:
        {"artifacts": rows, and where it was tried "tried": rows}.
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    graph, plan = deployed(read(candidate.model)), candidate.plan
    wanted = [Target("tflite", "float32"), *planned_files(plan)]
    signature, samples = bench.signature, evaluation(made, candidate.model, bench.signature, progress=bench.progress)
    common: dict[str, Any] = {"gate": Gate(), "seed": bench.seed, "device": bench.device}
    rows = []
    with bench.progress.bar("measuring", len(wanted)) as bar:
        for target in wanted:
            rows.append(measure(graph, signature, target, plan, samples, **common).row())
            bar.advance(1, target.file)
            bench.progress.say(line(rows[-1]))
    if all(row["passed"] for row in rows) or not rows[0]["passed"] or not rows[-1]["precision"].startswith("int"):
        return {"artifacts": rows}
    other = measure(graph, signature, Target("tflite", "float16"), None, samples, **common)
    return {"artifacts": rows, "tried": [other.row()]}
