"""The compiled step: forward, loss, gradients, update; one at a time, or an epoch of them in one loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.models.backend import sliced_points, tf
from dltk.recipe.groups import Fit
from dltk.training.losses import Objective
from dltk.training.norms import fused_norms
from dltk.training.trainers.cut import batch_norm_frozen, precision
from dltk.training.trainers.options import FitOptions
from dltk.training.weights import Average, is_kernel

__all__ = ["Step"]


class Step:
    """Learns from arrays. XLA is left off: on two cores it trained a ResNet-8 no faster and took 2 s longer to start.

    Args:
        learner: Keras 3 or tf_keras model that is called.
        trained: its variables that are updated.
        options: teacher and hints to follow besides the targets, hints only in steps one by one; where a part of the
            model is frozen, batch norms run in inference mode. Members are called in the place of `learner`.
    """

    def __init__(
        self, learner: Any, trained: Sequence[Any], goal: Objective, optimizer: Any, average: Average | None, fit: Fit,
        options: FitOptions
    ) -> None:  # fmt: skip
        self._learner = learner if options.members is None else options.members
        self._members = 0 if options.members is None else options.members.outputs[0].shape[1]
        self._trained, self._goal, self._optimizer = list(trained), goal, optimizer
        self._average, self._teacher, self._fit, self._hints = average, options.teacher, fit, options.hints
        self._norms_of = learner if options.frozen_through is not None else None

    def one(self, inputs: list[Any], targets: Any, with_teacher: Any, rate: Any, led: Any) -> Mapping[str, Any]:
        """One optimizer step; scalars "loss", for single labels "accuracy", with hints "features".

        `led`: the teacher's features as rows; empty: computed here, where hints are followed.
        """
        arrays = [tf.constant(array) for array in inputs]
        given = [tf.constant(targets), tf.constant(with_teacher), tf.constant(rate, tf.float32), tf.constant(led)]
        return dict(self._compiled(arrays, *given))

    def many(
        self, inputs: Any, targets: Any, with_teacher: Any, order: NDArray[np.int64], rates: NDArray[np.float32]
    ) -> Mapping[str, Any]:
        """One step per row of `order` (steps, batch), rows of the arrays in memory; figures (steps,)."""
        return dict(self._compiled_loop(inputs, targets, with_teacher, tf.constant(order), tf.constant(rates)))

    def forget_trace(self) -> None:
        """Compile anew at the next step."""
        self.__dict__.pop("_compiled", None)

    @cached_property
    def _compiled(self) -> Any:
        return tf.function(self._learn, autograph=False, reduce_retracing=True)

    @cached_property
    def _compiled_loop(self) -> Callable[..., Any]:
        names = ("loss", "accuracy") if self._goal.kind == "single-label" else ("loss",)

        def learn(features: Any, targets: Any, with_teacher: Any, order: Any, rates: Any) -> Any:
            def body(step: Any, found: Any) -> Any:
                rows = order[step]
                teacher = tf.gather(with_teacher, rows) if self._teacher else with_teacher
                figures = self._learn([tf.gather(features, rows)], tf.gather(targets, rows), teacher, rates[step])
                return step + 1, {name: found[name].write(step, figures[name]) for name in found}

            count = tf.shape(order)[0]
            start = (tf.constant(0), {name: tf.TensorArray(tf.float32, count) for name in names})
            # One step after the other: each starts from the weights that the last one left.
            _, found = tf.while_loop(lambda step, _: step < count, body, start, parallel_iterations=1)
            return {name: values.stack() for name, values in found.items()}

        compiled: Callable[..., Any] = tf.function(learn, autograph=False, reduce_retracing=True)
        return compiled

    def _learn(self, inputs: list[Any], targets: Any, with_teacher: Any, rate: Any, led: Any = None) -> dict[str, Any]:
        """One step, traced. Batch norm and precision are set while tracing, and put back."""
        learner, goal, hints = self._learner, self._goal, self._hints
        given = inputs[0] if len(inputs) == 1 else inputs
        kept = led is not None and led.shape.rank == 2
        theirs = [] if hints is None else hints.parts(led) if kept else hints.wanted(given)
        with (
            batch_norm_frozen(self._norms_of),
            precision(learner, self._fit.precision),
            fused_norms(learner),
            sliced_points(learner),
            tf.GradientTape() as tape,
        ):
            outputs, *features = hints.student(given, training=True) if hints else [learner(given, training=True)]
            logits = goal.logits(outputs)
            wanted = goal.encode(targets)
            if self._members:  # each is a sample with the same target
                logits = tf.reshape(logits, [-1, logits.shape[-1]])
                wanted = tf.repeat(wanted, self._members, axis=0)
            losses = goal.losses(logits, wanted)
            if self._teacher:
                share, asked = self._teacher.weight, goal.logits(with_teacher)
                losses = (1 - share) * losses + share * goal.distil(logits, asked, self._teacher.temperature)
            extra = {"features": hints.loss(features, theirs)} if hints else {}
            loss = tf.add_n([tf.reduce_mean(losses), *extra.values(), *self._penalties()])
        self._apply(tape.gradient(loss, self._trained), rate)
        figures = {"loss": loss, **extra}
        if goal.kind == "single-label":
            right = tf.equal(tf.argmax(logits, -1), tf.argmax(wanted, -1))
            figures["accuracy"] = tf.reduce_mean(tf.cast(right, tf.float32))
        return figures

    def _penalties(self) -> list[Any]:
        """The L2 penalty on kernels, and what layers add of their own."""
        own = [tf.cast(value, tf.float32) for value in self._learner.losses]
        kernels = [variable for variable in self._trained if is_kernel(variable)] if self._fit.l2 else []
        return own + [self._fit.l2 * tf.reduce_sum(tf.square(tf.convert_to_tensor(kernel))) for kernel in kernels]

    def _apply(self, gradients: Sequence[Any], rate: Any) -> None:
        pairs = [pair for pair in zip(gradients, self._trained, strict=True) if pair[0] is not None]
        if self._fit.clip_norm:
            clipped, _ = tf.clip_by_global_norm([gradient for gradient, _ in pairs], self._fit.clip_norm)
            pairs = [(gradient, variable) for gradient, (_, variable) in zip(clipped, pairs, strict=True)]
        self._optimizer.learning_rate.assign(rate)
        self._optimizer.apply_gradients(pairs)
        if self._average:
            self._average.update()
