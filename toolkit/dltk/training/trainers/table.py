"""The trainers by name. A new kind of learning adds one file here and one row to this table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from dltk.base.errors import InputError, did_you_mean
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.recipe.recipe import Built
from dltk.training.trainer import Trainer
from dltk.training.trainers.autoencoder import AutoencoderTrainer
from dltk.training.trainers.dqn import DqnTrainer
from dltk.training.trainers.fit import FitTrainer
from dltk.training.trainers.gan import GanTrainer

__all__ = ["TRAINERS", "Phased", "trainer_class"]


class Phased(Protocol):
    """A class of trainers that makes one of them a phase."""

    @classmethod
    def phases(
        cls, built: Built, dataset: Dataset, signature: Signature, settings: Any, *, progress: Progress = SILENT
    ) -> Iterator[Trainer]:
        """One trainer a phase of `built`, in order; `settings` are those of the recipe.

        Each phase must be run to its end before the next is asked for: it starts from the weights the last one left.

        Raises:
            InputError: if model, data and settings do not fit together.
        """


TRAINERS: Mapping[str, type[Phased]] = {
    "fit": FitTrainer,
    "gan": GanTrainer,
    "autoencoder": AutoencoderTrainer,
    "dqn": DqnTrainer,
}


def trainer_class(name: str) -> type[Phased]:
    """The class of trainers called `name`.

    Raises:
        InputError: if there is none.
    """
    if name not in TRAINERS:
        raise InputError(f"trainer {name!r}", "is not known", hint=did_you_mean(name, TRAINERS))
    return TRAINERS[name]
