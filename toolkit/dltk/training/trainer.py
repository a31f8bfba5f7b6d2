"""What every trainer answers, and the trainers by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean

__all__ = ["AT_START", "TRAINERS", "Chooses", "Factory", "Row", "Shows", "Trainer", "trainers"]

AT_START = "Likely cause: the starting weights, or values of the validation split that are not finite."
Row = dict[str, Any]  # one epoch of the history: "phase", "epoch" (0: before the first), "seconds" and the figures


class Trainer(Protocol):
    """One phase of training. The harness drives it; everything that must survive a kill stands in `state`.

    Attributes:
        name: of the phase: "head", "tune", "fit".
        epochs: how many there are at most.
        steps: batches of an epoch, for the progress bar.
    """

    name: str
    epochs: int
    steps: int

    def batches(self, epoch: int) -> Iterable[Any]:
        """The batches of `epoch`, the same ones at every call; only `step` looks inside."""

    def step(self, batch: Any) -> Mapping[str, Any]:
        """Learn from `batch`; figures with at least "loss", scalars or one a step where a batch holds several."""

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        """Figures after `epoch` (-1: at the start) on the validation split; keeps the best weights so far."""

    def done(self, history: Sequence[Row]) -> bool:
        """Whether to stop before the last epoch."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Copies of all that the next epoch depends on."""

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take up where `state` was taken.

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
class Chooses(Protocol):
    """What a trainer answers besides that keeps the best of its epochs."""

    @property
    def kept(self) -> int | None:
        """The epoch, from 1, whose weights `finish` puts in place; 0: the start; None: those of the last."""


@runtime_checkable
class Shows(Protocol):
    """What a trainer answers besides whose progress a person wants to see, not only read in figures."""

    def shown(self, epoch: int) -> Mapping[str, bytes]:
        """Files to look at after `epoch` (from 0), name -> bytes; none after most epochs. Changes nothing."""


Factory = Callable[..., Iterator[Trainer]]  # (built, dataset, signature, settings, *, progress) -> phases in order

TRAINERS = {  # name -> module with `phases`; imported when first asked for
    "fit": "dltk.training.trainers.fit",
    "gan": "dltk.training.trainers.gan",
    "autoencoder": "dltk.training.trainers.autoencoder",
    "dqn": "dltk.training.trainers.dqn",
}


def trainers(name: str) -> Factory:
    """The function (built, dataset, signature, settings, *, progress) -> one trainer a phase, in order.

    Each phase must be run to its end before the next is asked for: it starts from the weights the last one left.

    Raises:
        InputError: if there is no such trainer.
    """
    if name not in TRAINERS:
        raise InputError(f"trainer {name!r}", "is not known", hint=did_you_mean(name, TRAINERS))
    found: Factory = import_module(TRAINERS[name]).phases
    return found
