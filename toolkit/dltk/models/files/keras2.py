"""What Keras 2 wrote into its files and Keras 3 reads otherwise.

Settings of `.h5` files that Keras 3 refuses, though they change nothing: every MobileNet that Keras 2 saved holds one,
`groups` of `DepthwiseConv2D`. And activations that Keras 3 takes without a word for another function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError

__all__ = ["drop_settings", "require_same_activations"]

_ONE_GROUP = {"groups": 1}
_STATEFUL = {"rng_type": "stateful"}
_ANY = object()
# The kernels of a separable convolution have settings of their own: depthwise_..., pointwise_...
_SEPARABLE = {**_ONE_GROUP, "kernel_initializer": _ANY, "kernel_regularizer": _ANY, "kernel_constraint": _ANY}
_DROPOUT = {"trainable": True, "noise_shape": None}
_BATCH_FIRST = {"time_major": False}

# class name -> setting -> the value with which it says nothing
_LEFT: Mapping[str, Mapping[str, Any]] = {
    "Conv1DTranspose": _ONE_GROUP,
    "Conv2DTranspose": _ONE_GROUP,
    "DepthwiseConv1D": _ONE_GROUP,
    "DepthwiseConv2D": _ONE_GROUP,
    "GRU": _BATCH_FIRST,
    "LSTM": _BATCH_FIRST,
    "RandomContrast": _STATEFUL,
    "RandomFlip": _STATEFUL,
    "RandomRotation": _STATEFUL,
    "RandomTranslation": _STATEFUL,
    "RandomZoom": _STATEFUL,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "SimpleRNN": _BATCH_FIRST,
    "SpatialDropout1D": _DROPOUT,
    "SpatialDropout2D": _DROPOUT,
}


def require_same_activations(layers: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Raise InputError if a layer of Keras 2 in the file at `path` uses hard_sigmoid, another function in Keras 3."""
    for layer in layers:
        config = layer.get("config")
        if not isinstance(config, dict):
            continue
        for key in ("activation", "recurrent_activation"):
            given = config.get(key)
            if "hard_sigmoid" in (given, given.get("config") if isinstance(given, dict) else None):
                rule = "must not use hard_sigmoid: clip(0.2 x + 0.5, 0, 1) in Keras 2, relu6(x + 3) / 6 in Keras 3"
                where = f"{path}: layer {config.get('name', layer.get('class_name'))!r}"
                raise InputError(where, rule, hint="Train it with sigmoid, or save it anew with Keras 3.")


def drop_settings(layers: Iterable[Mapping[str, Any]]) -> bool:
    """Remove settings that Keras 3 refuses and that have no effect from the configurations of `layers`, in place.

    Args:
        layers: `{"class_name": ..., "config": {...}}`, as a model's configuration holds them.

    Returns:
        Whether anything was taken out.
    """
    changed = False
    for layer in layers:
        config = layer.get("config")
        if not isinstance(config, dict):
            continue
        for key, value in _LEFT.get(str(layer.get("class_name")), {}).items():
            if key in config and (value is _ANY or config[key] == value):
                del config[key]
                changed = True
    return changed
