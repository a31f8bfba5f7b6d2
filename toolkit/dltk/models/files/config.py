"""The configuration of an untrusted Keras model: what it may contain, and what dltk removes from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError

__all__ = [
    "make_stateless",
    "drop_settings",
    "require_few_layers",
    "require_own_layers",
    "require_same_activations",
    "serialized",
]

_MOST_LAYERS = 5_000  # serialized; the largest of keras.applications has 1,100
_MOST_OBJECTS = 200_000
_DEEPEST = 64  # models within models; JSON needs some levels for each
_SPECTRUM = 16_777_216  # weights of a Fourier transform or a filter bank, which are computed and in no file
_RUNS_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")  # layers that hold somebody's code
_OWN_MODULES = ("keras", "builtins")
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
_SHAPES = ("batch_shape", "batch_input_shape")


def require_own_layers(config: Any, path: Path) -> None:
    """Raise InputError if the configuration in the file at `path` is too large, or names code or others' layers."""
    require_few_layers(config, path)
    strict = path.suffix == ".keras"
    if strict and isinstance(config, dict):
        config["compile_config"] = None  # loss, metrics and optimizer: the model is opened without them
    hint = "Rebuild it from Keras' own layers; dltk runs no code out of a model file."
    for item in serialized(config):
        kind, module = item.get("class_name"), item.get("module")
        named = (item.get("config") or {}).get("name") if isinstance(item.get("config"), dict) else None
        name = named or kind
        if kind in _RUNS_CODE:
            raise InputError(f"{path}: layer {name!r}", "must not hold code", kind, hint)
        custom = isinstance(module, str) and module.partition(".")[0] not in _OWN_MODULES
        if strict and (custom or _is_custom(item)):
            received = f"{module}.{kind}" if module else item.get("registered_name")
            raise InputError(f"{path}: {name!r}", "must be one of Keras' own classes", received, hint)


def _is_custom(item: dict[str, Any]) -> bool:
    """Keras writes `registered_name` with a package for what is not its own: "package>Class"."""
    return item.get("module") is None and ">" in str(item.get("registered_name") or "")


def require_few_layers(config: Any, where: object) -> None:
    """Hold the configuration of a model to a number of layers, a depth, and constants that can be computed.

    Raises:
        InputError: naming what is too much.
    """
    layers, objects, waiting = 0, 0, [(config, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            raise InputError(where, f"the configuration must nest at most {_DEEPEST} deep")
        children: Iterable[Any] = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
        waiting.extend((child, depth + 1) for child in children if isinstance(child, (dict, list)))
        if isinstance(item, dict):
            objects += 1
            layers += isinstance(item.get("class_name"), str) and ("inbound_nodes" in item or "build_config" in item)
            _require_modest_transform(item, where)
    if layers > _MOST_LAYERS or objects > _MOST_OBJECTS:
        rule = f"must have at most {_MOST_LAYERS} layers and {_MOST_OBJECTS} objects in its configuration"
        raise InputError(where, rule, f"{layers} and {objects}")


def _require_modest_transform(item: dict[str, Any], where: object) -> None:
    told = item.get("config")
    if not isinstance(told, dict):
        return
    sizes = [told[key] for key in ("fft_length", "frame_length", "sequence_length", "num_mel_bins") if key in told]
    if math.prod(max(size, 1) for size in sizes if isinstance(size, int)) > _SPECTRUM:
        raise InputError(f"{where}: {item.get('class_name')}", f"must have at most {_SPECTRUM} coefficients", sizes)


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


def make_stateless(layers: Iterable[dict[str, Any]]) -> list[str]:
    """Take state between calls and fixed batch sizes out of the configurations of `layers`, in place.

    Args:
        layers: `{"class_name": ..., "config": {...}}`, as a model's configuration holds them.

    Returns:
        Names of the layers that were changed.
    """
    changed = []
    for layer in layers:
        config = layer.get("config")
        if not isinstance(config, dict):
            continue
        stateful = config.get("stateful") is True
        fixed = [key for key in _SHAPES if isinstance(config.get(key), list) and config[key][:1] not in ([], [None])]
        if stateful:
            config["stateful"] = False
        for key in fixed:
            config[key] = [None, *config[key][1:]]
        if stateful or fixed:
            changed.append(str(config.get("name", layer.get("class_name"))))
    return changed


def serialized(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized object in `config`; a stack, since files may nest as deep as they like."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
