"""Put a file of weights into a Keras model, or refuse it: every weight of the model must be found, in its shape."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.files import parse_json, read_capped
from dltk.models.backbones.convert import Tensors
from dltk.models.backbones.weights import read_npz
from dltk.models.files.config import require_own_layers
from dltk.models.files.container import contents, require_plain_hdf5
from dltk.models.files.keras_file import load_checked
from dltk.models.names import Names

__all__ = ["assign_named", "is_named", "load_stock", "read_safetensors"]

_LIMIT = 2_000_000_000
_SAFETENSORS_DTYPES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8"}


def is_named(path: Path) -> bool:
    """Whether a file of this kind holds weights under the names of their layers."""
    return path.suffix in _READERS


def assign_named(model: Any, path: Path) -> None:
    """Set every weight of `model` from a file that holds them under "layer/weight", or from a whole `.keras` model.

    Raises:
        InputError: if the file is damaged, or a weight is missing or has another shape.
    """
    _assign(model, _READERS[path.suffix](path), path)


def load_stock(model: Any, path: Path) -> None:
    """Set the weights of `model`, as `keras.applications` makes it, from `.h5` or `.weights.h5`.

    Raises:
        InputError: if the file is damaged, leads out of itself, or was not saved from such a model.
    """
    require_plain_hdf5(path, path)
    try:
        model.load_weights(path)
    except Exception as fault:  # h5py and Keras raise a dozen kinds for a file that does not fit
        raise InputError(path, f"must be weights of {model.name} without classifier", str(fault)) from fault


def _assign(model: Any, tensors: Tensors, where: Path) -> None:
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            key = f"{layer.name}/{weight.name}"
            value = tensors.get(key)
            if value is None:
                raise InputError(where, f"must hold the weight {key}", hint=f"It holds {len(tensors)} weights.")
            if tuple(value.shape) != tuple(weight.shape):
                raise InputError(where, f"{key} must have the shape {tuple(weight.shape)}", tuple(value.shape))
            values.append(value)
        if values:
            layer.set_weights(values)


def _of_model(path: Path) -> Tensors:
    require_own_layers(contents(read_capped(path, _LIMIT), path).config, path)
    try:
        model = load_checked(path)
    except Exception as fault:  # whatever a foreign archive makes Keras raise
        raise InputError(path, "must be a Keras model", str(fault)) from fault
    names = Names()
    return {
        f"{name}/{each.name}": np.asarray(each)
        for layer, name in ((layer, names.of(layer)) for layer in _flat(model))
        for each in layer.weights
    }


def _flat(model: Any) -> Iterator[Any]:
    """The layers of `model`, those of nested models in their place."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flat(layer)
        else:
            yield layer


def read_safetensors(path: Path) -> Tensors:
    """The tensors of a .safetensors as float32: length of a JSON header (8 bytes), the header, one row of bytes.

    Raises:
        InputError: if it is damaged, or holds another kind of number.
    """
    data = read_capped(path, _LIMIT)
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = parse_json(data[8 : 8 + length], path)
        row = memoryview(data)[8 + length :]
        return {name: _tensor(entry, row) for name, entry in header.items() if name != "__metadata__"}
    except (struct.error, KeyError, TypeError, ValueError, AttributeError) as fault:
        raise InputError(path, "must be an undamaged .safetensors of plain numbers", str(fault)) from fault


def _tensor(entry: dict[str, Any], row: memoryview) -> np.ndarray:
    dtype, shape = np.dtype(_SAFETENSORS_DTYPES[entry["dtype"]]), tuple(int(each) for each in entry["shape"])
    start, stop = entry["data_offsets"]
    if stop - start != math.prod(shape) * dtype.itemsize or not 0 <= start <= stop <= len(row):
        raise ValueError("offsets that do not fit the shape")
    return np.frombuffer(row[start:stop], dtype).reshape(shape).astype(np.float32)


_READERS: Mapping[str, Callable[[Path], Tensors]] = MappingProxyType(
    {".npz": read_npz, ".safetensors": read_safetensors, ".keras": _of_model}
)
