"""The search: propose candidates, measure them, choose the best; it always returns the best one so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.base.errors import DltkError, EnvironmentFault, InputError, UsageError
from dltk.base.progress import SILENT, Progress
from dltk.search.ledger import Ledger
from dltk.search.limits import Bounds
from dltk.search.plans import FLOAT16, Proposal, cheap_plans, misses_drop_only
from dltk.search.space import Space
from dltk.search.study import open_study
from dltk.search.trial import Trial

__all__ = ["SearchResult", "CandidateMaker", "SEARCH", "run_search", "best_trial", "pareto_front"]

SEARCH = "search"  # the stage that --trials counts
_LAST = "half precision"
_WORST = 1e6


@dataclass(frozen=True)
class CandidateMaker:
    """What a search needs of the Run that it works in.

    Attributes:
        evaluate: steps -> measurements of the emitted file, on the validation split. It raises DltkError if the
        candidate cannot be made.
        keep: called with the steps of the best candidate so far: files of the others may be removed.
        sensitive: names of layers, the one that int8 hurts most first.
        trains: whether there are targets to train toward.
    """

    evaluate: Callable[[tuple[str, ...]], Mapping[str, Any]]
    keep: Callable[[tuple[str, ...]], None]
    sensitive: Callable[[], Sequence[str]]
    trains: bool


@dataclass(frozen=True)
class SearchResult:
    """The result of a search.

    Attributes:
        chosen: meets all limits, or where none does, comes closest.
        front: numbers of the trials on the Pareto front of drop, download, p50 and size.
    """

    bounds: Bounds
    trials: tuple[Trial, ...]
    chosen: Trial
    met: bool
    front: tuple[int, ...]


def run_search(
    bounds: Bounds,
    maker: CandidateMaker,
    ledger: Ledger,
    *,
    study: Path,
    trials: int,
    seed: int,
    progress: Progress = SILENT,
) -> SearchResult:
    """The first candidate of the cheap stages that meets all limits, or else the best of a search.

    Args:
        ledger: what was tried before is not tried again.
        study: file of the optuna study.
        trials: most candidates of the search, in addition to those of the cheap stages.

    Raises:
        InputError: if not one candidate can be made.
    """
    session = _Session(bounds, maker, ledger, progress)
    if ledger.trials:
        progress.log(f"{len(ledger.trials)} candidates are done already")
    if not session.cheap():
        session.refuse_hopeless()
        session.explore(study, trials, seed)
        if not session.met() and session.loses_too_much():
            session.judge(Proposal(_LAST, FLOAT16))
    return best_trial(bounds, ledger)


def best_trial(bounds: Bounds, ledger: Ledger) -> SearchResult:
    """The result: the best of the finished trials.

    Raises:
        InputError: if none could be made.
    """
    made = [trial for trial in ledger.trials if trial.measures is not None]
    if not made:
        error = ledger.trials[0].error if ledger.trials else "none was tried"
        raise InputError("compress", "no candidate could be made", error)
    points = [trial.measures.point() for trial in made if trial.measures is not None]
    chosen = min(made, key=lambda trial: _rank(trial, bounds))
    front = tuple(made[place].number for place in pareto_front(points))
    return SearchResult(bounds, ledger.trials, chosen, _meets(chosen, bounds), front)


class _Session:
    """One search under way."""

    def __init__(self, bounds: Bounds, maker: CandidateMaker, ledger: Ledger, progress: Progress) -> None:
        self._bounds, self._maker, self._ledger, self._progress = bounds, maker, ledger, progress

    def cheap(self) -> bool:
        """Try what is cheap until something meets the limits; whether something does."""
        plans = cheap_plans(self._bounds, self._maker.sensitive, trains=self._maker.trains)
        proposal = next(plans)
        while True:
            trial, _ = self.judge(proposal)
            if _meets(trial, self._bounds):
                return True
            try:
                proposal = plans.send(trial)
            except StopIteration:
                return False

    def refuse_hopeless(self) -> None:
        """Raise InputError where int8 itself is refused: nothing that the search could do changes that."""
        if all(trial.row is None for trial in self._ledger.trials):
            best_trial(self._bounds, self._ledger)

    def explore(self, path: Path, trials: int, seed: int) -> None:
        """Search, for what meets the limits at the lowest cost."""
        sensitive = self._maker.sensitive() if "drop" in self._bounds.limited() and trials else ()
        space = Space.of(self._bounds, sensitive, trains=self._maker.trains)
        if not space.knobs or not trials:
            return
        with open_study(path, space, seed=seed) as study:
            study.explore(
                lambda steps: self.judge(Proposal(SEARCH, steps)),
                lambda trial: _value(trial, self._bounds),
                lambda: sum(trial.stage == SEARCH for trial in self._ledger.trials) < trials,
            )

    def judge(self, proposal: Proposal) -> tuple[Trial, bool]:
        """The proposal's trial, and whether it was made now."""
        known = self._ledger.find(proposal.steps)
        if known is not None:
            return known, False
        row, error = None, ""
        try:
            row = self._maker.evaluate(proposal.steps)
        except (EnvironmentFault, UsageError):
            raise
        except DltkError as fault:
            error = str(fault)
        trial = self._ledger.add(proposal.stage, proposal.steps, row, error)
        self._progress.log(_line(trial, self._bounds))
        best = min(self._ledger.trials, key=lambda trial: _rank(trial, self._bounds))
        if best.row is not None:
            self._maker.keep(best.steps)
        return trial, True

    def loses_too_much(self) -> bool:
        """Whether something is small and fast enough and misses the drop alone: then larger may still do."""
        return any(misses_drop_only(self._bounds, trial) for trial in self._ledger.trials)

    def met(self) -> bool:
        """Whether something meets all limits."""
        return any(_meets(trial, self._bounds) for trial in self._ledger.trials)


def _meets(trial: Trial, bounds: Bounds) -> bool:
    return trial.measures is not None and not bounds.misses(trial.measures)


def _rank(trial: Trial, bounds: Bounds) -> tuple[float, ...]:
    """Less is better: failed, how far from the limits, cost, harm, and who was first."""
    found = trial.measures
    if found is None:
        return (1.0, 0.0, 0.0, 0.0, trial.number)
    return (0.0, bounds.distance(found), bounds.cost(found), found.harm, trial.number)


def _value(trial: Trial, bounds: Bounds) -> float:
    """What the search makes small: below 1 the cost of one that meets the limits, above 1 how far another is."""
    if trial.measures is None:
        return _WORST
    distance = bounds.distance(trial.measures)
    return min(1.0 + distance, _WORST) if distance else min(bounds.cost(trial.measures), 1.0)


def _line(trial: Trial, bounds: Bounds) -> str:
    head = f"candidate {trial.number}, {trial.stage}: {' '.join(trial.steps)}"
    if trial.measures is None:
        return f"{head}: could not be made: {trial.error}"
    missed = ", ".join(miss.words() for miss in bounds.misses(trial.measures))
    return f"{head}: {trial.measures.words()}: {f'misses {missed}' if missed else 'meets every limit'}"


def pareto_front(points: Sequence[Sequence[float]]) -> list[int]:
    """Positions of the points (each of equal length, less is better) that no other dominates, in order.

    A point dominates another if it is nowhere worse and somewhere better. Of equal points all are kept.
    """
    return [i for i, point in enumerate(points) if not any(_dominates(other, point) for other in points)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
