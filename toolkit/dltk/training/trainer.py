"""The interface of the trainers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

__all__ = ["AT_START", "SelectsCheckpoint", "Row", "MakesSamples", "Trainer"]

AT_START = "Likely cause: the starting weights, or values of the validation split that are not finite."
Row = dict[str, Any]  # one epoch of the history: "phase", "epoch" (0: before the first), "seconds" and the figures


class Trainer(Protocol):
    """One phase of training. The harness drives it; everything that must survive a kill is in `state`.

    Attributes:
        name: of the phase: "head", "tune", "fit".
        epochs: how many there are at most.
    """

    name: str
    epochs: int

    @property
    def steps(self) -> int:
        """Batches of an epoch, for the progress bar."""

    def batches(self, epoch: int) -> Iterable[Any]:
        """The batches of `epoch`, the same ones at every call; only `step` looks inside."""

    def step(self, batch: Any) -> Mapping[str, Any]:
        """Learn from `batch`; figures with at least "loss", scalars, or one per step if a batch has several."""

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        """Figures after `epoch` (-1: at the start) on the validation split; keeps the best weights so far."""

    def done(self, history: Sequence[Row]) -> bool:
        """Whether to stop before the last epoch."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that the next epoch depends on: name -> array of any shape and dtype."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from `state`: names, shapes and dtypes as `state` gave them.

        Raises:
            InputError: if it belongs to another model, data set or settings.
        """

    def finish(self) -> None:
        """Put the weights in place that the run is for: best or averaged ones."""

    def explain(self, epoch: int, step: int) -> str:
        """The likely cause of a figure that is not finite, in a sentence.

        `step` -1: it was seen after all steps of the epoch; `epoch` -1: before the first.
        """


@runtime_checkable
class SelectsCheckpoint(Protocol):
    """The additional interface of trainers that keep the best of their epochs."""

    @property
    def kept(self) -> int | None:
        """The epoch, from 1, whose weights `finish` puts in place; 0: the start; None: those of the last."""


@runtime_checkable
class MakesSamples(Protocol):
    """The additional interface of trainers that show their progress as samples."""

    def shown(self, epoch: int) -> Mapping[str, bytes]:
        """Files to look at after `epoch` (from 0), name -> bytes; none after most epochs. Changes nothing."""
