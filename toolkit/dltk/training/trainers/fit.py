"""The trainer of everything that has targets: gradient descent toward labels, values, or a teacher's predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.models.backend import odd_batches_crash, tf
from dltk.recipe.groups import Fit
from dltk.recipe.recipe import Built
from dltk.training.checkpoint import identity, require_same
from dltk.training.features import Frozen, runner
from dltk.training.feed import Batch, Feed
from dltk.training.losses import objective
from dltk.training.optimizers import is_keras3, lengthened, optimizer, rate
from dltk.training.selection import Selection, validation_figures
from dltk.training.trainer import AT_START, Row
from dltk.training.trainers.cut import batch_norm_frozen, precision, split_at
from dltk.training.trainers.options import PLAIN, FitOptions
from dltk.training.trainers.step import Step
from dltk.training.views.counter import derive
from dltk.training.views.factory import views_of
from dltk.training.weights import Average, assign_values, from_arrays, seed_dropout, snapshot, to_arrays

__all__ = ["FitTrainer"]


class FitTrainer:
    """Trains a model with one input batch and one target per sample; see `dltk.training.trainer.Trainer`.

    Args:
        model: functional Keras 3 model, or a tf_keras one (a twin, also wrapped by tfmot); trained in place.
        dataset: `train` is learnt from, `validation` chooses the weights.
        signature: its family turns raw samples into tensors.
        fit: settings of the phase.
        options: views, frozen layers, teacher and the like.
        seed: order, views and dropout are functions of it.
        name: of the phase.

    Raises:
        InputError: if model, data and settings do not fit together.
    """

    @classmethod
    def phases(
        cls, built: Built, dataset: Dataset, signature: Signature, settings: Any, *, progress: Progress = SILENT
    ) -> Iterator[FitTrainer]:
        """One trainer a phase of `built`; `built.parts["members"]` is `FitOptions.members`.

        `settings.seed` is used, and `settings.augment` where there is one.
        """
        for phase in built.phases:
            augment = getattr(settings, "augment", None)
            options = FitOptions(augment, phase.frozen_through, members=built.parts.get("members"))
            yield cls(
                built.model, dataset, signature, phase.fit, options, seed=settings.seed, name=phase.name,
                progress=progress
            )  # fmt: skip

    def __init__(
        self, model: Any, dataset: Dataset, signature: Signature, fit: Fit, options: FitOptions = PLAIN, *,
        seed: int, name: str = "fit", progress: Progress = SILENT
    ) -> None:  # fmt: skip
        if not len(dataset.train):
            raise InputError("training split", "must hold samples", 0)
        frozen_through, hints = options.frozen_through, options.hints
        fit = lengthened(fit, len(dataset.train), name=name, progress=progress)
        self.name, self.epochs = name, fit.epochs
        self._fit, self._options, self._seed, self._dataset = fit, options, seed, dataset
        self._objective = objective(signature, dataset.train.targets, fit)
        prefix, self._learner = (None, model) if frozen_through is None else split_at(model, frozen_through)
        views = views_of(dataset.train, options.augment, seed=seed, classes=signature.outputs[0].sample_shape[-1])
        even = odd_batches_crash(self._learner)
        if even and fit.batch_size % 2:
            raise InputError("setting batch_size", "must be even: TensorFlow crashes on this model", fit.batch_size)
        self._feed = Feed(
            dataset, signature, views, None if prefix is None else Frozen(prefix), self._learner, options.teacher,
            fit.batch_size, seed, name, options.before_step is None, progress, even, hints
        )  # fmt: skip
        with batch_norm_frozen(self._learner if frozen_through else None), precision(model, fit.precision):
            self._trained = [*self._learner.trainable_variables, *(hints.variables if hints else ())]
        self._optimizer = optimizer(fit, model)
        self._optimizer.build(self._trained)
        self._average = Average(self._trained, fit.average) if fit.average else None
        self._selection = Selection(fit, first_kept=options.first_kept, start_counts=options.start_counts)
        self._step = Step(
            self._learner, self._trained, self._objective, self._optimizer, self._average, fit, options
        )  # fmt: skip
        seed_dropout(self._learner, seed, name, "dropout")
        self._facts = identity([self._learner], *self._settings())  # before the first step changes a weight

    @property
    def steps(self) -> int:
        """Batches an epoch; one or two where features are in memory."""
        return self._feed.batches_an_epoch

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of `epoch`."""
        return self._feed.batches(epoch)

    def step(self, batch: Batch) -> Mapping[str, Any]:
        """One optimizer step, or all those of a batch with an order."""
        if batch.first:
            self._restart_random_layers(batch.epoch)
        factor = self._selection.factor
        planned = [rate(self._fit, step, self._feed.steps) for step in batch.steps.tolist()]
        rates = np.asarray(np.multiply(planned, factor), np.float32)
        if batch.order is not None:
            return self._step.many(batch.inputs[0], batch.targets, batch.teacher, batch.order, rates)
        if self._options.before_step is not None:
            self._options.before_step(int(batch.steps[0]))
        return self._step.one(batch.inputs, batch.targets, batch.teacher, rates[0], batch.hints)

    def evaluate(self, epoch: int) -> Mapping[str, float]:
        """Loss, and accuracy where there are single labels, on the validation split; best weights are kept.

        The weights are evaluated as they would be saved: averaged ones where there are some, norms as in use.
        """
        if not len(self._dataset.validation):
            return {}
        trained = snapshot(self._trained) if self._average else []
        if self._average:
            assign_values(self._trained, snapshot(self._average.values))
        found = self._validate()
        accuracy, loss = found.get("validation_accuracy"), found["validation_loss"]
        score = (-loss, 0.0) if accuracy is None or self._fit.keep == "loss" else (accuracy, -loss)
        self._selection.take(epoch, score, snapshot(self._learner.variables))
        if self._average:
            assign_values(self._trained, trained)
        return found

    def done(self, history: Sequence[Row]) -> bool:
        """Early stopping."""
        return self._selection.exhausted(int(history[-1]["epoch"]) if history else 0)

    @property
    def kept(self) -> int | None:
        """The epoch, from 1, with the best validation score; 0: the start; None without a validation split."""
        return self._selection.kept

    def state(self) -> dict[str, NDArray[Any]]:
        """Model, optimizer, dropout, average, best weights, in their shapes; the frozen part only as a digest."""
        state = to_arrays("model", self._learner.variables) | to_arrays("optimizer", self._optimizer.variables)
        state |= to_arrays("best", self._selection.values) | to_arrays("hints", self._followed)
        if self._average:
            state |= to_arrays("average", self._average.variables)
        return state | {"selection": self._selection.numbers(), "facts": self._facts}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Put back what `state` gave, names and shapes included.

        Raises:
            InputError: if model, starting weights, data or settings are not those of the interrupted run.
        """
        require_same(state, self._facts, self.name)
        variables = self._learner.variables
        best = from_arrays("best", state, variables) if any(name.startswith("best/") for name in state) else []
        assign_values(variables, from_arrays("model", state, variables))
        assign_values(self._optimizer.variables, from_arrays("optimizer", state, self._optimizer.variables))
        assign_values(self._followed, from_arrays("hints", state, self._followed))
        if self._average:
            assign_values(self._average.variables, from_arrays("average", state, self._average.variables))
        self._selection.restore(state, best)

    def finish(self) -> None:
        """Best weights by the validation score; without a validation split averaged ones, or else the last."""
        if self._selection.values:
            assign_values(self._learner.variables, self._selection.values)
        elif self._average and self._average.count.numpy():
            assign_values(self._trained, snapshot(self._average.values))

    def explain(self, epoch: int, step: int) -> str:
        """A fault of the samples, else of the learning rate."""
        if fault := self._feed.fault(epoch, step) if step >= 0 else self._feed.validation_fault():
            return fault
        if epoch < 0:
            return AT_START
        steps = self._feed.steps
        here = rate(self._fit, epoch * steps + step % steps, steps) * self._selection.factor
        text = f"Likely cause: a learning rate of {here:.3g} is too high; try learning_rate={here / 10:.2g}"
        text += "" if self._fit.clip_norm else " or clip_norm=1"
        return text + ("." if self._fit.precision == "float32" else " or precision=float32.")

    def _settings(self) -> list[Any]:
        """What a resumed run must have in common with the interrupted one, in addition to the model that learns."""
        options = self._options
        teacher = None if options.teacher is None else dict(options.teacher.facts)
        augment = None if options.augment is None else asdict(options.augment)
        parts: list[Any] = [asdict(self._fit), augment, teacher, self._seed, self.name, options.frozen_through]
        parts += [dict(options.hints.facts)] if options.hints else []
        parts += ["members"] if options.members is not None else []
        return [*parts, self._dataset.digest, self._feed.prefix_digest]

    @property
    def _followed(self) -> Sequence[Any]:
        """The variables that carry the learner's features over to the teacher's."""
        return self._options.hints.variables if self._options.hints else ()

    @cached_property
    def _forward(self) -> Callable[..., Any]:
        forward: Callable[..., Any] = runner(self._learner)
        return forward

    def _validate(self) -> dict[str, float]:
        return validation_figures(self._forward, self._objective, self._feed.validation())

    def _restart_random_layers(self, epoch: int) -> None:
        """tf_keras dropout draws from hidden state in the compiled function: trace it anew from a seed an epoch."""
        if is_keras3(self._learner) or not any("Dropout" in type(layer).__name__ for layer in self._learner.layers):
            return
        tf.random.set_seed(derive(self._seed, self.name, "dropout", epoch) % 2**31)
        self._step.forget_trace()
