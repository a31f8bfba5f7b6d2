"""Where TensorFlow itself would end the process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from dltk.training.backend import called_by

__all__ = ["odd_batches_crash", "sliced_points"]

_SAFE_CHANNELS = 16


def odd_batches_crash(model: Any) -> bool:
    """Whether a step on an odd number of samples may corrupt memory.

    The gradient of a strided 1x1 convolution of fewer than 16 input channels does, in oneDNN as TensorFlow 2.21 brings
    it: batches of 1, 9, 11 and 31 ended the process with 4, 8 and 12 channels; even batches, 16 channels and more, and
    TF_ENABLE_ONEDNN_OPTS=0 did not. That was at a side of 16; at even sides of 56 and more, every batch ended it:
    `sliced_points` is for those.
    """
    return any(_is_such(getattr(layer, "layer", layer)) for layer in model.layers)


def sliced_points(model: Any) -> AbstractContextManager[None]:
    """While the block is traced, those convolutions take every n-th pixel first, and then step by one.

    The same function to the bit, with another gradient kernel.

    Args:
        model: Keras 3 model or tf_keras twin, nested models too.
    """
    return called_by(model, _is_such, _sliced)


def _sliced(layer: Any, plain: Callable[..., Any], x: Any, *given: Any, **named: Any) -> Any:
    strides = layer.strides
    thinned = x[(slice(None), *(slice(None, None, step) for step in strides))]
    vars(layer)["strides"] = (1,) * len(strides)
    try:
        return plain(thinned, *given, **named)
    finally:
        vars(layer)["strides"] = strides


def _is_such(layer: Any) -> bool:
    if type(layer).__name__ not in ("Conv1D", "Conv2D") or layer.data_format != "channels_last":
        return False
    points = all(size == 1 for size in layer.kernel_size)
    return points and any(step > 1 for step in layer.strides) and int(layer.kernel.shape[-2]) < _SAFE_CHANNELS
