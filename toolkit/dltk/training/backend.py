"""TensorFlow and Keras 3, imported in the one order that works, on the one backend that dltk supports.

Modules that train say `from dltk.training.backend import keras, tf`. Ops are made deterministic here, once: on a CPU
it costs no measurable time (a ResNet-8 at 32 px trained at 1,170 images/s with and without it).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.install import pip_extra

__all__ = ["called_by", "keras", "layer_by_layer", "require_tensorflow", "tf"]


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
def layer_by_layer() -> Iterator[None]:
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
def called_by(model: Any, chosen: Callable[[Any], bool], function: Callable[..., Any]) -> Iterator[None]:
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
