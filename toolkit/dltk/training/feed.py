"""Where the arrays of a step come from: cached features, or raw samples read a batch at a time.

Nothing here holds a whole data set: `Split.take` and memory maps read what a batch needs, a thread ahead of the step.
Only features that are small enough are kept in memory, where a whole epoch is one call of a compiled loop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.models.backend import tf
from dltk.training.features import Frozen, cached_outputs, model_inputs
from dltk.training.hints import Hints
from dltk.training.prefetch import prefetch
from dltk.training.teacher import Teacher
from dltk.training.views.base import PLAIN, Views
from dltk.training.views.counter import permutation

__all__ = ["Batch", "Feed"]

_IN_MEMORY = 400_000_000  # bytes of features
_VALIDATION_BATCH = 256


@dataclass(frozen=True)
class Batch:
    """One step's arrays, or with `order` the whole of a view and the rows of many steps.

    Attributes:
        epoch, first: which epoch, and whether its first batch.
        inputs: of the learner; `order` None: of this step.
        order: int64 (steps, batch) rows, or None.
        hints: the teacher's features as rows (n, ...); empty where there are none to follow, or none are kept.
        steps: numbers (steps,) of the optimizer steps, counted from the start of the phase.
    """

    epoch: int
    first: bool
    inputs: list[Any]
    targets: Any
    teacher: Any
    steps: NDArray[np.int64]
    order: NDArray[np.int64] | None = None
    hints: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass
class Feed:
    """The batches of one phase.

    Attributes:
        prefix: the part of the model that stays, or None where all of it learns.
        learner: the part that learns; its inputs are the prefix's outputs.
        fused: whether a batch may hold many steps.
        even: leave out a sample, another each epoch, where the last batch would be odd.
        hints: what the learner's features follow.
    """

    dataset: Dataset
    signature: Signature
    views: Views
    prefix: Frozen | None
    learner: Any
    teacher: Teacher | None
    batch_size: int
    seed: int
    name: str
    fused: bool
    progress: Progress
    even: bool = False
    hints: Hints | None = None
    _held: tuple[int, tuple[Any, Any, Any]] | None = field(default=None, init=False)

    @property
    def steps(self) -> int:
        """Optimizer steps an epoch; the last, smaller batch counts."""
        return math.ceil(self.samples / self.batch_size)

    @property
    def samples(self) -> int:
        """Samples per epoch."""
        count = len(self.dataset.train)
        return count - (count % self.batch_size % 2 if self.even and count > 1 else 0)

    @property
    def in_memory(self) -> bool:
        """Whether an epoch runs as one compiled loop over features held in memory."""
        if self.prefix is None or not self.fused or not self.views.countable:
            return False
        size = math.prod(int(size) for size in self.prefix.model.outputs[0].shape[1:])
        return size * 4 * len(self.dataset.train) <= _IN_MEMORY

    @property
    def batches_an_epoch(self) -> int:
        """How many batches `batches` gives."""
        full, rest = divmod(self.samples, self.batch_size)
        return bool(full) + bool(rest) if self.in_memory else self.steps

    @cached_property
    def prefix_digest(self) -> str:
        """What cached features depend on; empty without a frozen part."""
        return "" if self.prefix is None else self.prefix.digest

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Positions (samples,) of the training split in the order of `epoch`."""
        return permutation(len(self.dataset.train), self.seed, self.name, "order", epoch)[: self.samples]

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of `epoch`."""
        if self.in_memory:
            yield from self._blocks(epoch)
            return
        view, order = self.views.of_epoch(epoch), self.order(epoch)
        features, hints = self._features(self.dataset.train, view), self._kept_hints(view)
        logits = None if self.teacher is None else self.teacher.logits(view)

        def make(step: int) -> Batch:
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            with_teacher, led = (
                np.zeros(0, np.float32) if kept is None else np.asarray(kept[rows], np.float32)
                for kept in (logits, hints)
            )
            number = np.array([epoch * self.steps + step])
            inputs = self._inputs(rows, view, features)
            return Batch(epoch, step == 0, inputs, self._targets(rows, view), with_teacher, number, hints=led)

        yield from prefetch(make, range(self.steps))

    def validation(self) -> Iterator[tuple[list[Any], Any]]:
        """Inputs of the learner for the validation split, and what is wanted of it, in order."""
        split = self.dataset.validation
        features = self._features(split, PLAIN, plain=True)
        starts = range(0, len(split), _VALIDATION_BATCH)

        def make(start: int) -> tuple[list[Any], Any]:
            rows = np.arange(start, min(start + _VALIDATION_BATCH, len(split)))
            wanted = self._tensor(split.clean(rows)) if self.reconstructs else split.targets[rows]
            if features is not None:
                return [np.asarray(features[rows], np.float32)], wanted
            return model_inputs(self.learner, split.take(rows), self.signature), wanted

        yield from prefetch(make, starts)

    def fault(self, epoch: int, step: int) -> str:
        """What is wrong with the arrays of a step, as a sentence; empty if nothing is."""
        view = self.views.of_epoch(epoch)
        rows = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        inputs = self._inputs(rows, view, self._features(self.dataset.train, view))
        return _fault(self.dataset.train.ids[rows], inputs, self._targets(rows, view))

    def validation_fault(self) -> str:
        """The same of the validation split."""
        start = 0
        for inputs, wanted in self.validation():
            ids = self.dataset.validation.ids[start : start + len(wanted)]
            if fault := _fault(ids, inputs, wanted):
                return f"In the validation split: {fault}"
            start += len(wanted)
        return ""

    @cached_property
    def reconstructs(self) -> bool:
        """Whether what is wanted is the input itself, without noise."""
        return family(self.signature.family).kind(self.signature) == "reconstruction"

    def _targets(self, rows: NDArray[np.int64], view: int) -> NDArray[Any]:
        return self._tensor(self.views.clean(rows, view)) if self.reconstructs else self.views.targets(rows, view)

    def _tensor(self, raws: NDArray[Any]) -> NDArray[Any]:
        (tensor,) = family(self.signature.family).tensors(raws, self.signature).values()
        return tensor

    def _inputs(self, rows: NDArray[np.int64], view: int, features: NDArray[Any] | None) -> list[Any]:
        if features is not None:
            return [np.asarray(features[rows], np.float32)]
        if self.prefix is None:
            return model_inputs(self.learner, self.views.take(rows, view), self.signature)
        return [self.prefix.run(self.views.take(rows, view), self.signature)]

    def _features(self, split: Split, view: int, *, plain: bool = False) -> NDArray[Any] | None:
        """Cached features of a view; None where nothing is frozen, or where no view comes twice."""
        if self.prefix is None or not (plain or self.views.countable):
            return None
        return cached_outputs(
            self.prefix, split, self.signature, views=None if plain else self.views,
            view=view, source=self.dataset.digest, label=f"{self.name}: features", progress=self.progress
        )  # fmt: skip

    def _kept_hints(self, view: int) -> NDArray[Any] | None:
        """The teacher's features of a view as rows; None where no hints are followed, or they are not kept."""
        if self.hints is None or not self.hints.can_keep(len(self.dataset.train), self.views.count):
            return None
        return cached_outputs(
            self.hints.teacher, self.dataset.train, self.signature, views=self.views, view=view,
            source=self.dataset.digest, label="teacher's features", progress=self.progress
        )  # fmt: skip

    def _blocks(self, epoch: int) -> Iterator[Batch]:
        inputs, targets, with_teacher = self._view_in_memory(self.views.of_epoch(epoch))
        order, first = self.order(epoch), epoch * self.steps
        full = len(order) // self.batch_size
        if full:
            rows = order[: full * self.batch_size].reshape(full, -1)
            yield Batch(epoch, True, [inputs], targets, with_teacher, first + np.arange(full), rows)
        if len(order) % self.batch_size:
            rows = order[None, full * self.batch_size :]
            yield Batch(epoch, full == 0, [inputs], targets, with_teacher, np.array([first + full]), rows)

    def _view_in_memory(self, view: int) -> tuple[Any, Any, Any]:
        if self._held is None or self._held[0] != view:
            self._held = None  # before the next one is read: never two in memory
            features = tf.constant(np.asarray(self._features(self.dataset.train, view), np.float32))
            targets = self._targets(np.arange(len(self.dataset.train)), view)
            with_teacher = np.zeros(0, np.float32) if self.teacher is None else np.asarray(self.teacher.logits(view))
            self._held = view, (features, tf.constant(targets), tf.constant(with_teacher))
        return self._held[1]


def _fault(ids: NDArray[np.int64], inputs: list[Any], targets: Any) -> str:
    """What is wrong with samples `ids` or their targets, as a sentence; empty if nothing is."""
    finite = np.all([np.isfinite(array).reshape(len(ids), -1).all(1) for array in inputs], axis=0)
    if not finite.all():
        return f"Samples {_some(ids[~finite])} hold values that are not finite."
    finite = np.isfinite(np.asarray(targets, np.float64)).reshape(len(ids), -1).all(1)
    return "" if finite.all() else f"Targets of samples {_some(ids[~finite])} are not finite."


def _some(ids: NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, ids[:5].tolist()))
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown
