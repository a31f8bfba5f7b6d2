"""Feature matching: tensors inside a student that follow tensors inside its teacher while it trains.

Romero et al. 2014 (arXiv:1412.6550). `keras.distillation` has such a loss, but only inside `Model.fit`, where it would
have no exact resume and no guard against NaN.

The teacher's features of a view are the same in every epoch: up to 2 GB of them are computed once and kept on disk, as
its logits are; what would take more is computed anew in every step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from dltk.base.errors import InputError
from dltk.models.backend import keras, tf
from dltk.training.features import Frozen

__all__ = ["Hints"]

_KEPT_AT_MOST = 2_000_000_000  # bytes on disk, over all views: what the system's file cache can hold is read fast
_FLOOR = 1e-12  # of a squared length: a map that is all zeros has no direction


class Hints:
    """Feature targets of a student.

    Both are normalized to length 1 per sample, so that the loss is 2 - 2 cos, whatever the scales of the two models
    are. A linear map over the last axis (a 1x1 convolution, for training only) bridges different numbers of channels.

    Args:
        teacher: Keras 3 model of the student's inputs, frozen; `teacher_layers` are in it.
        student: Keras 3 model that learns.
        teacher_layers, student_layers: names of layers with one output, pairwise of the same shape but for channels.
        weight: factor of the loss.
        seed: of the first weights of the linear maps.

    Raises:
        InputError: if shapes do not fit.
    """

    def __init__(
        self, teacher: Any, student: Any, teacher_layers: Sequence[str], student_layers: Sequence[str], *,
        weight: float, seed: int
    ) -> None:  # fmt: skip
        self.weight, self.names = weight, list(zip(teacher_layers, student_layers, strict=True))
        theirs = [teacher.get_layer(name).output for name in teacher_layers]
        self._sizes = [math.prod(their.shape[1:]) if None not in their.shape[1:] else 0 for their in theirs]
        ours = [student.get_layer(name).output for name in student_layers]
        self.teacher = Frozen(keras.Model(_inputs(teacher), _flattened_features(theirs)), teacher_layers)
        self.student = keras.Model(_inputs(student), [student.outputs[0], *ours])
        self._bridges = [
            _bridge(names, tuple(our.shape), tuple(their.shape), seed + number)
            for number, (names, our, their) in enumerate(zip(self.names, ours, theirs, strict=True))
        ]

    @property
    def variables(self) -> list[Any]:
        """Weights of the linear maps; they are trained with the student and then thrown away."""
        return [variable for bridge in self._bridges if bridge is not None for variable in bridge.variables]

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """What a resumed run must have in common with the interrupted one."""
        return {"hints": self.names, "weight": self.weight, "teacher": self.teacher.digest}

    def can_keep(self, samples: int, views: int) -> bool:
        """Whether the teacher's features of so many samples in so many views may be kept on disk; of 0 views none."""
        return all(self._sizes) and 0 < views * samples * sum(self._sizes) * 4 <= _KEPT_AT_MOST

    def wanted(self, inputs: Any) -> list[Any]:
        """The teacher's features (n, ...) of a batch as rows; outside of any gradient tape."""
        return self.parts(tf.stop_gradient(tf.cast(self.teacher.model(inputs, training=False), tf.float32)))

    def parts(self, rows: Any) -> list[Any]:
        """The teacher's features out of rows of its output, where they stand one behind the other."""
        return list(tf.split(rows, self._sizes, axis=1)) if len(self._sizes) > 1 else [rows]

    def loss(self, found: Sequence[Any], wanted: Sequence[Any]) -> Any:
        """Scalar: mean over samples and pairs of 2 - 2 cos, times `weight`."""
        losses = []
        for bridge, ours, theirs in zip(self._bridges, found, wanted, strict=True):
            bridged = ours if bridge is None else bridge(ours)
            losses.append(tf.reduce_mean(tf.reduce_sum(tf.square(_unit(bridged) - _unit(theirs)), axis=-1)))
        return self.weight * tf.add_n(losses) / len(losses)


def _bridge(names: tuple[str, str], ours: tuple[Any, ...], theirs: tuple[Any, ...], seed: int) -> Any:
    """A linear map to the teacher's channels; None where there are as many."""
    if ours[:-1] != theirs[:-1]:
        rule = "both layers must have features of one shape, but for the channels"
        raise InputError(f"features {names[0]}:{names[1]}", rule, f"{theirs[1:]} and {ours[1:]}")
    if ours[-1] == theirs[-1]:
        return None
    start = keras.initializers.GlorotUniform(seed=seed)
    bridge = keras.layers.Dense(theirs[-1], use_bias=False, kernel_initializer=start, name=f"bridge_{names[1]}")
    bridge.build(ours)
    return bridge


def _unit(features: Any) -> Any:
    """(n, ...) as (n, k) of length 1, in float32."""
    flat = tf.reshape(tf.cast(features, tf.float32), (tf.shape(features)[0], -1))
    return flat * tf.math.rsqrt(tf.reduce_sum(tf.square(flat), axis=-1, keepdims=True) + _FLOOR)


def _inputs(model: Any) -> Any:
    """As the step passes them: one tensor alone, several in a list."""
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def _flattened_features(features: list[Any]) -> Any:
    """All features of a sample as one row: one output, which a cache can hold."""
    rows = [keras.layers.Flatten()(value) for value in features]
    return rows[0] if len(rows) == 1 else keras.layers.Concatenate()(rows)
