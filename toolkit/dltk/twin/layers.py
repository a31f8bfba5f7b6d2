"""Layers as tf_keras layers: by class name, with the config keys that tf_keras knows, and what it lacks."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from dltk.base.errors import InputError
from dltk.twin.graph import Layer

__all__ = ["Guard", "make", "scope_name"]

# Keys that say how weights start, are regularized or stored; weights are copied, so they do not matter.
_HARMLESS = {
    "autocast",
    "build_config",
    "dtype",
    "lora_alpha",
    "lora_rank",
    "quantization_config",
    "seed",
    "flash_attention",
}
_HARMLESS_ENDINGS = ("_initializer", "_regularizer", "_constraint")


def _hard_sigmoid(x: Any) -> Any:
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def _hard_silu(x: Any) -> Any:
    return x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def _leaky_relu(x: Any) -> Any:
    return tf.nn.leaky_relu(x, alpha=0.2)


def _gelu_of_erf(x: Any) -> Any:
    return 0.5 * x * (1.0 + tf.math.erf(x * 0.7071067811865476))


# Keras 3 activations that tf_keras lacks, or defines otherwise.
_ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "gelu_of_erf": _gelu_of_erf,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "hard_swish": _hard_silu,
    "leaky_relu": _leaky_relu,
    "relu6": tf.nn.relu6,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
    "log_softmax": tf.nn.log_softmax,
}


class Affine(tf_keras.layers.Layer):
    """x * scale + offset, one pair a channel: a batch norm that follows no convolution, in use."""

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(name="scale", shape=shape[-1:], initializer="ones")
        self.offset = self.add_weight(name="offset", shape=shape[-1:], initializer="zeros")

    def call(self, x: Any) -> Any:
        inner, channels = x.shape[1:-1], x.shape[-1]
        if None in x.shape[1:]:
            return x * self.scale + self.offset
        # As a depthwise convolution: one operator that has an int8 kernel, where two would need a grid between them.
        image = tf.reshape(x, (-1, math.prod(inner), 1, channels))
        kernel = tf.reshape(self.scale, (1, 1, channels, 1))
        made = tf.nn.bias_add(tf.nn.depthwise_conv2d(image, kernel, (1, 1, 1, 1), "VALID"), self.offset)
        return tf.reshape(made, (-1, *inner, channels))


class Guard(tf_keras.layers.Layer):
    """An operator of `dltk.export.guard`, by the name of a function of one tensor in `tf.math`.

    A layer, so that its name stands in what the converters write: a model may hold the same operator for itself.
    """

    def __init__(self, function: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.function = function

    def call(self, x: Any) -> Any:
        return getattr(tf.math, self.function)(x)


class LayerScale(tf_keras.layers.Layer):
    """x * gamma, one factor a channel (arXiv:2103.17239)."""

    def build(self, shape: Any) -> None:
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")

    def call(self, x: Any) -> Any:
        return x * self.gamma


class _OpenLSTM(tf_keras.layers.LSTM):
    """An LSTM that starts from a state it is given: always a loop in an exported file.

    TFLite's fused operator keeps the state in the tensors it starts from. Where something else computes them it writes
    over them, or the runtime refuses the file.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._could_use_gpu_kernel = False  # by which tf_keras marks what the converter fuses


def make(layer: Layer, *, given_state: bool = False) -> Callable[..., Any]:
    """What stands for `layer` in a tf_keras model: something to call with tensors.

    Args:
        given_state: whether a recurrent layer is called with the state it starts from.

    Raises:
        InputError: if a setting of the layer has no counterpart; names the layer and the key.
    """
    if layer.kind.startswith("op."):
        return _operation(layer)
    if layer.kind == "Guard":
        return Guard(layer.config["function"], name=scope_name(layer.name))
    given_state = given_state or bool(layer.config.get("loop"))  # see `dltk.export.stateless`
    own: Any = {"Affine": Affine, "LayerScale": LayerScale}.get(layer.kind)
    if own is not None:
        return own(name=scope_name(layer.name))
    config = _ADAPT.get(layer.kind, dict)(dict(layer.config))
    if layer.kind in ("Bidirectional", "TimeDistributed"):
        config = _nested(config, given_state)
    kind = _OpenLSTM if given_state and layer.kind == "LSTM" else getattr(tf_keras.layers, layer.kind)
    return kind(**_known(kind, config, layer), name=scope_name(layer.name))


def _known(kind: Any, config: Mapping[str, Any], layer: Layer) -> dict[str, Any]:
    keys = {key for base in kind.__mro__ for key in inspect.signature(base.__init__).parameters}
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key == "name" or key in _HARMLESS or key.endswith(_HARMLESS_ENDINGS):
            continue
        if key.endswith("activation"):
            kept[key] = _activation(value, layer)
        elif key in keys or key in ("trainable", "fused", "zero_output_for_mask"):
            kept[key] = value
        elif value not in (None, False):
            raise InputError(f"layer {layer.name} ({layer.kind})", f"the setting {key} has no counterpart", value)
    return kept


def _activation(value: Any, layer: Layer) -> Any:
    if value is not None and not isinstance(value, str):
        raise InputError(f"layer {layer.name} ({layer.kind})", "its activation must be one of Keras' own", value)
    return _ACTIVATIONS.get(value, value) if value is not None else None


def _nested(config: dict[str, Any], given_state: bool) -> dict[str, Any]:
    """Bidirectional, TimeDistributed: the layer inside becomes a tf_keras layer."""
    for key in ("layer", "backward_layer"):
        if config.get(key):
            inner = config[key]
            inside = Layer(inner["config"]["name"], inner["class_name"], inner["config"])
            config[key] = make(inside, given_state=given_state)
    return config


def _recurrent(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in ("use_cudnn", "implementation", "loop")}


def _leaky(config: dict[str, Any]) -> dict[str, Any]:
    config["alpha"] = config.pop("negative_slope", 0.3)
    return config


def _batch_norm(config: dict[str, Any]) -> dict[str, Any]:
    # Keras 3 multiplies and adds; the fused kernel rounds otherwise, and deep models make that 1e-5.
    return config | {"fused": False}


_ADAPT: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "LeakyReLU": _leaky,
    "BatchNormalization": _batch_norm,
}

_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "op.Add": lambda config: lambda x, y: x + y,
    "op.Subtract": lambda config: lambda x, y: x - y,
    "op.Multiply": lambda config: lambda x, y: x * y,
    "op.Divide": lambda config: lambda x, y: x / y,
    "op.TrueDivide": lambda config: lambda x, y: x / y,
    "op.Negative": lambda config: lambda x: -x,
    "op.Relu": lambda config: tf.nn.relu,
    "op.Relu6": lambda config: tf.nn.relu6,
    "op.Sigmoid": lambda config: tf.nn.sigmoid,
    "op.Tanh": lambda config: tf.nn.tanh,
    "op.Silu": lambda config: tf.nn.silu,
    "op.Softmax": lambda config: lambda x: tf.nn.softmax(x, axis=config.get("axis", -1)),
    "op.Reshape": lambda config: lambda x, *_: tf.reshape(x, (-1, *config["newshape"][1:])),
    "op.Mean": lambda config: lambda x: tf.reduce_mean(x, axis=config["axis"], keepdims=config["keepdims"]),
}


def _operation(layer: Layer) -> Callable[..., Any]:
    return _OPERATIONS[layer.kind](layer.config)


def scope_name(name: str) -> str:
    """`name` as TensorFlow takes it in a scope."""
    safe = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in name)
    return safe if safe[:1].isalnum() else f"layer{safe}"
