"""Find steps that meet limits, inside the Run that is being made; see `dltk.search` for how."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dltk.base.errors import DltkError, InputError, LimitError
from dltk.base.progress import Bar, Progress
from dltk.base.sealed import load_or_discard, read_sealed, write_sealed
from dltk.compress.candidate import Candidate, Workbench
from dltk.compress.steps import Planned, parse_steps
from dltk.edge.families import compared_inputs, family
from dltk.export.emit import Target
from dltk.quantization.bias_correction import with_corrections
from dltk.quantization.calibration import graph_inputs
from dltk.report.schema import ArtifactRow, MissRow, Report, SearchPart, SensitivityRow, StageRow, StepRow, TrialRow
from dltk.run import Run
from dltk.search.find import CandidateMaker, SearchResult, best_trial, run_search
from dltk.search.ledger import Ledger
from dltk.search.limits import Baseline, Bounds, Limits, MissedLimit
from dltk.search.measures import Measures, source_row
from dltk.search.plans import CORRECTED
from dltk.search.sensitivity import layer_rows, sensitivity
from dltk.search.trial import Trial
from dltk.tasks import Task
from dltk.validate import Gate
from dltk.workflows.compressing.chain import Chain
from dltk.workflows.measure import Evaluation, measure, planned_files, reference_outputs

__all__ = ["Best", "Search", "misses_on_test", "require_decidable", "require_met"]

_SENSITIVITY = "sensitivity.json"
_FOLDER = "candidates"  # a file a candidate, and in steps/ what they are made of
_ROOM = 1_000_000_000  # bytes that models of candidates may take, beside those of the best
_FEW = 200  # samples that tell how sensitive a layer is


def require_decidable(limits: Limits, bench: Workbench) -> None:
    """Raise UsageError or InputError, before any work, if the limits cannot be checked."""
    if not family(bench.signature.family).metrics:
        limits.bounds(Baseline(1, None))
    elif not len(bench.dataset.validation):
        hint = "Set data.validation above 0 and train again: test samples are not used to choose."
        raise InputError(f"data {bench.dataset.source}", "limits need validation samples", 0, hint)


def require_met(run: Run, report: Report) -> None:
    """Raise LimitError, with the whole report as `measured`, if limits were asked for and are missed."""
    told = report.search
    if told is None or told.met:
        return
    received = ", ".join(miss.words() for miss in _wanted(told).misses(Measures.of(_chosen(told).as_dict())))
    hint = f"The closest is kept in {run.path}. Relax a limit, or allow more --trials."
    raise LimitError("limits", "no candidate meets them all", received, hint, measured=report.as_dict())


def misses_on_test(told: SearchPart, artifacts: Sequence[ArtifactRow]) -> tuple[MissRow, ...]:
    """The limits that the chosen file misses on the test split, which is not used to choose."""
    rows = [row for row in artifacts if row.file == _chosen(told).file]
    return tuple(_miss(miss) for row in rows for miss in _wanted(told).misses(Measures.of(row.as_dict())))


def _wanted(told: SearchPart) -> Bounds:
    return Bounds(**told.bounds, confident=told.confident)


def _chosen(told: SearchPart) -> ArtifactRow:
    (row,) = (trial.row for trial in told.trials if trial.number == told.chosen)
    return row or ArtifactRow()


def _miss(miss: MissedLimit) -> MissRow:
    return MissRow(miss.limit, miss.wanted, miss.found if miss.found < math.inf else None)


def _trial(trial: Trial, bounds: Bounds) -> TrialRow:
    row = None if trial.row is None else ArtifactRow.from_dict(trial.row, f"candidate {trial.number}:")
    misses = () if trial.measures is None else bounds.misses(trial.measures)
    return TrialRow(trial.number, trial.stage, trial.steps, trial.key, row, trial.error, tuple(map(_miss, misses)))


def _stages(trials: Sequence[Trial]) -> tuple[StageRow, ...]:
    found: dict[str, list[int]] = {}
    for trial in trials:
        found.setdefault(trial.stage, []).append(trial.number)
    return tuple(StageRow(name, tuple(numbers)) for name, numbers in found.items())


@dataclass(frozen=True)
class Best:
    """What a search came to: the steps, what they made, and what each reported."""

    planned: tuple[Planned, ...]
    candidate: Candidate
    reports: list[StepRow]
    found: SearchResult


@dataclass(frozen=True)
class Search:
    """A search in `made`, the Run that is being made.

    Attributes:
        bench: what steps work with; their progress is shown, but not their messages.
    """

    made: Run
    task: Task
    bench: Workbench
    limits: Limits

    def find(self, trials: int) -> Best:
        """The best candidate; its steps are left in the Run as if they had been asked for."""
        study, seed, progress = self.made.path / "study.db", self.bench.seed, self.bench.progress
        maker = CandidateMaker(self._evaluate, self._keep, self._sensitive, self._judge.has_metric)
        found = run_search(self.bounds, maker, self._ledger, study=study, trials=trials, seed=seed, progress=progress)
        planned = parse_steps(found.chosen.steps)
        self._chain.copy(planned, self.made.path / "steps")
        candidate, reports = Chain(self.made.path / "steps", self._chain.bench).take(planned)
        for report in reports:
            for warning in report.warnings:
                progress.warn(warning)
        return Best(planned, candidate, reports, found)

    def judge(self, texts: Sequence[str], candidate: Candidate) -> SearchResult:
        """Whether the candidate that explicit steps made meets the limits."""
        if self._ledger.find(texts) is None:
            self._ledger.add("steps", texts, self._judge.row(candidate))
        return best_trial(self.bounds, self._ledger)

    def as_report(self, found: SearchResult) -> SearchPart:
        """The result as the report has it."""
        return SearchPart(
            bounds=found.bounds.as_dict(),
            confident=found.bounds.confident,
            stages=_stages(found.trials),
            trials=tuple(_trial(trial, found.bounds) for trial in found.trials),
            front=found.front,
            chosen=found.chosen.number,
            met=found.met,
            limits=self.limits.as_dict(),
            source=ArtifactRow.from_dict(self._source, "source:"),
            samples=self._judge.count,
            sensitivity=tuple(SensitivityRow.from_dict(row, _SENSITIVITY) for row in self._layers() or ()),
        )

    def clear(self) -> None:
        """Remove the models of the candidates; what was measured stays."""
        shutil.rmtree(self._chain.folder, ignore_errors=True)

    @cached_property
    def bounds(self) -> Bounds:
        """The limits as plain numbers."""
        metric, source = self._judge.metric, self._source
        value = source["metric"]["reference"] if metric is not None else None
        return self.limits.bounds(Baseline(source["bytes"], value, metric is None or metric.is_share))

    @cached_property
    def _judge(self) -> _Judge:
        return _Judge(self.task, self.bench)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self.made.path / _FOLDER)

    @cached_property
    def _chain(self) -> Chain:
        quiet = replace(self.bench, resume=True, progress=_Quiet(self.bench.progress))
        return Chain(self.made.path / _FOLDER / "steps", quiet, shared=True)

    @cached_property
    def _source(self) -> dict[str, Any]:
        """The source's float32 file, measured once."""
        path, has_metric = self.made.path / _FOLDER / "source.json", self._judge.has_metric
        kept = load_or_discard(path, 1_000_000, lambda found: source_row(found, has_metric))
        if kept is None:
            write_sealed(path, self._judge.row(Candidate(self.bench.source)))
            kept = read_sealed(path, 1_000_000)
        return kept

    def _evaluate(self, texts: tuple[str, ...]) -> Mapping[str, Any]:
        candidate, _ = self._chain.take(parse_steps(texts))
        return self._judge.row(candidate)

    def _keep(self, texts: tuple[str, ...]) -> None:
        self._chain.make_room([parse_steps(texts)], limit_bytes=_ROOM)

    def _sensitive(self) -> list[str]:
        """Layers that can be named in `quantize:keep=`, the one that int8 hurts most first."""
        layers = self._layers()
        if layers is None:
            try:
                candidate, _ = self._chain.take(parse_steps(CORRECTED))
            except DltkError:  # it was tried before, and stands in the report
                return []
            layers, samples = self._judge.effects(candidate), min(_FEW, self._judge.count)
            write_sealed(self.made.path / _SENSITIVITY, {"samples": samples, "layers": layers})
        return [row["layer"] for row in layers if not set(row["layer"]) & set(",=")]

    def _layers(self) -> list[dict[str, Any]] | None:
        """What was found of each layer; None where nothing was yet, or the file is damaged."""
        return load_or_discard(self.made.path / _SENSITIVITY, 64_000_000, layer_rows)


