"""Read the tensors of an old (non-zip) PyTorch checkpoint without PyTorch, from bytes whose hash is pinned, only.

A `.pth` file is a row of pickles followed by raw storages, and unpickling can run any code. The unpickler here knows
`OrderedDict` and the reconstruction of a tensor; every other name is refused. It is meant for one published file at
a time: never for what a user gives.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.files import sha256

__all__ = ["read_pth"]

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read_pth(data: bytes, *, digest: str, where: object = ".pth") -> dict[str, np.ndarray]:
    """The tensors in `data` by name, as arrays of float32 or int64 in the layout of PyTorch.

    Raises:
        InputError: if the SHA-256 of `data` is not `digest`, or it holds anything but named tensors.
    """
    found = sha256(data)
    if found != digest:
        raise InputError(where, f"must have SHA-256 {digest}; it is not unpickled otherwise", found)
    stream = io.BytesIO(data)
    try:
        tensors, keys = _structure(stream, where)
        storages = _storages(stream, tensors, keys)
        return {name: _array(tensor, storages) for name, tensor in tensors.items()}
    except InputError:
        raise
    except (pickle.UnpicklingError, struct.error, EOFError, ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InputError(where, "must be a PyTorch checkpoint of plain tensors", str(fault)) from fault
    except (IndexError, OverflowError, UnicodeDecodeError, ImportError, MemoryError) as fault:
        raise InputError(where, "must be an undamaged PyTorch checkpoint", str(fault)) from fault


class _Unpickler(pickle.Unpickler):
    """Admits `OrderedDict`, tensor reconstruction and the names of storages."""

    def __init__(self, stream: io.BytesIO, where: object) -> None:
        super().__init__(stream)
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise _refusal(self._where, f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, count, view = pid
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype) or not isinstance(key, str):
            raise _refusal(self._where, pid)
        return _Storage(key, dtype, _natural(count))


def _refusal(where: object, what: object) -> InputError:
    return InputError(where, "may hold nothing but tensors in ordered dictionaries", what)


def _rebuild(storage: object, offset: object, size: object, stride: object, *_rest: object) -> _Tensor:
    if not isinstance(storage, _Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ValueError("a tensor without a storage")
    shape = tuple(_natural(each) for each in size)
    dense = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    if stride != dense:
        raise ValueError("a tensor that is not contiguous")
    start = _natural(offset)
    if start + math.prod(shape) > storage.count:
        raise ValueError("a tensor that reaches past its storage")
    return _Tensor(storage, start, shape)


def _natural(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} where a count belongs")
    return value


def _structure(stream: io.BytesIO, where: object) -> tuple[dict[str, _Tensor], list[str]]:
    load: Callable[[], Any] = lambda: _Unpickler(stream, where).load()  # noqa: E731 - five pickles, one after the other
    if load() != _MAGIC or load() != _PROTOCOL:
        raise ValueError("not the old PyTorch format")
    machine, tensors, keys = load(), load(), load()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("not little endian")
    if not isinstance(tensors, dict) or not all(isinstance(each, _Tensor) for each in tensors.values()):
        raise ValueError("values other than tensors")
    if not isinstance(keys, list):
        raise ValueError("no list of storages")
    return {str(name): tensor for name, tensor in tensors.items()}, keys


def _storages(stream: io.BytesIO, tensors: dict[str, _Tensor], keys: list[str]) -> dict[str, np.ndarray]:
    wanted = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    found = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        storage = wanted[key]
        if count != storage.count:
            raise ValueError(f"storage {key} has {count} numbers, not {storage.count}")
        found[key] = np.frombuffer(stream.read(count * storage.dtype.itemsize), storage.dtype, count)
    return found


def _array(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    flat = storages[tensor.storage.key][tensor.offset : tensor.offset + math.prod(tensor.shape)]
    return flat.reshape(tensor.shape)
