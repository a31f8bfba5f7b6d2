"""Where TensorFlow itself would end the process."""

from __future__ import annotations

from typing import Any

__all__ = ["odd_batches_crash"]

_SAFE_CHANNELS = 16


def odd_batches_crash(model: Any) -> bool:
    """Whether a step on an odd number of samples may corrupt memory.

    The gradient of a strided 1x1 convolution of fewer than 16 input channels does, in oneDNN as TensorFlow 2.21 brings
    it: batches of 1, 9, 11 and 31 ended the process with 4, 8 and 12 channels; even batches, 16 channels and more, and
    TF_ENABLE_ONEDNN_OPTS=0 did not.
    """
    return any(_is_such(getattr(layer, "layer", layer)) for layer in model.layers)


def _is_such(layer: Any) -> bool:
    if type(layer).__name__ not in ("Conv1D", "Conv2D"):
        return False
    points = all(size == 1 for size in layer.kernel_size)
    return points and any(step > 1 for step in layer.strides) and int(layer.kernel.shape[-2]) < _SAFE_CHANNELS
