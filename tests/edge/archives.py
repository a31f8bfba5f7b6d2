"""Archives that no honest program writes: each is a sound one with one thing changed."""

from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable

from dltk.edge.bundle.archive import pack

__all__ = ["HOSTILE", "members", "mutated", "zipped"]

Files = dict[str, bytes]
_END = struct.Struct("<4s4H2LH")


def members(data: bytes) -> Files:
    """Name -> bytes, as zipfile reads them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files: Files, *, attributes: int = stat.S_IFREG | 0o644, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """`files` as zipfile packs them when it is told all that dltk fixes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system, info.external_attr = method, 3, attributes << 16
            archive.writestr(info, data, compresslevel=9)
    return stream.getvalue()


def mutated(data: bytes, seed: int) -> bytes:
    """One bit flipped, a byte put in or taken out, a piece repeated, or the end cut off."""
    chance = random.Random(seed)
    at = chance.randrange(len(data))
    piece = data[at : at + chance.randint(1, 64)]
    return chance.choice(
        (
            data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :],
            data[:at] + chance.randbytes(1) + data[at:],
            data[:at] + data[at + 1 :],
            data[:at] + piece + data[at:],
            data[:at],
        )
    )


def _index_at(data: bytes) -> int:
    return int(_END.unpack(data[-_END.size :])[6])


def _twice(files: Files) -> bytes:
    """The same name two times, each with its own bytes: readers differ in which one they take."""
    data = pack(files | {"labels.tx2": b"other\n"})
    return data.replace(b"labels.tx2", b"labels.txt")


def _renamed(name: str) -> Callable[[Files], bytes]:
    def make(files: Files) -> bytes:
        marked = "x" * len(name.encode())
        return pack(files | {marked: b"root"}).replace(marked.encode(), name.encode())

    return make


def _flagged(files: Files) -> bytes:
    """The flag that says a file is encrypted, in both places."""
    data = bytearray(pack(files))
    data[6] |= 1
    data[_index_at(data) + 8] |= 1
    return bytes(data)


def _bomb(files: Files) -> bytes:
    """50 MB of zeros where the index says 20 bytes; 50 KB packed."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(squeezer.compress(bytes(1_000_000)) for _ in range(50)) + squeezer.flush()
    return _swapped(files, "labels.txt", packed)


def _swapped(files: Files, name: str, packed: bytes, *, whole: int | None = None) -> bytes:
    """The archive with other packed bytes for one file, its sizes in the headers as they were, or `whole`."""
    data = pack({name: files[name]})
    header, at = data[: 30 + len(name)], _index_at(data)
    index, whole = data[at : -_END.size], len(files[name]) if whole is None else whole
    header = header[:18] + struct.pack("<2L", len(packed), whole) + header[26:]
    index = index[:20] + struct.pack("<2L", len(packed), whole) + index[28:]
    end = _END.pack(b"PK\5\6", 0, 0, 1, 1, len(index), len(header) + len(packed), 0)
    return header + packed + index + end


def _overlapping(files: Files) -> bytes:
    """Two entries of the index that share one file's bytes: how a small archive claims to hold much."""
    data = pack({"manifest.json": files["manifest.json"]})
    at = _index_at(data)
    index = data[at : -_END.size]
    both = index + index.replace(b"manifest.json", b"manifest.jso2")
    return data[:at] + both + _END.pack(b"PK\5\6", 0, 0, 2, 2, len(both), at, 0)


def _commented(files: Files) -> bytes:
    data = pack(files)
    return data[:-2] + struct.pack("<H", 4) + b"note"


def _crowd(files: Files) -> bytes:
    return zipped(files | {f"{number}.txt": b"" for number in range(5000)})


def _claimed(count: int, length: int) -> Callable[[Files], bytes]:
    """The end of the archive says that its index has `count` entries in `length` bytes."""

    def make(files: Files) -> bytes:
        data = pack(files)
        return data[: -_END.size] + _END.pack(b"PK\5\6", 0, 0, count, count, length, _index_at(data), 0)

    return make


HOSTILE: dict[str, Callable[[Files], bytes]] = {
    "a name twice": _twice,
    "a name that leaves": _renamed("../../outside"),
    "an absolute name": _renamed("/etc/passwd"),
    "a name of another system": _renamed("C:\\outside"),
    "a name with a nul": _renamed("a\0b"),
    "a folder": _renamed("folder/"),
    "a link": lambda files: zipped(files, attributes=stat.S_IFLNK | 0o777),
    "a device": lambda files: zipped(files, attributes=stat.S_IFCHR | 0o666),
    "encrypted": _flagged,
    "stored": lambda files: zipped(files, method=zipfile.ZIP_STORED),
    "packed by lzma": lambda files: zipped(files, method=zipfile.ZIP_LZMA),
    "packed by bzip2": lambda files: zipped(files, method=zipfile.ZIP_BZIP2),
    "one file more": lambda files: pack(files | {"extra.txt": b"x"}),
    "one file less": lambda files: pack({name: data for name, data in files.items() if name != "labels.txt"}),
    "no manifest": lambda files: pack({name: data for name, data in files.items() if name != "manifest.json"}),
    "nothing in it": lambda files: pack({}),
    "a manifest over its cap": lambda files: pack(files | {"manifest.json": bytes(1_000_001)}),
    "a manifest that says it is small": lambda files: _swapped(files, "manifest.json", b"\x03\x00"),
    "a bomb": _bomb,
    "a bomb for a manifest": lambda files: pack({"manifest.json": bytes(50_000_000)}),
    "a size of four gigabytes": lambda files: _swapped(files, "manifest.json", b"\x03\x00", whole=2**32 - 1),
    "overlapping files": _overlapping,
    "thousands of files": _crowd,
    "a longer index than there is": _claimed(3, 60_000),
    "more files than there are": _claimed(200, 400),
    "a comment": _commented,
    "two archives": lambda files: pack(files) + pack(files),
    "something before it": lambda files: b"#!/bin/sh\n" + pack(files),
    "something behind it": lambda files: pack(files) + b"\n",
    "its end cut off": lambda files: pack(files)[:-1],
    "the index cut out": lambda files: pack(files)[: _index_at(pack(files))],
    "no archive": lambda files: b"PK\3\4 but no more",
    "empty": lambda files: b"",
    "nothing but an end": lambda files: _END.pack(b"PK\5\6", 0, 0, 0, 0, 0, 0, 0)[:-1],
}
