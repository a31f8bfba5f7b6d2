"""Activation functions of Keras 3 in the twin: those of tf_keras, and what it lacks or defines otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from dltk.base.errors import InputError

__all__ = ["AS_FUNCTION", "function"]

# Layers without weights that may stand where the name of a function is usual: `Dense(8, activation=LeakyReLU(0.1))`.
AS_FUNCTION = frozenset({"Activation", "ELU", "LeakyReLU", "ReLU", "Softmax"})
_BEHIND = "Put it in a separate layer after this one, and save the model again."


def _hard_sigmoid(x: Any) -> Any:
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def _hard_silu(x: Any) -> Any:
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def _leaky_relu(x: Any) -> Any:
    return tf.nn.leaky_relu(x, alpha=0.2)


def _gelu_of_erf(x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.math.erf(x * 0.7071067811865476))


def _celu(x: Any) -> Any:
    return tf.nn.relu(x) + (tf.exp(tf.minimum(x, 0.0)) - 1.0)  # Keras' Expm1 is in no format


def _of_keras(name: str) -> Callable[[Any], Any]:
    """Keras 3's own function: made of operators that both formats have."""

    def computed(x: Any) -> Any:
        import keras

        return getattr(keras.activations, name)(x)

    return computed


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "celu": _celu,
    "gelu_of_erf": _gelu_of_erf,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "leaky_relu": _leaky_relu,
    "relu6": tf.nn.relu6,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
    "log_softmax": tf.nn.log_softmax,
} | {
    name: _of_keras(name)
    for name in (
        "hard_shrink",
        "hard_tanh",
        "log_sigmoid",
        "soft_shrink",
        "sparse_plus",
        "sparse_sigmoid",
        "sparsemax",
        "squareplus",
        "tanh_shrink",
    )
}


def _named(name: str, of: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`of` under a name that tf_keras finds again: its wrappers write the layer inside down and read it back."""

    def computed(x: Any) -> Any:
        return of(x)

    computed.__name__ = name
    return tf_keras.utils.register_keras_serializable("dltk", name)(computed)


_REGISTERED: Mapping[str, Callable[[Any], Any]] = {name: _named(name, of) for name, of in _FUNCTIONS.items()}


def function(value: Any, where: str, make: Callable[[str, Mapping[str, Any]], Any]) -> Any:
    """What tf_keras takes as `activation` for Keras 3's value of it.

    Args:
        value: a name, None, or a layer as Keras writes it down.
        where: the layer that has it, for messages.
        make: (class name, config) -> the tf_keras layer.

    Raises:
        InputError: if it is unknown.
    """
    if isinstance(value, Mapping) and value.get("class_name") in AS_FUNCTION:
        return make(str(value["class_name"]), value["config"])
    if value is not None and not isinstance(value, str):
        received = value.get("class_name") if isinstance(value, Mapping) else value
        raise InputError(where, "its activation must be one of Keras' own functions", received, _BEHIND)
    if value is None or value in _REGISTERED:
        return None if value is None else _REGISTERED[value]
    if not hasattr(tf_keras.activations, value) or value in ("get", "serialize", "deserialize"):
        hint = (
            "Every function of keras.activations but glu and threshold can be; or leave it out and call layers instead."
        )
        raise InputError(where, "its activation must be one that dltk can rebuild", value, hint)
    return value
