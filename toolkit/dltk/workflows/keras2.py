"""Settings that Keras 2 wrote into `.h5` files and that Keras 3 refuses, though they change nothing.

Every MobileNet that Keras 2 saved holds one: `groups` of `DepthwiseConv2D`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["drop_settings"]

_ONE_GROUP = {"groups": 1}
_STATEFUL = {"rng_type": "stateful"}
_ANY = object()
# The kernels of a separable convolution have settings of their own: depthwise_..., pointwise_...
_SEPARABLE = {**_ONE_GROUP, "kernel_initializer": _ANY, "kernel_regularizer": _ANY, "kernel_constraint": _ANY}
_DROPOUT = {"trainable": True, "noise_shape": None}

# class name -> setting -> the value with which it says nothing
_LEFT: Mapping[str, Mapping[str, Any]] = {
    "Conv1DTranspose": _ONE_GROUP,
    "Conv2DTranspose": _ONE_GROUP,
    "DepthwiseConv1D": _ONE_GROUP,
    "DepthwiseConv2D": _ONE_GROUP,
    "RandomContrast": _STATEFUL,
    "RandomFlip": _STATEFUL,
    "RandomRotation": _STATEFUL,
    "RandomTranslation": _STATEFUL,
    "RandomZoom": _STATEFUL,
    "SeparableConv1D": _SEPARABLE,
    "SeparableConv2D": _SEPARABLE,
    "SpatialDropout1D": _DROPOUT,
    "SpatialDropout2D": _DROPOUT,
}


def drop_settings(layers: Iterable[Mapping[str, Any]]) -> bool:
    """Take what Keras 3 refuses and what says nothing out of the configurations of `layers`, in place.

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
