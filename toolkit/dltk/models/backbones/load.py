"""Put a file of weights into a Keras model, or refuse it: every weight of the model must be found, in its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.files import read_capped
from dltk.models.backbones.convert import Tensors
from dltk.models.backbones.weights import read_npz
from dltk.models.files.config import require_own_layers
from dltk.models.files.container import contents, require_plain_hdf5
from dltk.models.files.keras_file import load_checked
from dltk.models.names import Names, flat_layers

__all__ = ["assign_named", "is_named", "load_stock", "read_safetensors"]

_LIMIT = 2_000_000_000


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
        for layer, name in ((layer, names.of(layer)) for layer in flat_layers(model))
        for each in layer.weights
    }


def read_safetensors(path: Path) -> Tensors:
    """The tensors of a .safetensors as float32.

    Raises:
        InputError: if it is larger than 2 GB or damaged, or holds a kind of number that NumPy does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_capped(path, _LIMIT)
    try:
        tensors = load(data)
        if strange := {str(tensor.dtype) for tensor in tensors.values() if tensor.dtype.kind not in "fiu"}:
            raise TypeError(f"it holds {', '.join(sorted(strange))}")
        return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    except (SafetensorError, KeyError, TypeError, ValueError) as fault:
        raise InputError(path, "must be an undamaged .safetensors of plain numbers", str(fault)) from fault


_READERS: Mapping[str, Callable[[Path], Tensors]] = MappingProxyType(
    {".npz": read_npz, ".safetensors": read_safetensors, ".keras": _of_model}
)
