"""TensorFlow and Keras 3, imported in the one order that works, on the one backend that dltk supports.

Modules that train use `from dltk.models.backend import keras, tf`. Ops are made deterministic here, once: on a CPU
it costs no measurable time (a ResNet-8 at 32 px trained at 1,170 images/s with and without it).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.install import pip_extra

__all__ = [
    "layer_calls_replaced",
    "keras",
    "without_compilation",
    "odd_batches_crash",
    "require_tensorflow",
    "sliced_points",
    "tf",
]


def require_tensorflow() -> tuple[Any, Any]:
    """The modules (tensorflow, keras), quiet, deterministic and on Keras' TensorFlow backend.

    Raises:
        EnvironmentFault: if one of them is missing, or Keras is set to another backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.pop("TF_USE_LEGACY_KERAS", None)  # tfmot leaves it behind; it would turn `tf.keras` into Keras 2
    _require_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
    try:
        import keras  # after tensorflow: the other way round its log level is not heeded
        import tensorflow
    except ImportError as fault:
        hint = f"Run `{pip_extra('train')}`."
        raise EnvironmentFault("tensorflow and keras", "must be installed to train", str(fault), hint) from fault
    _require_backend(keras.backend.backend())  # keras.json may name another one, too
    tensorflow.config.experimental.enable_op_determinism()
    return tensorflow, keras


@contextmanager
def without_compilation() -> Iterator[None]:
    """While the block runs, nothing is compiled: NASNet's 769 layers take 60 s of it, 19 s without.

    For a handful of steps. Figures may differ in the last bits from those of compiled steps.
    """
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextmanager
def layer_calls_replaced(model: Any, chosen: Callable[[Any], bool], function: Callable[..., Any]) -> Iterator[None]:
    """While the block runs, layers of `model` that are `chosen` are called by `function` (layer, its own call, *args).

    Args:
        model: Keras 3 model or tf_keras twin, nested models too.
    """
    layers = [layer for layer in model._flatten_layers(recursive=True, include_self=False) if chosen(layer)]
    for layer in layers:
        vars(layer)["call"] = partial(function, layer, layer.call)  # past Keras' tracking of attributes
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _require_backend(name: str) -> None:
    if name != "tensorflow":
        raise EnvironmentFault(
            "Keras backend", "must be tensorflow", name, "Unset KERAS_BACKEND, or set it to tensorflow."
        )


tf, keras = require_tensorflow()


_SAFE_CHANNELS = 16


def odd_batches_crash(model: Any) -> bool:
    """Whether a step on an odd number of samples may corrupt memory.

    The gradient of a strided 1x1 convolution of fewer than 16 input channels does, in oneDNN as TensorFlow 2.21 brings
    it: batches of 1, 9, 11 and 31 ended the process with 4, 8 and 12 channels; even batches, 16 channels and more, and
    TF_ENABLE_ONEDNN_OPTS=0 did not. That was at 16 x 16; at even sizes of 56 and more, every batch ended it:
    `sliced_points` is for those.
    """
    return any(_is_such(getattr(layer, "layer", layer)) for layer in model.layers)


def sliced_points(model: Any) -> AbstractContextManager[None]:
    """While the block is traced, those convolutions take every n-th pixel first, and then step by one.

    The same function bit for bit, with another gradient kernel.

    Args:
        model: Keras 3 model or tf_keras twin, nested models too.
    """
    return layer_calls_replaced(model, _is_such, _sliced)


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
