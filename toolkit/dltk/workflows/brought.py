"""Checks of an adopted model before it becomes a Run: it must compute in float32, and be exportable."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.models.conventions import Input

__all__ = ["as_deployable", "first_line", "as_plain_model", "require_same", "deployment_differences"]

_POLICIES = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")
_FLOAT = "float32"
_SCOPE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.>-]*")  # what TensorFlow takes where it compiles a model
_LORA = ("lora_rank", "lora_alpha")


def as_deployable(model: Any, given: Input, progress: Progress) -> Any:
    """`model` with float32 inside; what could never be exported is refused here, before the data is read.

    Raises:
        InputError: if it cannot be rebuilt, or reads whole numbers that the wanted range does not give.
    """
    from dltk.twin.build import build
    from dltk.twin.read import read
    from dltk.twin.rewrite import deployed_graph

    others = deployment_differences(model)
    if others:
        dtype = str(model.inputs[0].dtype)
        if "int" in dtype and given.range != "0..255":
            rule = f"must be 0..255 for a model that reads {dtype}"
            raise InputError("setting input.range", rule, given.range, "Leave input.range out.")
        progress.log(f"the file has {', '.join(others)}; the run's model is float32, with plain names")
        model = as_plain_model(model)
    build(deployed_graph(read(model)))
    return model


def deployment_differences(model: Any) -> list[str]:
    """What `as_plain_model` would change in a Keras 3 model, in words: "uint8 input", "mixed_float16", "LoRA"."""
    config = model.get_config()
    found = [*dict.fromkeys(_dtypes(config)), *(["LoRA"] if any(True for _ in _adapters(model)) else [])]
    return found + [f"a layer called {name!r}" for name in _odd_names(config)]


def as_plain_model(model: Any) -> Any:
    """A copy of `model` as it is deployed: float32 at its input and in all layers, adapters merged, names in ASCII.

    A float32 holds every pixel. What computed in float16 computes more exactly then.

    Raises:
        InputError: if Keras cannot build it so.
    """
    config = model.get_config()
    names = _odd_names(config)
    try:
        made = type(model).from_config(_renamed(_in_float32(config), names) if names else _in_float32(config))
        if any(True for _ in _adapters(model)):
            merged = {variable.path: np.asarray(variable) for variable in model.weights} | dict(_adapters(model))
            kept = [merged[variable.path] for variable in model.weights if "lora_" not in variable.name]
        else:
            kept = [np.asarray(value, np.float32) for value in model.get_weights()]
        made.set_weights(kept)
    except Exception as fault:  # Keras raises many kinds
        hint = f"Build it with the dtype policy {_FLOAT}, and save it again."
        raise InputError("model", f"must be one that can compute in {_FLOAT}", first_line(fault), hint) from fault
    return made


def require_same(
    expected: NDArray[Any], found: NDArray[Any], where: str, rule: str, hint: str, *, limit: float
) -> None:
    """Raise InputError if outputs for the same samples (n, classes) differ by more than `limit` of the largest."""
    if expected.shape != found.shape:
        raise InputError(where, rule, f"shapes {expected.shape} and {found.shape}", hint)
    error, largest = float(np.abs(expected - found).max(initial=0)), max(1.0, float(np.abs(expected).max(initial=0)))
    if not error <= limit * largest:
        raise InputError(where, rule, f"a difference of {error:.3g}, the largest output being {largest:.3g}", hint)


def _dtypes(config: Any) -> Iterator[str]:
    """Dtypes in a model's configuration that are not float32."""
    if isinstance(config, list | tuple):
        for part in config:
            yield from _dtypes(part)
    if not isinstance(config, dict) or config.get("class_name") == "__keras_tensor__":
        return
    if config.get("class_name") == "InputLayer" and config["config"]["dtype"] != _FLOAT:
        yield f"{config['config']['dtype']} input"
        return
    name = _policy(config)
    if name in _POLICIES:
        yield name
    for key, part in config.items():
        if key == "dtype" and part in _POLICIES:
            yield str(part)
        yield from _dtypes(part)


def _in_float32(config: Any) -> Any:
    if isinstance(config, list | tuple):
        return type(config)(_in_float32(part) for part in config)
    if not isinstance(config, dict) or config.get("class_name") == "__keras_tensor__":
        return config
    if _policy(config) in _POLICIES:
        return _FLOAT
    if config.get("class_name") == "InputLayer":
        return config | {"config": config["config"] | {"dtype": _FLOAT}}
    return {
        key: _FLOAT if key == "dtype" and part in _POLICIES else _in_float32(part)
        for key, part in config.items()
        if key not in _LORA
    }


def _odd_names(config: Any) -> dict[str, str]:
    """Name of a layer that TensorFlow refuses in a compiled model -> one that it takes, and no other layer has."""
    names = list(dict.fromkeys(_names(config)))
    found: dict[str, str] = {}
    for name in names:
        if not _SCOPE.fullmatch(name):
            letters = "".join(sign if _SCOPE.fullmatch(f"x{sign}") else "_" for sign in name)
            safe, number = f"layer_{letters}".replace("__", "_"), 1
            while (made := f"{safe}_{number}" if number > 1 else safe) in (*names, *found.values()):
                number += 1
            found[name] = made
    return found


def _names(config: Any) -> Iterator[str]:
    if isinstance(config, dict) and _policy(config) is None:
        if isinstance(config.get("name"), str):
            yield config["name"]
        config = list(config.values())
    if isinstance(config, list | tuple):
        for part in config:
            yield from _names(part)


def _renamed(config: Any, names: dict[str, str]) -> Any:
    """`config` with every layer, and whatever reads it, under its new name."""
    if isinstance(config, dict):
        return {key: _renamed(part, names) for key, part in config.items()}
    if isinstance(config, list | tuple):
        return type(config)(_renamed(part, names) for part in config)
    return names.get(config, config) if isinstance(config, str) else config


def _policy(config: dict[str, Any]) -> str | None:
    return str(config["config"].get("name")) if config.get("class_name") == "DTypePolicy" else None


def _adapters(model: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """(path of a weight, its value with the LoRA adapter added) of every layer that has one (arXiv:2106.09685)."""
    for layer in model._flatten_layers(include_self=False):
        if getattr(layer, "lora_enabled", False):
            name = "embeddings" if hasattr(layer, "embeddings") else "kernel"
            yield getattr(layer, f"_{name}").path, np.asarray(getattr(layer, name))


def first_line(fault: Exception) -> str:
    """The line of a Keras message with the reason: the place is before it, the arguments after it."""
    lines = [re.sub(r"\x1b\[\d+m", "", line).strip() for line in str(fault).splitlines()]
    told = (line for line in lines if line and not line.startswith("Exception encountered"))
    return next(told, type(fault).__name__)
