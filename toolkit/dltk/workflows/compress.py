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
from dltk.base.files import parse_json, read_capped, sha256, sweep_tree, write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned, parse_steps
from dltk.data.dataset import Dataset
from dltk.edge.bundle.arrays import save_npz
from dltk.edge.runtime.device import THIS_MACHINE, Device
from dltk.export.emit import Target, left_float
from dltk.models.files.keras_file import open_keras
from dltk.models.files.save import keras_bytes
from dltk.report.schema import ArtifactRow, Report
from dltk.run import Run
from dltk.search.limits import Limits
from dltk.validate import Gate
from dltk.workflows.analysis.findings import findings
from dltk.workflows.chain import Chain
from dltk.workflows.finish import finish_run, refreshed
from dltk.workflows.measure import evaluation, line, measure, planned_files, reference_outputs
from dltk.workflows.preflight import require_place, require_training_packages
from dltk.workflows.search import Search, misses_on_test, require_decidable, require_met

__all__ = ["Compressed", "compress"]

Files = tuple[ArtifactRow, ...]
_TRIALS = 20
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
    limits: Limits | None = None,
    trials: int | None = None,
    control: bool | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: Device = THIS_MACHINE,
    trust_recipe: bool = False,
    progress: Progress = SILENT,
) -> Compressed:
    """Make the model in `run` smaller and faster; the source Run is not touched.

    Args:
        steps: `NAME[:KEY=VALUE,...]` in order; without limits, the recipe's own plan when empty.
        limits: find steps that meet these; together with `steps`: take those, and say whether they do.
        trials: candidates that a search may make beyond its cheap stages; 20 when None.
        control: also train the source for the epochs that the steps took, to compare; with steps only when None.
        out: the new Run's folder; `RUN-compressed` when None.
        resume: go on with an interrupted compression: finished steps and candidates are not made again.
        device: the machine that files are timed on: this one, or one of `dltk.remote.host.connect`.
        trust_recipe: code that `run` names may be executed: its own recipe.py, a recipe file in its plan, the module
            of its environment. Otherwise only recipe files that `steps` name are.

    Raises:
        UsageError, InputError, StepOrderError: before any work, if steps, limits or run do not fit.
        LimitError: if no candidate meets the limits: the closest is the Run then, and `measured` its report. Also if
            the loss of a step that trains becomes NaN.
    """
    limits = limits or Limits()
    _check_trials(trials, bool(limits) and not steps)
    planned = parse_steps(tuple(steps))
    source = Run.open(run, trust_recipe=trust_recipe)
    settings = source.settings()
    planned = planned or parse_steps(() if limits else settings.compress.steps)
    path = Path(out or f"{Path(run)}-compressed")
    asked = _asked(source, planned, limits, device)
    started = _started(path, asked) if resume else None
    if started is None:
        Run.require_free(path)
    elif started.is_finished:
        progress.say(f"{path}: is finished already")
        return _within(started, Report.of(started) or Report())
    if source.quantization_path.is_file():
        raise InputError(run, "is quantized already", hint="Compress the run that it was made from.")
    require_place(path, 2 * os.path.getsize(source.model_path))
    require_training_packages()
    task, made = tasks.task(source.task), started or Run(path)
    bench = replace(
        _workbench(source, task, made, settings, resume, progress),
        device=device,
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
        planned, candidate, found = _taken(made, bench, search, planned, texts=steps, trials=trials)
        report = replace(found, source=str(source.path), machine=dict(device.machine))
        compares = bool(steps) or not limits if control is None else control
        report = _finish(made, source, task, candidate, bench, settings, report, planned, control=compares)
        if search is not None:
            search.clear()
    return _within(made, report)


def _taken(
    made: Run,
    bench: Workbench,
    search: Search | None,
    planned: tuple[Planned, ...],
    *,
    texts: Sequence[str],
    trials: int | None,
) -> tuple[tuple[Planned, ...], Candidate, Report]:
    """The steps that were asked for in `texts`, or else found; what they made, and what the report says of both."""
    if search is not None and not texts:
        best = search.find(_TRIALS if trials is None else trials)
        return tuple(best.planned), best.candidate, Report(steps=tuple(best.reports), search=search.told(best.found))
    candidate, reports = Chain(made.path / "steps", bench).take(planned)
    told = None if search is None else search.told(search.judge(texts, candidate))
    return planned, candidate, Report(steps=tuple(reports), search=told)


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


def _check_trials(trials: int | None, searches: bool) -> None:
    if trials is not None and not searches:
        hint = "For example --max-drop 0.01 --trials 10, without --step."
        raise UsageError("--trials", "bounds a search, and there is none without limits or with steps", trials, hint)
    if trials is not None and trials < 0:
        raise UsageError("--trials", "must be 0 or more", trials)


def _within(run: Run, report: Report) -> Compressed:
    require_met(run, report)
    return Compressed(run, report.as_dict())


def _asked(source: Run, planned: Sequence[Planned], limits: Limits, device: Device) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "model": sha256(read_capped(source.model_path)),
        "steps": [step.as_dict() for step in planned],
    }
    if limits.latency is not None:  # times of two machines cannot be compared; how many threads are free may change
        asked["machine"] = {key: value for key, value in device.machine.items() if key != "threads"}
    return asked | ({"limits": limits.as_dict()} if limits else {})


