"""`dltk compress`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dltk.base.errors import LimitError, UsageError
from dltk.cli import options
from dltk.cli.boundary import Unmet
from dltk.cli.console import progress
from dltk.cli.interrupted import resumable
from dltk.cli.usage import Keys, Suggesting

if TYPE_CHECKING:
    from dltk.edge.runtime.device import Device
    from dltk.report.schema import ArtifactRow, Report

__all__ = ["compress"]


def _keys(words: Sequence[str]) -> Keys:
    """The settings of every step."""
    from dltk.compress.steps import STEPS
    from dltk.recipe.settings import describe

    return [(f"--step {name}:", leaf) for name, step in STEPS.items() for leaf in describe(step.defaults)]


@click.command(cls=Suggesting, keys=_keys)
@click.argument("run", type=options.PATH)
@click.option(
    "--step",
    "steps",
    multiple=True,
    metavar="NAME[:KEY=VALUE,...]",
    help="A step to take, in order. When left out: what the limits need, or without limits the recipe's own plan.",
)
@click.option("--max-drop", metavar="X", help="Most that the metric may lose: 0.01 (a point of 0..1), or 1%.")
@click.option("--max-size", metavar="S", help="Largest file: 300KB, 1.2MB, or 1/12 of the float32 file.")
@click.option("--max-download", metavar="S", help="The same of the file after gzip -9.")
@click.option("--max-latency", metavar="T", help="Longest p50 with one thread, on this machine or --host: 5ms.")
@click.option("--confident", is_flag=True, help="The upper end of the drop's 95% interval must meet --max-drop.")
@click.option("--trials", type=int, metavar="N", help="Candidates a search may train, where cheap ones do not do; 20.")
@click.option(
    "--control/--no-control",
    default=None,
    help="Also train the source for the same extra epochs, to compare; on with steps, off in a search.",
)
@click.option("--run", "out", type=options.PATH, metavar="DIR", help="Folder of the run that is made.")
@options.resume
@options.host
@options.trust_recipe
@options.as_json
def compress(
    run: Path,
    steps: tuple[str, ...],
    max_drop: str | None,
    max_size: str | None,
    max_download: str | None,
    max_latency: str | None,
    confident: bool,
    trials: int | None,
    control: bool | None,
    out: Path | None,
    resume: bool,
    host: str | None,
    remote_python: str | None,
    trust_recipe: bool,
    as_json: bool,
) -> None:
    """Make the model in RUN smaller and faster.

    RUN is not touched; what comes out is a run again, RUN-compressed unless --run says otherwise. Sizes, latencies
    and figures are measured on the emitted files, in their runtime.

    \b
    Steps and their main settings:
        distil:student=width:0.5           a narrower student learns from the model
        channels:keep=0.7                  fewer filters: smaller and faster
        prune:sparsity=0.5,epochs=4        zeros: a smaller download, nothing faster
        cluster:clusters=32                few different weights: a smaller download
        quantize:precision=int8            smaller and faster; ranges from calibration
        quantize:method=qat                the same, trained with the rounding in place
        quantize:precision=float16         half the size
        quantize:precision=dynamic         int8 weights only

    With limits and no --step, dltk finds the steps: int8 from calibration, repaired, with the most sensitive layers
    left float, trained for int8, and then a search. The first of the cheap ones that meets all limits is taken; the
    search goes on for --trials and takes the smallest. Limits are judged on the validation split, by the first file
    of the plan. If none is met, the closest is kept and the exit code is 4.

    With --host, latencies are those of that machine, which needs Python 3.11, NumPy and a TFLite runtime; ssh must
    log in without a password. Everything else is done here.

    \b
    Example:
        dltk compress runs/digits --step prune:sparsity=0.5,epochs=10 --step quantize:precision=int8
        dltk compress runs/digits --max-drop 0.01 --max-size 300KB --run runs/digits-small
        dltk compress runs/digits --max-latency 5ms --host pi@raspberrypi --run runs/digits-fast
    """
    from dltk.search.limits import Limits

    limits = Limits.parse(
        max_drop=max_drop,
        max_size=max_size,
        max_download=max_download,
        max_latency=max_latency,
        confident=confident,
    )
    python = options.python_of(host, remote_python)
    if host is not None and limits.latency is None:
        raise UsageError("--host", "measures for --max-latency, which is not given", host, "Give --max-latency 5ms.")
    target = Path(out or f"{run}-compressed")
    try:
        with (
            resumable(lambda: target),
            _device(host, python) as device,
        ):  # before TensorFlow is loaded: it may be out of reach
            from dltk import workflows

            made = workflows.compress(
                run,
                steps=steps,
                limits=limits,
                trials=trials,
                control=control,
                out=out,
                resume=resume,
                device=device,
                trust_recipe=trust_recipe,
                progress=progress(),
            )
    except LimitError as fault:
        if not isinstance(fault.measured, dict) or "search" not in fault.measured:
            raise
        raise Unmet(fault, *_shown(target, fault.measured)) from fault
    options.show(*_shown(made.run.path, made.report), as_json)


@contextmanager
def _device(host: str | None, python: str) -> Iterator[Device]:
    """The machine that files are timed on."""
    from dltk.edge.runtime.device import THIS_MACHINE

    if host is None:
        yield THIS_MACHINE
        return
    from dltk.remote.host import connect

    with connect(host, python=python, progress=progress()) as there:
        there.require("tflite")  # what compress times
        yield there


def _shown(path: Path, measured: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """What is printed of a report: as JSON, and for a person."""
    from dltk.report.schema import Report

    report = Report.from_dict(measured, "report:")
    found = _found(path, report)
    return found, _text(found, report)


def _found(path: Path, report: Report) -> dict[str, Any]:
    passed = all(row.passed for row in report.artifacts)
    return {"run": str(path), **report.as_dict(), "passed": passed, "next": _next(path, report.artifacts)}


def _next(path: Path, rows: Sequence[ArtifactRow]) -> list[str]:
    """The export that will go through: of everything, of what passed, or none."""
    export = f"dltk export {shlex.quote(str(path))}"
    if all(row.passed for row in rows):
        return [export]
    precisions = dict.fromkeys(row.precision for row in rows if row.passed)
    chosen = "".join(f" --precision {precision}" for precision in precisions)
    return [f"{export}{chosen}"] if chosen else []


def _notes(rows: Sequence[ArtifactRow]) -> list[str]:
    notes = [f"  {row.file}: {note}" for row in rows for note in row.notes]
    return ["The test samples are too few to decide:", *notes, ""] if notes else []


def _text(found: Mapping[str, Any], report: Report) -> str:
    from dltk.cli.searched import searched_text
    from dltk.workflows.measure import table

    lines = [f"{found['run']}: done", "", *(searched_text(report.search) if report.search else [])]
    for step in report.steps:
        lines.append(f"{step.name}: {len(step.changed)} layers changed, {len(step.skipped)} left as they are")
        reasons: dict[str, int] = {}
        for item in step.skipped:
            reasons[item.reason] = reasons.get(item.reason, 0) + 1
        lines += [f"    {count} x {reason}" for reason, count in sorted(reasons.items())]
    place = report.machine.get("host", "this machine")  # of a run that an older dltk made there is none
    lines += ["", f"Measured on the files, one thread, on {place}:", table(report.artifacts), ""]
    lines += _notes(report.artifacts)
    following = [f"  {command}" for command in found["next"]]
    if found["passed"]:
        return "\n".join([*lines, "Next:", *following])
    return "\n".join([*lines, *_failed(report.artifacts), *_remedies(found, report)])


def _failed(rows: Sequence[ArtifactRow]) -> list[str]:
    reasons = [f"  {row.file}: {reason}" for row in rows for reason in row.reasons]
    return ["FAILED, and `dltk export` would refuse it:", *reasons, ""]


def _remedies(found: Mapping[str, Any], report: Report) -> list[str]:
    """What can be done about files that failed: what was tried, and what follows from what was measured."""
    from dltk.workflows.analysis import remedies

    lines = [f"  export only what passed:         {command}" for command in found["next"]]
    costs = remedies.costs(report.bought)
    for name in dict.fromkeys(step.name for step in report.steps if step.name != "quantize"):
        if name in costs or not report.bought:
            cost = f", which cost {costs[name]}" if name in costs else ""
            lines.append(f"  take gentler steps:              a milder setting or more epochs in --step {name}{cost}")
    lines += [f"  quantize otherwise:              {words}" for words in remedies.tried(report.tried)]
    moved = remedies.limits(report.artifacts)
    lines += [f"  accept it, on the record:        dltk export {shlex.quote(found['run'])} {moved}"] if moved else []
    return ["What can be done:", *lines] if lines else []
