"""Take the steps of a compression on a Run; what comes out is a Run again, with its plan and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dltk.base.cache.entries import using
from dltk.base.errors import UsageError
from dltk.base.progress import SILENT, Progress
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned
from dltk.edge.runtime.device import THIS_MACHINE, Device
from dltk.report.schema import Report
from dltk.run import Run
from dltk.search.limits import Limits
from dltk.workflows.compressing.chain import Chain
from dltk.workflows.compressing.compressed import Compressed, finish_compressed
from dltk.workflows.compressing.search import Search, require_decidable, require_met
from dltk.workflows.compressing.source import Source, started_with

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
            rule, hint = "limits a search, which needs limits and no --step", "without --step."
            raise UsageError("--trials", rule, self.trials, f"For example --max-drop 0.01 --trials 10, {hint}")
        if self.trials is not None and self.trials < 0:
            raise UsageError("--trials", "must be 0 or more", self.trials)


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
        limits: find steps that meet these; together with `steps`: use those, and report whether they do.
        options: how long a search may take, what is measured beside the steps, and where files are timed.
        out: the new Run's folder; `RUN-compressed` when None.
        resume: continue an interrupted compression: finished steps and candidates are not repeated.
        trust_recipe: code that `run` names may be executed: its own recipe.py, a recipe file in its plan, the module
            of its environment. Otherwise only recipe files that `steps` name are.

    Raises:
        UsageError, InputError, StepOrderError: before any work, if steps, limits or run do not fit.
        LimitError: if no candidate meets the limits: the closest is the Run then, and `measured` its report. Also if
            the loss of a step that trains becomes NaN.
    """
    limits, options = limits or Limits(), options or CompressOptions()
    options.require_fit(searches=bool(limits) and not steps)
    source = Source.open(run, steps, limits, options.device, trust_recipe=trust_recipe)
    planned = source.planned
    path = Path(out or f"{Path(run)}-compressed")
    started = started_with(path, source.asked) if resume else None
    if started is None:
        Run.require_free(path)
    elif started.is_finished:
        progress.log(f"{path}: is finished already")
        return _within(started, Report.of(started) or Report())
    made = started or Run(path)
    # Students whose recipe may be a file to run: those that the user typed, since a run must not run code; None: any.
    typed = frozenset(step.settings.student for step in planned if steps and step.name == "distil")
    bench = replace(
        source.workbench(made, resume=resume, progress=progress),
        device=options.device,
        students=None if trust_recipe else typed,
    )
    search = Search(made, source.task, bench, limits) if limits else None
    if search is not None:
        require_decidable(limits, bench)
    if started is None:
        Run.create(path)
    with made.alone(), using(source.settings.data):
        if started is None:
            Run.require_free(path)  # still: another may have begun it before this one had it alone
        made.inherit(source.run, source.asked)
        planned, candidate, found = _run_or_search(made, bench, search, planned, texts=steps, trials=options.trials)
        compares = bool(steps) or not limits if options.control is None else options.control
        report = finish_compressed(made, source, candidate, bench, found, planned, control=compares)
        if search is not None:
            search.clear()
    return _within(made, report)


def _run_or_search(
    made: Run,
    bench: Workbench,
    search: Search | None,
    planned: tuple[Planned, ...],
    *,
    texts: Sequence[str],
    trials: int | None,
) -> tuple[tuple[Planned, ...], Candidate, Report]:
    """The steps that were asked for in `texts`, or else found; what they made, and their entries in the report."""
    if search is not None and not texts:
        best = search.find(_TRIALS if trials is None else trials)
        return (
            tuple(best.planned),
            best.candidate,
            Report(steps=tuple(best.reports), search=search.as_report(best.found)),
        )
    candidate, reports = Chain(made.path / "steps", bench).take(planned)
    told = None if search is None else search.as_report(search.judge(texts, candidate))
    return planned, candidate, Report(steps=tuple(reports), search=told)


def _within(run: Run, report: Report) -> Compressed:
    require_met(run, report)
    return Compressed(run, report.as_dict())
