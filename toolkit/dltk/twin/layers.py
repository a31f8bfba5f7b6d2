"""Layers as tf_keras layers: by class name, with the config keys that tf_keras knows, and what it lacks."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from dltk.base.errors import InputError
from dltk.twin.activations import function
from dltk.twin.graph import Layer

__all__ = ["Guard", "KernelWrapper", "make", "safe_name"]

_LONGEST = 100  # signs of a name: the converters write some of them many times over

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


class Affine(tf_keras.layers.Layer):
    """x * scale + offset, one pair a channel: a batch norm that follows no convolution, in use."""

    def build(self, shape: Any) -> None:
        """Make `scale` and `offset`, (channels,) each, for inputs of `shape` (..., channels)."""
        self.scale = self.add_weight(name="scale", shape=shape[-1:], initializer="ones")
        self.offset = self.add_weight(name="offset", shape=shape[-1:], initializer="zeros")

    def call(self, x: Any) -> Any:
        """`x` (n, ..., channels), scaled and shifted channel by channel; the shape stays."""
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
        """The function of `x`, a tensor of any shape."""
        return getattr(tf.math, self.function)(x)


class LayerScale(tf_keras.layers.Layer):
    """x * gamma, one factor a channel (arXiv:2103.17239)."""

    def build(self, shape: Any) -> None:
        """Make `gamma` (channels,), for inputs of `shape` (..., channels)."""
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")

    def call(self, x: Any) -> Any:
        """`x` (n, ..., channels) times `gamma`; the shape stays."""
        return x * self.gamma


class _OpenLSTM(tf_keras.layers.LSTM):
    """An LSTM that starts from a state it is given: always a loop in an exported file.

    TFLite's fused operator keeps the state in the tensors it starts from. Where something else computes them it writes
    over them, or the runtime refuses the file.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._could_use_gpu_kernel = False  # by which tf_keras marks what the converter fuses


def make(layer: Layer, *, given_state: bool = False, name: str | None = None) -> Callable[..., Any]:
    """What stands for `layer` in a tf_keras model: something to call with tensors.

    Args:
        given_state: whether a recurrent layer is called with the state it starts from.
        name: of the tf_keras layer, where it must differ from that of another; made of the layer's own when None.

    Raises:
        InputError: if a setting of the layer has no counterpart; names the layer and the key.
    """
    name = name or safe_name(layer.name)
    if layer.kind.startswith("op."):
        return _operation(layer)
    if layer.kind == "Guard":
        return Guard(layer.config["function"], name=name)
    given_state = given_state or bool(layer.config.get("loop"))  # see `dltk.export.flatbuffer.stateless`
    own: Any = {"Affine": Affine, "LayerScale": LayerScale}.get(layer.kind)
    if own is not None:
        return own(name=name)
    config = _ADAPT.get(layer.kind, dict)(dict(layer.config))
    if layer.kind in ("Bidirectional", "TimeDistributed"):
        config = _nested(config, given_state)
    kind = _OpenLSTM if given_state and layer.kind == "LSTM" else getattr(tf_keras.layers, layer.kind)
    return kind(**_known(kind, config, layer), name=name)


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
        elif value not in (None, False) and (key, value) != ("data_format", "channels_last"):
            raise InputError(f"layer {layer.name} ({layer.kind})", f"the setting {key} has no counterpart", value)
    return kept


def _activation(value: Any, layer: Layer) -> Any:
    def inside(kind: str, config: Mapping[str, Any]) -> Any:
        return make(Layer(f"{layer.name}.function", kind, config))

    return function(value, f"layer {layer.name} ({layer.kind})", inside)


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


class _WithConstant(tf_keras.layers.Layer):
    """An operation on a tensor and a constant, made inside: TensorFlow takes one from outside for an input."""

    def __init__(self, of: Callable[[Any, Any], Any], constant: Any, *, first: bool) -> None:
        super().__init__()
        self._of, self._constant, self._first = of, np.asarray(constant), first

    def call(self, x: Any) -> Any:
        constant = tf.constant(self._constant, x.dtype)
        return self._of(constant, x) if self._first else self._of(x, constant)


_CONSTANTS = (int, float, np.ndarray, np.generic, tf.__internal__.EagerTensor)


def _pair(of: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """An operation on two tensors, either of which may be a number or an array."""

    def called(x: Any, y: Any) -> Any:
        if isinstance(x, _CONSTANTS):
            return _WithConstant(of, x, first=True)(y)
        if isinstance(y, _CONSTANTS) and np.ndim(y):
            return _WithConstant(of, y, first=False)(x)
        return of(x, y)

    return lambda config: called


def _softmax(config: Mapping[str, Any]) -> Callable[[Any], Any]:
    axis = config.get("axis", -1)
    return tf_keras.layers.Softmax(tuple(axis) if isinstance(axis, (list, tuple)) else axis)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "op.Add": _pair(operator.add),
    "op.Subtract": _pair(operator.sub),
    "op.Multiply": _pair(operator.mul),
    "op.Divide": _pair(operator.truediv),
    "op.TrueDivide": _pair(operator.truediv),
    "op.Negative": lambda config: lambda x: -x,
    "op.Relu": lambda config: tf.nn.relu,
    "op.Relu6": lambda config: tf.nn.relu6,
    "op.Sigmoid": lambda config: tf.nn.sigmoid,
    "op.Tanh": lambda config: tf.nn.tanh,
    "op.Silu": lambda config: tf.nn.silu,
    "op.Softmax": _softmax,
    "op.Reshape": lambda config: lambda x, *_: tf.reshape(x, (-1, *config["newshape"][1:])),
    "op.Mean": lambda config: lambda x: tf.reduce_mean(x, axis=config["axis"], keepdims=config["keepdims"]),
}


def _operation(layer: Layer) -> Callable[..., Any]:
    return _OPERATIONS[layer.kind](layer.config)


def safe_name(name: str) -> str:
    """`name` as TensorFlow takes it in a scope: other names may become the same."""
    safe = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "_" for sign in name)[:_LONGEST]
    return safe if safe[:1].isalnum() else f"layer{safe}"


class KernelWrapper(tf_keras.layers.Wrapper):
    """Calls the layer inside with `kernel_value()` in place of its kernel; the kernel stays the layer's variable.

    `dltk.twin.build` puts the graph's weights into the layer inside.
    """

    def __init__(self, layer: Any, kernel: str = "kernel", **settings: Any) -> None:
        """`kernel`: the layer's attribute."""
        super().__init__(layer, **settings)
        self._kernel = kernel

    @property
    def variable(self) -> Any:
        """The kernel's variable."""
        return self.layer.__dict__[self._kernel]

    def kernel_value(self) -> Any:
        """What the layer computes with."""
        raise NotImplementedError

    def call(self, x: Any) -> Any:
        """The layer on what is made of its kernel."""
        inside: dict[str, Any] = self.layer.__dict__  # past Keras' tracking, which would take the tensor for a weight
        kernel = inside[self._kernel]
        inside[self._kernel] = self.kernel_value()
        try:
            return self.layer.call(x)
        finally:
            inside[self._kernel] = kernel
