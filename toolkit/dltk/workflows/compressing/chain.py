"""Take steps one after another; each leaves what it made in a folder, so that nothing is made twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, read_capped, sha256, write_atomic
from dltk.base.sealed import discard_damaged, read_sealed, write_sealed
from dltk.compress.candidate import Candidate, Outcome, Workbench
from dltk.compress.steps import Planned
from dltk.models.digest import model_digest
from dltk.models.files.keras_file import open_keras
from dltk.models.files.save import keras_bytes
from dltk.quantization.plan import QuantizationPlan
from dltk.report.schema import Skipped, StepRow

__all__ = ["Chain"]

_REPORT_LIMIT = 64_000_000
_MODEL, _PLAN, _TOLD = ".keras", ".npz", ".json"
_FILES = "files"  # in the last: the SHA-256 of the others
_SOURCE = "source"  # in the last: the digest of the model that the chain begins with


@dataclass(frozen=True)
class Chain:
    """Where steps keep what they made: NUMBER-STEP.keras, .npz (the plan) and .json (what the step reported).

    Attributes:
        shared: chains of different steps stand in one folder, and have in common what they begin with in common: a
            digest of all steps so far is in each name.
    """

    folder: Path
    bench: Workbench
    shared: bool = False

    def take(self, planned: Sequence[Planned]) -> tuple[Candidate, list[StepRow]]:
        """What the steps make of the source, and their reports; a step that was finished before is not taken again."""
        candidate, reports = Candidate(self.bench.source), []
        for step, stem in zip(planned, self.stems(planned), strict=True):
            kept = self._load(stem, candidate)
            if kept is not None:
                self.bench.progress.log(f"{step.name}: is done already")
                candidate, report = kept
            else:
                checkpoint = self.bench.checkpoint.with_stem(f"{self.bench.checkpoint.stem}-{stem}")
                outcome = step.apply(candidate, replace(self.bench, checkpoint=checkpoint))
                for warning in outcome.warnings:
                    self.bench.progress.warn(warning)
                report = _report(step, outcome)
                self._save(stem, candidate, outcome.candidate, report)
                checkpoint.unlink(missing_ok=True)
                candidate = outcome.candidate
            reports.append(report)
        return candidate, reports

    def copy(self, planned: Sequence[Planned], folder: Path) -> None:
        """Write what finished steps left here into a folder of their own, as a chain that is not shared keeps it."""
        own = Chain(folder, self.bench)
        for old, new in zip(self.stems(planned), own.stems(planned), strict=True):
            for suffix in (_MODEL, _PLAN, _TOLD):
                if self._file(old, suffix).is_file():
                    write_atomic(own._file(new, suffix), read_capped(self._file(old, suffix)))

    def make_room(self, keep: Iterable[Sequence[Planned]], *, limit_bytes: int) -> None:
        """Remove what is oldest, but for the chains in `keep`, until the rest takes no more than `limit_bytes`."""
        kept = {stem for planned in keep for stem in self.stems(planned)}
        files = sorted(self.folder.glob("[!.]*"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in files)
        for told in [path for path in files if path.suffix == _TOLD and path.stem not in kept]:
            if total <= limit_bytes:
                return
            for suffix in (_TOLD, _MODEL, _PLAN):  # without the first, the rest counts for nothing
                path = self._file(told.stem, suffix)
                total -= path.stat().st_size if path.is_file() else 0
                path.unlink(missing_ok=True)

    def stems(self, planned: Sequence[Planned]) -> list[str]:
        """The file name of each step, less its suffix."""
        names = [f"{number}-{step.name}" for number, step in enumerate(planned)]
        if not self.shared:
            return names
        told = [step.as_dict() for step in planned]
        return [f"{name}-{sha256(canonical_json(told[: i + 1]))[:16]}" for i, name in enumerate(names)]

    def _save(self, stem: str, before: Candidate, after: Candidate, report: StepRow) -> None:
        """The report is written last: with it the step is finished."""
        if after.model is not before.model:
            write_atomic(self._file(stem, _MODEL), keras_bytes(after.model))
        if after.plan is not None:
            after.plan.save(self._file(stem, _PLAN))
        files = {suffix: self._digest(stem, suffix) for suffix in (_MODEL, _PLAN)}
        write_sealed(self._file(stem, _TOLD), {**report.as_dict(), _FILES: files, _SOURCE: self._source})

    def _load(self, stem: str, before: Candidate) -> tuple[Candidate, StepRow] | None:
        """What a finished step left; None where it was not finished, or its files are damaged."""
        told = self._file(stem, _TOLD)
        if not told.is_file():
            return None
        try:
            kept = read_sealed(told, _REPORT_LIMIT)
            files, source = kept.get(_FILES), kept.get(_SOURCE, self._source)
            if source != self._source:
                raise InputError(told, "must be a step of this model")
            if files is not None and files != {suffix: self._digest(stem, suffix) for suffix in (_MODEL, _PLAN)}:
                raise InputError(told, "must be in the same folder as the files of the step")
            return self._restored(stem, before), StepRow.from_dict(kept, f"{told}:")
        except InputError as fault:
            discard_damaged(told, fault.rule)
            return None

    @cached_property
    def _source(self) -> str:
        return model_digest(self.bench.source)

    def _digest(self, stem: str, suffix: str) -> str | None:
        path = self._file(stem, suffix)
        return sha256(read_capped(path)) if path.is_file() else None

    def _restored(self, stem: str, before: Candidate) -> Candidate:
        model, plan = self._file(stem, _MODEL), self._file(stem, _PLAN)
        return Candidate(
            open_keras(model) if model.is_file() else before.model,
            QuantizationPlan.load(plan) if plan.is_file() else before.plan,
        )

    def _file(self, stem: str, suffix: str) -> Path:
        return self.folder / f"{stem}{suffix}"


def _report(step: Planned, outcome: Outcome) -> StepRow:
    return StepRow(
        name=step.name,
        settings=step.as_dict()["settings"],
        changed=outcome.changed,
        skipped=tuple(Skipped(item.layer, item.reason) for item in outcome.skipped),
        figures=outcome.figures,
        warnings=outcome.warnings,
    )
