"""Batch norm statistics of a model whose layers see other inputs than before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["settle"]

_BATCH = 64


def settle(model: Any, tensors: list[NDArray[Any]], *, seed: int) -> None:
    """Measure the statistics of every batch norm of a Keras 3 `model` anew, in place.

    Training would take hundreds of steps for it at the usual momentum, and learn from wrong ones until then.

    Args:
        tensors: one array (n, ...) an input.
        seed: of dropout, which is on here as it is in training.
    """
    from dltk.training.weights import seed_dropout

    norms = [layer for layer in model.layers if type(layer).__name__ == "BatchNormalization"]
    if not norms:
        return
    seed_dropout(model, seed, "settle")
    before = [layer.momentum for layer in norms]
    count = max(1, len(tensors[0]) // _BATCH)
    for number, rows in enumerate(np.array_split(np.arange(len(tensors[0])), count)):
        for layer in norms:
            layer.momentum = number / (number + 1)  # the mean over all batches so far
        model([part[rows] for part in tensors] if len(tensors) > 1 else tensors[0][rows], training=True)
    for layer, momentum in zip(norms, before, strict=True):
        layer.momentum = momentum
