"""The one loop around every trainer: epochs, progress, checkpoints, exact resume, the guard against NaN."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, LimitError
from dltk.base.files import write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.training import checkpoint as checkpoints
from dltk.training.checkpoint import Checkpoint
from dltk.training.log import end_line, epoch_line, trained_epochs
from dltk.training.trainer import MakesSamples, Row, SelectsCheckpoint, Trainer

__all__ = ["run"]

_WRITE_SHARE = 0.05  # of the time may go into checkpoints; where epochs take milliseconds not each one is written
_SYNC_EVERY = 20  # steps between looks at the loss: a look waits for the step to end


def run(
    trainer: Trainer,
    *,
    checkpoint: Path,
    resume: bool = False,
    samples: Path | None = None,
    progress: Progress = SILENT,
) -> list[Row]:
    """Train `trainer` to its end; returns the history: one row per epoch, and before them one of the weights at the
    start.

    Args:
        checkpoint: file of this phase; replaced atomically after an epoch.
        resume: continue from `checkpoint` if it exists; bit-identical to an uninterrupted run.
        samples: folder for the files in which a trainer shows its progress; created if there are any.

    Raises:
        LimitError: if a loss or a weight is no longer finite; the last good checkpoint is kept, `measured` has the
        history.
        InputError: if the checkpoint is damaged or belongs to another run.
    """
    found = checkpoints.read(checkpoint) if resume else None
    if found is not None:
        _restore(trainer, found, checkpoint)
    training = _Training(trainer, [] if found is None else list(found.history), _Writer(checkpoint), progress)
    if found is not None:
        progress.log(f"{trainer.name}: resuming after epoch {training.done} of {trainer.epochs}")
    try:
        if found is None:
            training.evaluate_start()
        while training.done < trainer.epochs and not trainer.done(training.history):
            training.epoch()
            _show(trainer, training.done - 1, samples)  # before the checkpoint: a killed run makes them once more
            training.keep()
    finally:
        training.writer.flush()  # also on NaN and Ctrl-C: what was reached is kept
    trainer.finish()
    kept = trainer.kept if isinstance(trainer, SelectsCheckpoint) else None
    progress.log(end_line(trainer.name, training.done, trainer.epochs, kept))
    return training.history


def _restore(trainer: Trainer, found: Checkpoint, path: Path) -> None:
    """Restore the trainer's state; errors name the file."""
    try:
        trainer.restore(found.state)
    except InputError as fault:
        raise InputError(path, fault.rule, fault.received, fault.hint) from fault
    except (LookupError, TypeError, ValueError, ArithmeticError) as fault:  # arrays that are missing, or others
        raise checkpoints.damaged(path, f"{type(fault).__name__}: {fault}") from fault


