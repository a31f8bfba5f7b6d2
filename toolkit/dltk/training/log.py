"""The log of a phase: one line per epoch, and one at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.training.trainer import Row, SelectsCheckpoint, Trainer

__all__ = ["FACTS", "duration", "end_line", "epoch_line", "trained_epochs", "best_checkpoint_line", "best_checkpoint"]

FACTS = ("phase", "epoch", "seconds")  # of a row; the rest are figures
_HELD_OUT = "validation_"


def trained_epochs(history: Sequence[Mapping[str, Any]]) -> int:
    """Epochs that were trained; a row of the start is none."""
    return sum(row["epoch"] > 0 for row in history)


def epoch_line(history: Sequence[Row], epochs: int) -> str:
    """The last row: "head 3/60: loss 0.31 accuracy 0.91 | validation 0.42 0.88 | at most 40 s left in head".

    Validation figures go without names where they are those of training, in that order.
    """
    row = history[-1]
    name, trained = row["phase"], trained_epochs(history)
    own = {key: value for key, value in row.items() if key not in FACTS and not key.startswith(_HELD_OUT)}
    judged = {key.removeprefix(_HELD_OUT): value for key, value in row.items() if key.startswith(_HELD_OUT)}
    alike = list(own) == list(judged)
    parts = [_figures(own)] if own else []
    if judged:
        parts.append("validation " + (" ".join(map(_short, judged.values())) if alike else _figures(judged)))
    if trained and trained < epochs:
        seconds = sum(each["seconds"] for each in history if each["epoch"]) / trained
        parts.append(f"at most {duration(seconds * (epochs - trained))} left in {name}")
    where = f"{row['epoch']}/{epochs}" if row["epoch"] else "start"
    return f"{name} {where}: {' | '.join(parts)}"


def end_line(name: str, trained: int, epochs: int, kept: int | None) -> str:
    """Such as "head: stopped early at 42 of 60, best epoch 27"; `kept` as `SelectsCheckpoint` has it."""
    went = (
        f"stopped early at {trained} of {epochs}"
        if trained < epochs
        else f"{trained} {'epoch' if trained == 1 else 'epochs'}"
    )
    best = {None: "", 0: ", none better than the weights at the start, which are kept"}
    return f"{name}: {went}{best.get(kept, f', best epoch {kept}')}"


def best_checkpoint(
    trainer: Trainer, history: Sequence[Mapping[str, Any]], before: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Which epoch's weights the run has after a phase: phase, epoch (0: the start), epochs of it, validation figures.

    Args:
        history: of this phase.
        before: the same after the phases before; still so where this one brought nothing better.
    """
    epoch = trainer.kept if isinstance(trainer, SelectsCheckpoint) else None
    if not history or (epoch == 0 and before is not None):
        return before
    row = next((row for row in history if row["epoch"] == epoch), history[-1])
    figures = {name: value for name, value in row.items() if name.startswith(_HELD_OUT)}
    return {"phase": row["phase"], "epoch": row["epoch"], "epochs": trained_epochs(history)} | figures


def best_checkpoint_line(kept: Mapping[str, Any]) -> str:
    """Such as "epoch 27 of 42 in head (validation loss 0.42 accuracy 0.88)"."""
    where = f"epoch {kept['epoch']} of {kept['epochs']} in" if kept["epoch"] else "the weights at the start of"
    judged = {name.removeprefix(_HELD_OUT): value for name, value in kept.items() if name.startswith(_HELD_OUT)}
    return (
        f"{where} {kept['phase']} ({f'validation {_figures(judged)}' if judged else 'the last: no validation samples'})"
    )


def duration(seconds: float) -> str:
    """`seconds` in words, such as "8 s", "3 min" or "2.5 h"."""
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _figures(found: Mapping[str, Any]) -> str:
    return " ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in found.items())


def _short(value: float) -> str:
    return f"{value:.3g}"
