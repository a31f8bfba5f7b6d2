"""Settings, arrays and functions as JSON that is the same in every process, for digests."""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType, FunctionType, NoneType
from typing import Any

import numpy as np

from dltk.base.files import sha256

__all__ = ["attributes", "config_of", "canonical", "qualified"]

_DEEPEST = 12  # of objects that hold objects
_OF_KERAS = ("name", "built", "autocast")  # attributes of a layer that say nothing of what it computes


def canonical(value: Any, depth: int = _DEEPEST) -> Any:
    """`value` as JSON that is the same in every process: arrays by their bytes, functions by their code."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | complex | slice | range | np.generic):
        return [type(value).__name__, repr(value.item() if isinstance(value, np.generic) else value)]
    if depth == 0 or isinstance(value, type):
        return qualified(value if isinstance(value, type) else type(value))
    if isinstance(value, bytes):
        return sha256(value)
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, set | frozenset):
        return sorted((canonical(item, depth - 1) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [canonical(item, depth - 1) for item in value]
    if isinstance(value, FunctionType | CodeType):
        return _code(value, depth)
    if hasattr(value, "get_config"):
        return [qualified(type(value)), canonical(config_of(value), depth - 1)]
    if hasattr(value, "__array__"):
        array = np.ascontiguousarray(value)
        return ["array", str(array.dtype), list(array.shape), sha256(array.tobytes())]
    return [qualified(type(value)), canonical(attributes(value), depth - 1)]


def _mapping(value: Mapping[Any, Any], depth: int) -> Any:
    """Without the names in the settings of an inner layer; the name of a dtype policy is kept."""
    pairs = {key: item for key, item in value.items() if key != "shared_object_id"}  # an address
    inner = pairs.get("config")
    if isinstance(inner, Mapping) and "Policy" not in str(pairs.get("class_name")):
        pairs["config"] = {key: item for key, item in inner.items() if key != "name"}
    return sorted([str(key), canonical(item, depth - 1)] for key, item in pairs.items())


def qualified(kind: type) -> str:
    """Module and name of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _code(value: FunctionType | CodeType, depth: int) -> Any:
    code = value.__code__ if isinstance(value, FunctionType) else value
    # Of a constant that is code only what it does: where its file lies is nothing of the model's.
    known: list[Any] = [
        sha256(code.co_code),
        list(code.co_names),
        [canonical(item, depth - 1) for item in code.co_consts],
    ]
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        known += [canonical(cells, depth - 1), canonical(value.__defaults__, depth - 1)]
    return known


def attributes(value: Any) -> dict[str, Any]:
    """Attributes that are plain values, or made of such."""
    kinds = (NoneType, bool, int, float, str, bytes, list, tuple, dict, np.ndarray, np.generic, FunctionType)
    found = vars(value).items() if hasattr(value, "__dict__") else ()
    return {name: item for name, item in found if name[0] != "_" and name not in _OF_KERAS and isinstance(item, kinds)}


def config_of(layer: Any) -> Any:
    """Settings without the name. Operations of Keras 3, which have no weights, keep theirs as attributes too."""
    found = {} if hasattr(layer, "get_weights") else attributes(layer)
    try:
        found |= layer.get_config()
    except (AttributeError, NotImplementedError):  # a class with arguments of its own and no `get_config`
        found |= attributes(layer)
    return {key: value for key, value in found.items() if key != "name"}