class _Training:
    """A phase on its way. Nothing that is not finite gets into its history or a checkpoint."""

    def __init__(self, trainer: Trainer, history: list[Row], writer: _Writer, progress: Progress) -> None:
        self.history, self.writer = history, writer
        self._trainer, self._progress = trainer, progress
        self._infinite = set(_infinite(trainer.state()))  # a model may hold such constants, for a mask

    @property
    def done(self) -> int:
        """Epochs that are done."""
        return trained_epochs(self.history)

    def evaluate_start(self) -> None:
        """The weights that the phase starts from are its epoch 0: they compete for best."""
        started = time.perf_counter()
        if figures := self._trainer.evaluate(-1):
            self._add(figures, started, epoch=0)

    def epoch(self) -> None:
        """Train and evaluate one more epoch."""
        trainer, done, started = self._trainer, self.done, time.perf_counter()
        steps: list[Mapping[str, Any]] = []
        with self._progress.bar(f"{trainer.name} {done + 1}/{trainer.epochs}", trainer.steps) as bar:
            for batch in trainer.batches(done):
                steps.append(trainer.step(batch))
                if len(steps) % _SYNC_EVERY == 0:
                    bar.advance(_SYNC_EVERY, _note(steps[-1]))
                    self._require_finite(steps)
            self._require_finite(steps)
            bar.advance(len(steps) % _SYNC_EVERY, _note(steps[-1]) if steps else "")
            figures = {name: float(_values(steps, name).mean()) for name in (steps[0] if steps else ())}
            figures |= trainer.evaluate(done)
        self._add(figures, started, epoch=done + 1)

    def keep(self) -> None:
        """Offer a checkpoint of what is done."""
        state = self._trainer.state()
        for name in _infinite(state):
            if name not in self._infinite:
                epoch = self.history.pop()["epoch"]
                raise self._diverged_error(
                    f"after epoch {epoch}", "the weights must stay finite", name.partition("/")[0]
                )
        self.writer.offer(Checkpoint(list(self.history), state))

    def _add(self, figures: Mapping[str, float], started: float, *, epoch: int) -> None:
        for name, value in figures.items():
            if not np.isfinite(value):
                where = f"after epoch {epoch}" if epoch else "before the first epoch"
                raise self._diverged_error(where, f"{name} must be finite", repr(float(value)), at_start=not epoch)
        row: Row = {"phase": self._trainer.name, "epoch": epoch} | {key: float(figures[key]) for key in figures}
        self.history.append(row | {"seconds": round(time.perf_counter() - started, 3)})
        self._progress.log(epoch_line(self.history, self._trainer.epochs))

    def _require_finite(self, steps: list[Mapping[str, Any]]) -> None:
        for name in steps[-1] if steps else ():
            if np.isfinite(_values(steps[-_SYNC_EVERY:], name)).all():
                continue
            values = _values(steps, name)
            step = int(np.flatnonzero(~np.isfinite(values))[0])
            where = f"epoch {self.done + 1}, step {step + 1}"
            raise self._diverged_error(where, f"the {name} must stay finite", repr(float(values[step])), step=step)

    def _diverged_error(
        self, where: str, rule: str, received: str, *, step: int = -1, at_start: bool = False
    ) -> LimitError:
        """The error, once what is good is on the disk; `step` -1: not seen in a step, but after all of an epoch."""
        self.writer.flush()
        kept = f"The weights after epoch {self.done} are kept in {self.writer.path}."
        cause = self._trainer.explain(-1 if at_start else self.done, step)
        hint = f"{cause} {kept if self.done else 'No epoch was finished.'}"
        return LimitError(
            f"phase {self._trainer.name}, {where}", rule, received, hint, measured=list(self.history)
        )  # fmt: skip


def _note(step: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {np.mean(np.asarray(value)):.4f}" for name, value in step.items())


def _show(trainer: Trainer, epoch: int, folder: Path | None) -> None:
    if folder is None or not isinstance(trainer, MakesSamples):
        return
    for name, data in trainer.shown(epoch).items():
        write_atomic(folder / name, data)


def _values(steps: list[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(np.asarray(step[name], np.float64)) for step in steps])


def _infinite(state: Mapping[str, NDArray[Any]]) -> list[str]:
    """Names of a model's or an optimizer's arrays ("model/0003") with values that are not finite."""
    numbered = [name for name in state if name.rpartition("/")[2].isdecimal()]
    return [name for name in numbered if state[name].dtype.kind == "f" and not np.isfinite(state[name]).all()]


class _Writer:
    """Writes checkpoints, but spends no more than a small share of the time on it."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._waiting: Checkpoint | None = None
        self._next = 0.0

    def offer(self, found: Checkpoint) -> None:
        self._waiting = found
        if time.perf_counter() >= self._next:
            self.flush()

    def flush(self) -> None:
        if self._waiting is None:
            return
        started = time.perf_counter()
        checkpoints.write(self.path, self._waiting)
        self._waiting = None
        ended = time.perf_counter()
        self._next = ended + (ended - started) / _WRITE_SHARE
