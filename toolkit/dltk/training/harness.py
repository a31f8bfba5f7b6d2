"""The one loop around every trainer: epochs, progress, checkpoints, exact resume, the guard against NaN."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import LimitError
from dltk.base.files import write_atomic
from dltk.base.progress import SILENT, Progress
from dltk.training import checkpoint as checkpoints
from dltk.training.checkpoint import Checkpoint
from dltk.training.trainer import Row, Shows, Trainer

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
    """Train `trainer` to its end; returns the history, one row an epoch.

    Args:
        checkpoint: file of this phase; replaced atomically after an epoch.
        resume: take up from `checkpoint` if it is there; to the bit what an undisturbed run gives.
        samples: folder for the files that a trainer shows of its progress; made where there are any.

    Raises:
        LimitError: if the loss is no longer finite; the last good checkpoint is kept, `measured` holds the history.
        InputError: if the checkpoint is damaged or belongs to another run.
    """
    found = checkpoints.read(checkpoint) if resume else None
    history: list[Row] = []
    if found is not None:
        trainer.restore(found.state)
        history = list(found.history)
        progress.say(f"{trainer.name}: taking up after epoch {len(history)} of {trainer.epochs}")
    writer = _Writer(checkpoint)
    try:
        while len(history) < trainer.epochs and not trainer.done(history):
            history.append(_epoch(trainer, history, writer, progress))
            _show(trainer, len(history) - 1, samples)  # before the checkpoint: a killed run makes them once more
            writer.offer(Checkpoint(list(history), trainer.state()))
    finally:
        writer.flush()  # also on NaN and Ctrl-C: what was reached is kept
    trainer.finish()
    return history


def _epoch(trainer: Trainer, history: list[Row], writer: _Writer, progress: Progress) -> Row:
    epoch, started = len(history), time.perf_counter()
    steps: list[Mapping[str, Any]] = []
    with progress.bar(f"{trainer.name} {epoch + 1}/{trainer.epochs}", trainer.steps) as bar:
        for batch in trainer.batches(epoch):
            steps.append(trainer.step(batch))
            if len(steps) % _SYNC_EVERY == 0:
                bar.advance(_SYNC_EVERY, _note(steps[-1]))
                _require_finite(trainer, steps, history, writer)
        _require_finite(trainer, steps, history, writer)
        bar.advance(len(steps) % _SYNC_EVERY, _note(steps[-1]) if steps else "")
        row: Row = {"phase": trainer.name, "epoch": epoch + 1}
        row |= {name: float(_values(steps, name).mean()) for name in (steps[0] if steps else ())}
        row |= {name: float(value) for name, value in trainer.evaluate(epoch).items()}
    row["seconds"] = round(time.perf_counter() - started, 3)
    return row


def _show(trainer: Trainer, epoch: int, folder: Path | None) -> None:
    if folder is None or not isinstance(trainer, Shows):
        return
    for name, data in trainer.shown(epoch).items():
        write_atomic(folder / name, data)


def _values(steps: list[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(np.asarray(step[name], np.float64)) for step in steps])


def _note(step: Mapping[str, Any]) -> str:
    return " ".join(f"{name} {np.mean(np.asarray(value)):.4f}" for name, value in step.items())


def _require_finite(trainer: Trainer, steps: list[Mapping[str, Any]], history: list[Row], writer: _Writer) -> None:
    if not steps or np.isfinite(_values(steps[-_SYNC_EVERY:], "loss")).all():
        return
    losses, epoch = _values(steps, "loss"), len(history)
    step = int(np.flatnonzero(~np.isfinite(losses))[0])
    writer.flush()
    kept = f"The weights after epoch {epoch} are kept in {writer.path}." if epoch else "No epoch was finished."
    raise LimitError(
        f"phase {trainer.name}, epoch {epoch + 1}, step {step + 1}",
        "the loss must stay finite",
        repr(float(losses[step])),
        f"{trainer.explain(epoch, step)} {kept}",
        measured=list(history),
    )


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
