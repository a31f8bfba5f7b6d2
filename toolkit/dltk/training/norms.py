"""Batch norms: as one kernel while a step is traced, and their statistics estimated again for weights that changed.

Keras 3 computes moments, multiplies and adds on their own: of MobileNetV2's training step at 96 px that took 750 of
1,120 ms of processor time; with TensorFlow's fused kernel the whole step takes 645.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from dltk.models.backend import layer_calls_replaced, tf

__all__ = ["fused_norms", "reestimate_norms"]


def fused_norms(model: Any) -> AbstractContextManager[None]:
    """While the block is traced, batch norms over images (n, height, width, channels) run as one kernel.

    The same function to rounding, statistics included. The deployed model is compared with the plain one.

    Args:
        model: Keras 3 model or tf_keras twin, nested models too.
    """
    return layer_calls_replaced(model, _can_be_fused, _fused)


def reestimate_norms(model: Any, batches: Iterable[Any]) -> None:
    """Set the statistics of every batch norm of `model`, in place, to their mean over `batches`.

    Training would take hundreds of steps for it at the usual momentum, and learn from wrong ones until then.

    Args:
        model: Keras 3 model; it is called as in training, so that dropout is on. See `seed_dropout`.
        batches: what `model` takes, one after the other; none is asked for where there is no batch norm.
    """
    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    if not norms:
        return
    before = [layer.momentum for layer in norms]
    for number, batch in enumerate(batches):
        for layer in norms:
            layer.momentum = number / (number + 1)  # the mean over all batches so far
        model(batch, training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum


def _can_be_fused(layer: Any) -> bool:
    if type(layer).__name__ != "BatchNormalization" or not layer.built:
        return False
    if getattr(layer, "renorm", False) or getattr(layer, "synchronized", False):
        return False
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    return axis in (-1, 3)


@tf.autograph.experimental.do_not_convert
def _fused(layer: Any, plain: Callable[..., Any], x: Any, training: Any = None, mask: Any = None) -> Any:
    if mask is not None or len(x.shape) != 4:
        return plain(x, training=training, mask=mask)
    learns, channels = bool(training) and layer.trainable, layer.moving_mean.shape[0]
    kept = [tf.cast(tf.convert_to_tensor(each), tf.float32) for each in (layer.moving_mean, layer.moving_variance)]
    # The raw operation: `fused_batch_norm` raises an epsilon of 1e-5.
    y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=_factor(layer.gamma, tf.ones, channels),
        offset=_factor(layer.beta, tf.zeros, channels),
        mean=tf.zeros(0) if learns else kept[0],
        variance=tf.zeros(0) if learns else kept[1],
        epsilon=layer.epsilon,
        is_training=learns,
    )
    if learns:
        count = tf.cast(tf.size(x) / channels, tf.float32)
        biased = variance * (count - 1) / count  # the kernel gives the unbiased one, Keras keeps the other
        for variable, old, new in zip((layer.moving_mean, layer.moving_variance), kept, (mean, biased), strict=True):
            variable.assign(old * layer.momentum + new * (1 - layer.momentum))
    return y


def _factor(variable: Any, otherwise: Callable[..., Any], channels: int) -> Any:
    return otherwise(channels) if variable is None else tf.cast(tf.convert_to_tensor(variable), tf.float32)