class _Judge:
    """Measures candidates on the validation split."""

    def __init__(self, task: Task, bench: Workbench) -> None:
        found = family(bench.signature.family)
        self.metric = found.metrics[0] if found.metrics else None
        decides = replace(bench.dataset, test=bench.dataset.validation) if self.metric else bench.dataset
        raws, self._targets = task.evaluation(decides, limit_bytes=_ROOM // 4, seed=bench.seed)
        self._raws, self._bench = raws, bench
        self._outputs = reference_outputs(bench.source, raws, bench.signature, progress=bench.progress)

    @property
    def has_metric(self) -> bool:
        """Whether the family has a metric."""
        return self.metric is not None

    @property
    def count(self) -> int:
        """How many samples decide."""
        return len(self._raws)

    def row(self, candidate: Candidate) -> dict[str, Any]:
        """The row of the candidate's file, as `Measured.row`, in plain JSON values.

        Raises:
            InputError: if its predictions cannot be compared.
        """
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        bench, outputs = self._bench, self._outputs
        if candidate.model is not bench.source:
            outputs = reference_outputs(candidate.model, self._raws, bench.signature, progress=bench.progress)
        targets, inputs = self._targets if self.metric else None, compared_inputs(self._raws, bench.signature)
        samples = Evaluation(self._raws, targets, outputs, self._outputs, self.metric, inputs)
        (target, *_) = (*planned_files(candidate.plan), Target("tflite", "float32"))
        graph = deployed_graph(read(candidate.model))
        found = measure(
            graph, bench.signature, target, candidate.plan, samples, gate=Gate(), seed=bench.seed, device=bench.device
        )
        if self.has_metric and found.verdict.metric is None:
            raise InputError(target.file, "; ".join(found.verdict.reasons))
        return found.row().as_dict()

    def effects(self, candidate: Candidate) -> list[dict[str, Any]]:
        """`dltk.search.sensitivity` of an int8 candidate on some samples; empty where it has no shared ranges."""
        from dltk.twin.read import read
        from dltk.twin.rewrite import deployed_graph

        plan, signature = candidate.plan, self._bench.signature
        if plan is None or plan.ranges != "shared":
            return []
        graph = with_corrections(deployed_graph(read(candidate.model)), plan)
        tensors = graph_inputs(graph, self._raws[:_FEW], signature)
        score = self._score if self.has_metric else None
        effects = sensitivity(graph, plan, tensors, score=score, progress=self._bench.progress)
        return [effect.as_dict() for effect in effects]

    def _score(self, outputs: Sequence[Any]) -> float:
        assert self.metric is not None
        named = {spec.name: value for spec, value in zip(self._bench.signature.outputs, outputs, strict=True)}
        named = {**compared_inputs(self._raws[:_FEW], self._bench.signature), **named}
        scores = self.metric.scores(named, self._targets[:_FEW], self._bench.signature)
        return float(np.mean(scores)) * (1.0 if self.metric.higher_is_better else -1.0)


class _Quiet:
    """Shows bars; messages and warnings of steps are in their reports."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def bar(self, label: str, total: int) -> AbstractContextManager[Bar]:
        return self._progress.bar(label, total)

    def log(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        pass
