"""What a model is trained toward, by the kind of target: one loss a kind, in plain TensorFlow ops.

Plain ops serve Keras 3 and tf_keras models alike. Everything is in float32, whatever the model computes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import Kind, family
from dltk.edge.sources.masks import IGNORED
from dltk.models.backend import tf
from dltk.recipe.groups import Fit

__all__ = ["Objective", "objective"]

_FLOOR = 1e-7  # lowest probability of a model with its softmax inside; keeps the logarithm finite


@dataclass(frozen=True)
class Objective:
    """A loss over a batch.

    Attributes:
        kind: of the targets.
        logits: model outputs -> float32 logits (n, k), or values where nothing is classified.
        encode: targets -> float32 (n, ...), what the loss compares with.
        losses: (logits, encoded targets) -> float32 (n,), one loss a sample, weights of rare classes included.
        distil: (logits, the teacher's after `logits`, temperature) -> float32 (n,).
    """

    kind: Kind
    logits: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    losses: Callable[[Any, Any], Any]
    distil: Callable[[Any, Any, float], Any]

    @property
    def has_classes(self) -> bool:
        """Whether exactly one class is right, of a sample or of each of its pixels.

        Not so for a ranking: how often the first of thousands is right is too coarse to choose weights by.
        """
        return self.kind in ("single-label", "pixels")


def objective(signature: Signature, targets: NDArray[Any], fit: Fit) -> Objective:
    """The loss for `targets`, the training split's.

    Args:
        targets: (n, ...), shaped as the family's `Kind` has them.

    Raises:
        InputError: if a label lies outside the model's outputs, or class weights are asked for without classes.
    """
    kind = family(signature.family).kind(signature)
    if kind in ("regression", "reconstruction"):
        if fit.class_weights != "none":
            raise InputError("setting class_weights", "needs classes", fit.class_weights, "Set it to none.")
        return Objective(kind, _float, _float, _squared, lambda ours, theirs, _: _squared(ours, theirs))
    classes = signature.outputs[0].sample_shape[-1]
    ends_inside = not any(op["op"] in ("softmax", "sigmoid") for op in signature.postprocess)
    if kind != "multi-label":
        if kind == "pixels" and classes <= IGNORED:
            targets = targets[targets != IGNORED]  # one-hot they are zeros, and so is their loss
        _require_labels(targets, classes)
        weights = tf.constant(_class_weights(targets, classes, fit))
        logits = _log_of_softmax if ends_inside else _float
        encode = _first_hot(classes) if kind == "ranking" else _one_hot(classes)
        return Objective(kind, logits, encode, _cross_entropy(weights, fit.label_smoothing), _softmax_distil)
    positive = tf.constant(_positive_weights(targets, fit))
    logits = _logit_of_sigmoid if ends_inside else _float
    return Objective(kind, logits, _float, _binary(positive, fit.label_smoothing), _sigmoid_distil)


def _require_labels(targets: NDArray[Any], classes: int) -> None:
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        received = f"{int(targets.min())}..{int(targets.max())}"
        raise InputError("labels", f"must lie in 0..{classes - 1}, the outputs of the model", received)


def _class_weights(targets: NDArray[Any], classes: int, fit: Fit) -> NDArray[np.float32]:
    """Ones, or n / (classes * count): their mean over the samples is 1."""
    if fit.class_weights == "none":
        return np.ones(classes, np.float32)
    counts = np.bincount(targets.reshape(-1), minlength=classes)
    return np.asarray(targets.size / (classes * np.maximum(counts, 1)), np.float32)


def _positive_weights(targets: NDArray[Any], fit: Fit) -> NDArray[np.float32]:
    if fit.class_weights == "none":
        return np.ones(targets.shape[-1], np.float32)
    found = targets.mean(0, dtype=np.float64)
    return np.asarray((1 - found) / np.maximum(found, 1 / max(len(targets), 1)), np.float32)


def _float(values: Any) -> Any:
    return tf.cast(values, tf.float32)


def _log_of_softmax(outputs: Any) -> Any:
    return tf.math.log(tf.maximum(_float(outputs), _FLOOR))


def _logit_of_sigmoid(outputs: Any) -> Any:
    inside = tf.clip_by_value(_float(outputs), _FLOOR, 1 - _FLOOR)
    return tf.math.log(inside) - tf.math.log1p(-inside)


def _one_hot(classes: int) -> Callable[[Any], Any]:
    def encode(targets: Any) -> Any:
        return tf.one_hot(targets, classes) if targets.dtype.is_integer else _float(targets)  # mixed ones are soft

    return encode


def _first_hot(classes: int) -> Callable[[Any], Any]:
    """Of targets (n,), or (n, 1 + k) where the item to be found stands before those that are no candidates."""

    def encode(targets: Any) -> Any:
        return tf.one_hot(targets if len(targets.shape) == 1 else targets[:, 0], classes)

    return encode


def _cross_entropy(weights: Any, smoothing: float) -> Callable[[Any, Any], Any]:
    def losses(logits: Any, soft: Any) -> Any:
        smooth = soft * (1 - smoothing) + smoothing / weights.shape[0]
        found = tf.nn.softmax_cross_entropy_with_logits(smooth, logits) * tf.linalg.matvec(soft, weights)
        return _mean_a_sample(found)

    return losses


def _binary(positive: Any, smoothing: float) -> Callable[[Any, Any], Any]:
    def losses(logits: Any, targets: Any) -> Any:
        smooth = targets * (1 - smoothing) + smoothing / 2
        return tf.reduce_mean(tf.nn.weighted_cross_entropy_with_logits(smooth, logits, positive), axis=-1)

    return losses


def _squared(ours: Any, theirs: Any) -> Any:
    # A series' targets may be (n, horizon) where the model gives (n, horizon, columns), or the other way round.
    return _mean_a_sample(tf.square(_float(ours) - tf.reshape(_float(theirs), tf.shape(ours))))


def _mean_a_sample(values: Any) -> Any:
    """(n, ...) -> (n,)."""
    return values if len(values.shape) == 1 else tf.reduce_mean(values, axis=list(range(1, len(values.shape))))


def _softmax_distil(ours: Any, theirs: Any, temperature: float) -> Any:
    """Kullback-Leibler divergence of softened outputs, times T^2 (Hinton et al. 2015, arXiv:1503.02531)."""
    wanted, found = tf.nn.log_softmax(theirs / temperature), tf.nn.log_softmax(ours / temperature)
    return temperature**2 * _mean_a_sample(tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1))


def _sigmoid_distil(ours: Any, theirs: Any, temperature: float) -> Any:
    wanted = tf.sigmoid(theirs / temperature)
    losses = tf.nn.sigmoid_cross_entropy_with_logits(wanted, ours / temperature)
    return temperature**2 * tf.reduce_mean(losses, axis=-1)
