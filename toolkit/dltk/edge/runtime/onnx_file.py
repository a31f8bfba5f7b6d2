"""What stands in an ONNX file, read without the package onnx: a protocol buffer is a row of numbered fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from dltk.base.errors import InputError

__all__ = ["operators", "refuse_external_data"]

# Message -> field -> the message in it: every way from a model to a tensor, as onnx.proto has them.
_INSIDE: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "function": {7: "node", 11: "attribute"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
    }
)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor
_GRAPH, _NODE, _OP_TYPE = 7, 1, 4


def operators(data: bytes) -> dict[str, int]:
    """Operator name -> count in the main graph, as written, before a runtime fuses anything."""
    graph = next(_messages(data, _GRAPH), b"")
    names = (bytes(next(_messages(node, _OP_TYPE), b"")).decode(errors="replace") for node in _messages(graph, _NODE))
    return dict(sorted(Counter(names).items()))


def refuse_external_data(data: bytes) -> None:
    """Raise InputError if a tensor of the model refers to another file for its numbers.

    ONNX Runtime would look for that file in the current folder, even for a model that it gets as bytes.
    """
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            inner = _INSIDE.get(kind, {}).get(number)
            if inner is not None and isinstance(value, memoryview):
                waiting.append((inner, value))
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
                hint = "Save the model with its weights inside."
                raise InputError("model", "must hold its weights itself", "a tensor with data in another file", hint)


def _messages(message: memoryview | bytes, wanted: int) -> Iterator[memoryview]:
    """The length-delimited fields numbered `wanted`."""
    return (value for number, value in _fields(message) if number == wanted and isinstance(value, memoryview))


def _fields(message: memoryview | bytes) -> Iterator[tuple[int, memoryview | int]]:
    """(number, value) of each field: the bytes of length-delimited ones, the number of a varint; 0 for fixed ones."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == 2:
            size, at = _varint(view, at)
            yield number, view[at : at + size]
            at += size
        elif kind == 0:
            value, at = _varint(view, at)
            yield number, value
        elif kind in (1, 5):
            yield number, 0
            at += 8 if kind == 1 else 4
        else:
            raise InputError("model", "must be a protocol buffer", f"wire type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:  # ten bytes hold 64 bits; longer ones would take ever more time
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at
    raise InputError("model", "must be a protocol buffer", "an unfinished number")