def _started(path: Path, asked: Mapping[str, Any]) -> Run | None:
    """The compression to go on with; None where it was killed before it began.

    Raises:
        InputError: if it was begun with other steps, limits or another model.
    """
    if not (path / f"{_STATE}.json").is_file():
        return None
    sweep_tree(path)
    begun = parse_json(read_capped(path / f"{_STATE}.json", 10_000_000), path)
    machine, device = (told.get("machine") for told in (begun, asked))
    if machine != device and begun == {**asked, "machine": machine}:
        hint = "Resume on that machine, with the same --host, or give another --run."
        raise InputError(path, f"was begun with times of {_named(machine)}", _named(device), hint)
    if begun != asked:
        hint = "Resume with the very same steps, limits and source, or give another --run."
        raise InputError(path, "was begun with other steps or another model", hint=hint)
    return Run(path)


def _named(machine: Any) -> str:
    return f"{machine.get('host', 'this machine')}: {machine.get('cpu')} {' '.join(machine.get('instructions', ()))}"


def _dataset(source: Run, task: tasks.Task, settings: Any, progress: Progress) -> Dataset:
    dataset = task.prepare(settings, source.openable_source, progress=progress)
    if dataset.digest != source.data.get("digest"):
        hint = "Put the old data back: the test samples would no longer be unseen ones."
        raise InputError(source.data_source, "must still be the data the run was made with", "changed samples", hint)
    return dataset


def _describe(made: Run, source: Run, asked: Mapping[str, Any]) -> None:
    made.write_json(_STATE, dict(asked))  # first: with it the folder can be resumed
    for name in ("recipe.json", "recipe.py", "data.json", "notes.json"):
        if (source.path / name).is_file():
            write_atomic(made.path / name, read_capped(source.path / name))


def _finish(
    made: Run,
    source: Run,
    task: tasks.Task,
    candidate: Candidate,
    bench: Workbench,
    settings: Any,
    report: Report,
    planned: Sequence[Planned],
    *,
    control: bool,
) -> Report:
    """Measure what came out, on its files, and leave a finished Run; the metrics are written last."""
    raws, targets_found = source.evaluation()
    save_npz(made.evaluation_path, {"raws": raws, "targets": targets_found})
    _keep_baseline(made, source, bench, raws)
    if candidate.plan is not None:
        candidate.plan.save(made.quantization_path)
    write_atomic(made.model_path, keras_bytes(candidate.model))
    artifacts, tried = _measured(made, candidate, bench)
    report = replace(report, artifacts=artifacts, tried=tried)
    if report.search is not None:
        report = replace(report, search=replace(report.search, misses_on_test=misses_on_test(report.search, artifacts)))
    report = findings(made, source, candidate, bench, planned, report, control=control)
    made.write_json("report", report.as_dict())
    shutil.rmtree(made.checkpoints, ignore_errors=True)
    if candidate.model is bench.source:  # no weight changed: the float figures are the source's
        made.write_signature(bench.signature)
        made.write_json("metrics", source.read_json("metrics"))
    else:
        finish_run(made, task, candidate.model, bench.dataset, bench.signature, settings, progress=bench.progress)
    return report


def _keep_baseline(made: Run, source: Run, bench: Workbench, raws: Any) -> None:
    """Answers of the first float32 model of the line: drops are counted from there."""
    if source.baseline_path.is_file():
        write_atomic(made.baseline_path, read_capped(source.baseline_path))
        return
    outputs = reference_outputs(bench.source, raws, bench.signature, progress=bench.progress)
    save_npz(made.baseline_path, outputs)


def _measured(made: Run, candidate: Candidate, bench: Workbench) -> tuple[Files, Files]:
    """float32 and what the plan makes of it, as TFLite files; nothing is refused here, only told.

    Where integers alone fail, float16 is tried: what may be advised is known then.

    Returns:
        (rows of the files, rows of what was tried).
    """
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed

    graph, plan = deployed(read(candidate.model)), candidate.plan
    wanted = [Target("tflite", "float32"), *planned_files(plan)]
    signature, samples = bench.signature, evaluation(made, candidate.model, bench.signature, progress=bench.progress)
    common: dict[str, Any] = {"gate": Gate(), "seed": bench.seed, "device": bench.device}
    rows: list[ArtifactRow] = []
    with bench.progress.bar("measuring", len(wanted)) as bar:
        for target in wanted:
            rows.append(measure(graph, signature, target, plan, samples, **common).row())
            bar.advance(1, target.file)
            bench.progress.say(line(rows[-1]))
    if all(row.passed for row in rows) or not rows[0].passed or not rows[-1].precision.startswith("int"):
        return tuple(rows), ()
    other = measure(graph, signature, Target("tflite", "float16"), None, samples, **common)
    return tuple(rows), (other.row(),)
