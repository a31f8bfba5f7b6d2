"""The reader of checkpoints: tensors come out right, and nothing else comes in."""

from __future__ import annotations

import io
import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.models.backbones.pth import read_pth


class Storage:
    """Stands for a storage while a checkpoint is written."""

    def __init__(self, kind: type, values: np.ndarray) -> None:
        self.kind, self.values = kind, values


@pytest.fixture
def torch(monkeypatch):
    """The few names of PyTorch that stand in a checkpoint."""
    package, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(package, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2() -> None:
        """Only its name is written."""

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", package)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    return package


class Tensor:
    def __init__(self, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.parts = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.parts


class Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        if isinstance(obj, Storage):
            return ("storage", obj.kind, str(id(obj)), "cpu", len(obj.values), None)
        return None


def checkpoint(content: object, storages: list[Storage]) -> bytes:
    stream = io.BytesIO()
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
    for each in (0x1950A86A20F9469CFC6C, 1001, machine):
        pickle.dump(each, stream, protocol=2)
    Pickler(stream, protocol=2).dump(content)
    pickle.dump([str(id(each)) for each in storages], stream, protocol=2)
    for each in storages:
        stream.write(struct.pack("<q", len(each.values)) + each.values.tobytes())
    return stream.getvalue()


def read(data: bytes) -> dict[str, np.ndarray]:
    return read_pth(data, digest=sha256(data))


def test_tensors_come_out_as_they_went_in(torch):
    numbers = Storage(torch.FloatStorage, np.arange(10, dtype="<f4"))
    count = Storage(torch.LongStorage, np.array([41], dtype="<i8"))
    content = OrderedDict(
        a=Tensor(numbers, 2, (2, 3), (3, 1)), b=Tensor(numbers, 0, (2,), (1,)), n=Tensor(count, 0, (), ())
    )
    found = read(checkpoint(content, [numbers, count]))
    np.testing.assert_array_equal(found["a"], [[2, 3, 4], [5, 6, 7]])
    np.testing.assert_array_equal(found["b"], [0, 1])
    assert found["n"] == 41


def test_bytes_without_the_pinned_hash_are_not_unpickled(torch):
    data = checkpoint(OrderedDict(), [])
    with pytest.raises(InputError, match="not unpickled otherwise"):
        read_pth(data + b" ", digest=sha256(data))


class Harmful:
    def __init__(self, call: object, *args: object) -> None:
        self.call, self.args = call, args

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call, self.args


def test_code_is_refused_even_with_the_right_hash(torch, tmp_path):
    mark = tmp_path / "ran"
    for harmful in (Harmful(subprocess.getoutput, f"touch {mark}"), Harmful(eval, "1"), Harmful(getattr, "", "upper")):
        with pytest.raises(InputError, match="nothing but tensors"):
            read(checkpoint(OrderedDict(a=harmful), []))
        with pytest.raises(InputError, match="nothing but tensors"):
            read(pickle.dumps(harmful, protocol=2))
    assert not mark.exists()


def test_tensors_that_lie_are_refused(torch):
    numbers = Storage(torch.FloatStorage, np.arange(4, dtype="<f4"))
    for lie, said in (
        (Tensor(numbers, 0, (5,), (1,)), "past its storage"),
        (Tensor(numbers, 3, (2,), (1,)), "past its storage"),
        (Tensor(numbers, -1, (2,), (1,)), "where a count belongs"),
        (Tensor(numbers, 0, (2, 2), (1, 2)), "not contiguous"),
        ("no tensor", "values other than tensors"),
    ):
        with pytest.raises(InputError, match=said):
            read(checkpoint(OrderedDict(a=lie), [numbers]))
    half = Storage(torch.HalfStorage, np.zeros(2, dtype="<f2"))
    with pytest.raises(InputError, match="HalfStorage"):
        read(checkpoint(OrderedDict(a=Tensor(half, 0, (2,), (1,))), [half]))


def test_a_cut_file_is_refused_wherever_it_is_cut(torch):
    numbers = Storage(torch.FloatStorage, np.arange(8, dtype="<f4"))
    data = checkpoint(OrderedDict(a=Tensor(numbers, 0, (8,), (1,))), [numbers])
    for length in range(0, len(data), 7):
        with pytest.raises(InputError):
            read(data[:length])
