"""Batch-norm re-estimation: statistics are measured again if the inputs of layers changed, and kept if they come from
other data.

A backbone that is fine-tuned with its norms in inference mode keeps the statistics of the data that it was first
trained on, and its weights depend on them. With statistics of the new data it would compute another function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.compress.candidate import Workbench

__all__ = ["freeze_norms", "has_foreign_statistics", "statistics_match", "reestimate"]

_BATCH = 64
# Mean cosine of outputs before and after, on 500 CIFAR-10 images: 0.989 of a ResNet-8 that was trained on them, 0.946
# of a MobileNetV2 whose norms stayed in inference mode.
_ALIKE = 0.95


def reestimate(model: Any, tensors: list[NDArray[Any]], *, seed: int) -> None:
    """Re-estimate the statistics of every batch norm of a Keras 3 `model`, in place.

    Args:
        tensors: one array (n, ...) per input.
        seed: of dropout, which is on here as it is in training.
    """
    from dltk.training.norms import reestimate_norms
    from dltk.training.weights import seed_dropout

    if not any(type(layer).__name__ == "BatchNormalization" for layer in model.layers):
        return
    seed_dropout(model, seed, "settle")  # this word is part of the seed: another would draw other masks
    parts = np.array_split(np.arange(len(tensors[0])), max(1, len(tensors[0]) // _BATCH))
    batches = ([each[rows] for each in tensors] if len(tensors) > 1 else tensors[0][rows] for rows in parts)
    reestimate_norms(_plain(model), batches)


def statistics_match(model: Any, tensors: list[NDArray[Any]], *, seed: int) -> bool:
    """Whether the batch norms of a Keras 3 `model` hold the statistics of these samples, as those of training do.

    Args:
        tensors: one array (n, ...) an input; training samples.
    """
    import keras

    from dltk.edge.metrics import mean_cosine
    from dltk.twin.keras3 import copied

    copy = copied(model)
    reestimate(copy, tensors, seed=seed)
    given = tensors if len(tensors) > 1 else tensors[0]
    plain = [_plain(each) for each in (model, copy)]
    before, after = (keras.tree.flatten(each.predict(given, batch_size=_BATCH, verbose=0)) for each in plain)
    return all(mean_cosine(a, b) >= _ALIKE for a, b in zip(before, after, strict=True))


def has_foreign_statistics(model: Any, bench: Workbench) -> bool:
    """Whether the batch norms of `model` hold statistics of other data than the bench's: see `statistics_match`."""
    from dltk.training.features import model_inputs

    return not statistics_match(model, model_inputs(model, bench.calibration(0), bench.signature), seed=bench.seed)


def _plain(model: Any) -> Any:
    """`model` on a tensor where it has one input: Keras warns where a list of one was given when it was built."""
    import keras

    return keras.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], model.outputs)


def freeze_norms(model: Any) -> None:
    """Let the batch norms of `model` compute as in use while it trains; their statistics and factors stay."""
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.trainable = False
