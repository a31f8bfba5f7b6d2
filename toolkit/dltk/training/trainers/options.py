"""What a training phase may have beside its model, its data and `Fit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError
from dltk.recipe.groups import Augmentation
from dltk.training.hints import Hints
from dltk.training.teacher import Teacher

__all__ = ["PLAIN", "FitOptions"]


@dataclass(frozen=True)
class FitOptions:
    """Options of a phase that `FitTrainer` runs; the defaults train all layers on the targets alone.

    Attributes:
        augment: views of the training samples.
        frozen_through: layer up to which nothing is trained; batch norms behind it run in inference mode.
        teacher: outputs to learn from besides the targets; made with the same seed and the same `augment`.
        hints: the teacher's features to follow; all of the model must learn then.
        members: a model with the layers of the one that is trained, whose output (n, members, k) has the mean that the
            other one gives: each member learns from the targets by itself, as in an ensemble.
        before_step: called with the number of each step before it is taken; steps then run one by one.
        first_kept: epoch, from 0, from which on weights may be the best ones.
        start_counts: whether the weights at the start may be the best ones, too.

    Raises:
        InputError: if features are to be followed by a model of which a part is frozen, or one of members is frozen or
            follows a teacher.
    """

    augment: Augmentation | None = None
    frozen_through: str | None = None
    teacher: Teacher | None = None
    hints: Hints | None = None
    members: Any = None
    before_step: Callable[[int], None] | None = None
    first_kept: int = 0
    start_counts: bool = True

    def __post_init__(self) -> None:
        if self.hints is not None and self.frozen_through is not None:
            raise InputError(f"frozen_through {self.frozen_through!r}", "must be None where hints are followed")
        if self.members is not None and (self.frozen_through is not None or self.teacher is not None):
            raise InputError("members", "must be None where a part is frozen or a teacher is followed")


PLAIN = FitOptions()
