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
from dltk.cli.interrupted import explain_how_to_resume
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
    help="A step, in order; can be repeated.  [default: steps that meet the limits, or without limits the "
    "recipe's plan]",
)
@click.option("--max-drop", metavar="X", help="Largest loss of the metric: 0.01 (on the scale 0..1), or 1%.")
@click.option("--max-size", metavar="S", help="Largest file: 300KB, 1.2MB, or 1/12 of the float32 file.")
@click.option("--max-download", metavar="S", help="Largest file after gzip -9, in the same form.")
@click.option("--max-latency", metavar="T", help="Longest p50 with one thread, on this machine or --host: 5ms.")
@click.option(
    "--confident", is_flag=True, help="Require the upper end of the 95% interval of the drop to meet --max-drop."
)
@click.option(
    "--trials",
    type=int,
    metavar="N",
    help="Most candidates that a search trains, if no cheap one meets the limits.  [default: 20]",
)
@click.option(
    "--control/--no-control",
    default=None,
    help="Also train the source for the same extra epochs, to compare.  [default: on with --step, off in a search]",
)
@click.option(
    "--run", "out", type=options.PATH, metavar="DIR", help="Folder of the new run.  [default: RUN-compressed]"
)
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

    RUN is not changed; the result is a new run, by default RUN-compressed. Sizes, latencies and metrics are measured
    on the emitted files, in their runtime.

    \b
    Steps and their main settings:
        distil:student=width:0.5           train a narrower student with the model as teacher
        channels:keep=0.7                  remove filters: smaller and faster
        prune:sparsity=0.5,epochs=4        weights to zero: a smaller download, not faster
        cluster:clusters=32                few distinct weights: a smaller download
        quantize:precision=int8            smaller and faster; ranges from calibration
        quantize:method=qat                the same, with quantization-aware training
        quantize:precision=float16         half the size
        quantize:precision=dynamic         int8 weights only

    With limits and no --step, dltk chooses the steps. It tries int8 from calibration, then with bias correction, then
    with the most sensitive layers in float, then quantization-aware training; the first of them that meets all limits
    is chosen. If none does, a search trains --trials candidates and chooses the smallest that meets them. Limits are
    checked on the validation split, with the first file of the plan. If no candidate meets them, the closest is kept
    and the exit code is 4.

    With --host, latency is measured on that machine, which needs Python 3.11, NumPy and a TFLite runtime; ssh must log
    in without a password. Everything else runs on this machine.

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
        raise UsageError("--host", "needs --max-latency", host, "Give --max-latency 5ms.")
    target = Path(out or f"{run}-compressed")
    try:
        with (
            explain_how_to_resume(lambda: target),
            _device(host, python) as device,
        ):  # before TensorFlow is loaded: it may be out of reach
            from dltk import workflows
            from dltk.workflows.compress import CompressOptions

            made = workflows.compress(
                run,
                steps=steps,
                limits=limits,
                options=CompressOptions(trials, control, device),
                out=out,
                resume=resume,
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
    """The machine that latency is measured on."""
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
    """The export command that will pass: of every file, of those that passed, or none."""
    export = f"dltk export {shlex.quote(str(path))}"
    if all(row.passed for row in rows):
        return [export]
    precisions = dict.fromkeys(row.precision for row in rows if row.passed)
    chosen = "".join(f" --precision {precision}" for precision in precisions)
    return [f"{export}{chosen}"] if chosen else []


def _notes(rows: Sequence[ArtifactRow]) -> list[str]:
    notes = [f"  {row.file}: {note}" for row in rows for note in row.notes]
    return ["There are too few test samples to decide:", *notes, ""] if notes else []


def _text(found: Mapping[str, Any], report: Report) -> str:
    from dltk.cli.searched import search_summary_text
    from dltk.workflows.measure import table

    lines = [f"{found['run']}: done", "", *(search_summary_text(report.search) if report.search else [])]
    for step in report.steps:
        lines.append(f"{step.name}: {len(step.changed)} layers changed, {len(step.skipped)} unchanged")
        reasons: dict[str, int] = {}
        for item in step.skipped:
            reasons[item.reason] = reasons.get(item.reason, 0) + 1
        lines += [f"    {count} x {reason}" for reason, count in sorted(reasons.items())]
    place = report.machine.get("host", "this machine")  # of a run that an older dltk made there is none
    lines += ["", f"Measured on the emitted files with one thread, on {place}:", table(report.artifacts), ""]
    lines += _notes(report.artifacts)
    following = [f"  {command}" for command in found["next"]]
    if found["passed"]:
        return "\n".join([*lines, "Next:", *following])
    return "\n".join([*lines, *_failed(report.artifacts), *_remedies(found, report)])


def _failed(rows: Sequence[ArtifactRow]) -> list[str]:
    reasons = [f"  {row.file}: {reason}" for row in rows for reason in row.reasons]
    return ["FAILED, and `dltk export` would refuse it:", *reasons, ""]


def _remedies(found: Mapping[str, Any], report: Report) -> list[str]:
    """What to do about files that failed, from the measurements."""
    from dltk.workflows.analysis import remedies

    lines = [f"  export only what passed:         {command}" for command in found["next"]]
    costs = remedies.metric_cost_by_step(report.bought)
    for name in dict.fromkeys(step.name for step in report.steps if step.name != "quantize"):
        if name in costs or not report.bought:
            cost = f", which cost {costs[name]}" if name in costs else ""
            lines.append(f"  take gentler steps:              a milder setting or more epochs in --step {name}{cost}")
    lines += [f"  quantize otherwise:              {words}" for words in remedies.passed_precision_lines(report.tried)]
    moved = remedies.gate_options(report.artifacts)
    lines += [f"  accept it, on the record:        dltk export {shlex.quote(found['run'])} {moved}"] if moved else []
    return ["What to do:", *lines] if lines else []
