"""A model split where unfreezing starts: the frozen part once a view, the trained part every step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dltk.base.errors import InputError, did_you_mean
from dltk.models.backend import keras
from dltk.training.optimizers import is_keras3

__all__ = ["batch_norm_frozen", "precision", "split_at"]

_BATCH_NORM = ("BatchNormalization", "SyncBatchNormalization")
_FREE = ("GlobalAveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalMaxPooling1D", "Flatten",
         "AveragePooling2D", "MaxPooling2D")  # fmt: skip


def split_at(model: Any, name: str) -> tuple[Any, Any]:
    """(prefix, suffix) of a functional Keras 3 `model`; both share its layers, so training the suffix trains it.

    The cut is moved on over poolings behind layer `name`: they have no weights and make the features smaller.

    Raises:
        InputError: if there is no such layer, or the model can be entered past it.
    """
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        raise InputError(f"layer {name!r}", "must be a layer of the model", hint=did_you_mean(name, layers))
    if not is_keras3(model):
        raise InputError(f"layer {name!r}", "needs a Keras 3 model", type(model).__module__)
    cut = _after_pooling(layers[name], set(layers.values()))
    prefix = keras.Model(model.inputs, cut.output, name="frozen")
    with _no_traces(model):
        try:
            suffix = keras.Model(cut.output, model.outputs[0], name="trained")
        except (ValueError, KeyError) as fault:
            raise InputError(
                f"layer {name!r}",
                "must be one that all paths go through, where training begins behind it",
                hint="Name the last layer of a block.",
            ) from fault
    return prefix, suffix


def _after_pooling(layer: Any, members: set[Any]) -> Any:
    """The last of the weightless poolings that follow `layer`, each the only reader of the one before."""
    while True:
        readers = [node.operation for node in layer._outbound_nodes if node.operation in members]
        if len(readers) != 1 or type(readers[0]).__name__ not in _FREE or _size(readers[0]) > _size(layer):
            return layer
        layer = readers[0]


def _size(layer: Any) -> int:
    return math.prod(size or 1 for size in layer.output.shape[1:])


@contextmanager
def _no_traces(model: Any) -> Iterator[None]:
    """Keras notes in every layer each model made of it, and refuses `layer.output` then: take the notes back."""
    before = [(layer, len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in model.layers]
    yield
    for layer, inbound, outbound in before:
        del layer._inbound_nodes[inbound:]
        del layer._outbound_nodes[outbound:]


@contextmanager
def batch_norm_frozen(model: Any) -> Iterator[None]:
    """While the block is traced, batch norms run in inference mode: a few new samples must not move their statistics.

    Their gamma and beta are not trained either. `model` None: nothing is done.
    """
    layers = [] if model is None else model.layers
    norms = [layer for layer in layers if type(layer).__name__ in _BATCH_NORM and layer.trainable]
    for layer in norms:
        layer.trainable = False
    try:
        yield
    finally:
        for layer in norms:
            layer.trainable = True


@contextmanager
def precision(model: Any, policy: str) -> Iterator[None]:
    """While the block is traced, the layers of `model` compute in `policy`; weights stay float32.

    Raises:
        InputError: if `model` is a tf_keras one and `policy` is not float32.
    """
    if policy == "float32":
        yield
        return
    if not is_keras3(model):
        raise InputError("setting precision", "must be float32 for a compressed model's twin", policy)
    before = [(layer, layer.dtype_policy) for layer in model.layers]
    for layer, _ in before:
        layer.dtype_policy = policy
    try:
        yield
    finally:
        for layer, old in before:
            layer.dtype_policy = old
