"""Seeded damage: to the bytes of one file, and to the files of a whole bundle."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dltk.edge.bundle.manifest import MANIFEST

__all__ = ["Damaged", "damage_bundle", "damage_bytes"]

_LONGEST = 256  # bytes of a block that is moved, zeroed or repeated


@dataclass(frozen=True)
class Damaged:
    """What one seed makes of a bundle.

    Attributes:
        kind: name of the mutation.
        touched: names of the files that differ, are gone or are new.
        files: name -> bytes of all files afterwards, the manifest too.
    """

    kind: str
    touched: tuple[str, ...]
    files: Mapping[str, bytes]


def damage_bytes(data: bytes, seed: int) -> tuple[str, bytes]:
    """The kind of the mutation that `seed` draws, and `data` after it; the result always differs from `data`."""
    draw = random.Random(seed)
    while True:
        kind = draw.choice(sorted(_OF_BYTES))
        found = _OF_BYTES[kind](data, draw)
        if found != data:
            return kind, found


def damage_bundle(files: Mapping[str, bytes], other: Mapping[str, bytes], seed: int) -> Damaged:
    """One file of the bundle damaged, or two that changed places; over consecutive seeds each file in turn.

    Args:
        other: files of another sound bundle, of which one may take the place of this bundle's.
    """
    draw, names = random.Random(f"bundle {seed}"), sorted(files)
    name = names[seed % len(names)]
    kinds = [*sorted(_OF_BYTES), "empty", "foreign", "remove", "stranger", "trade"]
    kinds += ["rewrite"] * (len(_OF_BYTES) if name == MANIFEST else 0)
    while True:
        kind = draw.choice(kinds)
        changes = _changes(kind, name, files, other, draw)
        touched = tuple(sorted(key for key, data in changes.items() if files.get(key) != data))
        if touched:
            after = {key: data for key, data in {**files, **changes}.items() if data is not None}
            return Damaged(kind, touched, after)


def _changes(
    kind: str, name: str, files: Mapping[str, bytes], other: Mapping[str, bytes], draw: random.Random
) -> dict[str, bytes | None]:
    """File name -> its new bytes; None where it goes."""
    match kind:
        case "empty":
            return {name: b""}
        case "remove":
            return {name: None}
        case "foreign":
            return {name: other[name if name in other else draw.choice(sorted(other))]}
        case "stranger":
            return {f"{name}{draw.choice(['.bak', '~', ' '])}": files[name]}
        case "trade":
            partner = draw.choice(sorted(files))
            return {name: files[partner], partner: files[name]}
        case "rewrite":
            return {name: draw.choice(_REWRITES)(files[name])}
        case _:
            return {name: _OF_BYTES[kind](files[name], draw)}


def _flip(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def _set(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        found[draw.randrange(len(found))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
    return bytes(found)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _extend(data: bytes, draw: random.Random) -> bytes:
    return data + draw.choice((b"\0", b"\n", draw.randbytes(draw.randrange(1, 4096))))


def _swap(data: bytes, draw: random.Random) -> bytes:
    """Two blocks of one length change places; they may overlap, and then the second wins."""
    (first, size), (second, most) = _block(data, draw), _block(data, draw)
    size, found = min(size, most), bytearray(data)
    found[first : first + size] = data[second : second + size]
    found[second : second + size] = data[first : first + size]
    return bytes(found)


def _zero(data: bytes, draw: random.Random) -> bytes:
    start, size = _block(data, draw)
    return data[:start] + bytes(size) + data[start + size :]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    start, size = _block(data, draw)
    return data[: start + size] + data[start:]


def _block(data: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(data))
    return start, min(draw.randrange(1, _LONGEST), len(data) - start)


_OF_BYTES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "flip": _flip,
    "set": _set,
    "cut": _cut,
    "extend": _extend,
    "swap": _swap,
    "zero": _zero,
    "repeat": _repeat,
}

# The manifest says the same after each of these, and its digest still fits what it says.
_REWRITES: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: json.dumps(json.loads(data), sort_keys=True, indent=4, ensure_ascii=False).encode() + b"\n",
    lambda data: json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")).encode() + b"\n",
    lambda data: json.dumps(dict(reversed(json.loads(data).items())), indent=2, ensure_ascii=False).encode() + b"\n",
    lambda data: data.rstrip(b"\n"),
    lambda data: data + b"\n",
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data.decode().encode("utf-16"),
    lambda data: data.decode().encode("utf-32-le"),
    lambda data: data.replace(b'"schema"', b'"\\u0073chema"'),
    lambda data: data.replace(b'"schema": 1', b'"schema": 1,\n  "schema": 1'),
    lambda data: data.replace(b'"name": ', b'"name":  '),
    lambda data: data.replace(b"0.0", b"0.00", 1),
)
