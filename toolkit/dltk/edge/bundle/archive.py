"""A bundle as one file: a zip archive of which every byte is fixed by the files it holds.

Zip, since every system can open it and one file can be read without the others. Members stand in one order, without
times, all with the same permissions, deflated; so equal bundles give equal archives wherever zlib is the same build,
and elsewhere archives that differ in nothing but how well they are packed.

Reading takes only what `pack` writes: the index and the headers are rebuilt from the entries of the index, and must
equal the stored ones. So nothing is hidden, stands twice, overlaps, is encrypted, a link or a folder, and each changed
byte is seen (but for the bits that fill up the last byte of a packed file: they mean nothing). zipfile would need most
of its features switched off.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dltk.base.errors import InputError
from dltk.base.files import open_regular
from dltk.edge.bundle.manifest import MOST_FILES
from dltk.edge.bundle.signature import LONGEST_NAME, require_plain_name

__all__ = ["Archive", "pack"]

_MOST_FILES = MOST_FILES + 2  # the manifest itself, and a signature
_LARGEST = 2**32 - 1  # bytes: what an archive without zip64 can count
_HINT = "Copy it again, or make it again with `dltk export --archive`."

_SHARED = struct.Struct("<5H3L2H")  # what the header of a file and its entry in the index have in common
_INDEX_TAIL = struct.Struct("<3H2L")
_INDEX_SIZE = 6 + _SHARED.size + _INDEX_TAIL.size  # of an entry, its name aside
_END = struct.Struct("<4s4H2LH")
_FILE, _INDEX, _LAST = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_VERSION, _UTF8, _DEFLATE, _TIME, _DATE = 20, 0x800, 8, 0, 0x21  # 1980-01-01: as early as zip can say
_UNIX, _PLAIN_FILE = 3 << 8 | _VERSION, 0o100644 << 16


@dataclass(frozen=True)
class _Entry:
    """One file of the archive: sizes in bytes packed and whole, and where its header begins."""

    name: str
    crc: int
    packed: int
    whole: int
    at: int

    def _shared(self) -> bytes:
        flags, length = 0 if self.name.isascii() else _UTF8, len(self.name.encode())
        return _SHARED.pack(_VERSION, flags, _DEFLATE, _TIME, _DATE, self.crc, self.packed, self.whole, length, 0)

    def header(self) -> bytes:
        """What stands before the file's bytes."""
        return _FILE + self._shared() + self.name.encode()

    def index(self) -> bytes:
        """The file's entry in the index."""
        tail = _INDEX_TAIL.pack(0, 0, 0, _PLAIN_FILE, self.at)
        return _INDEX + struct.pack("<H", _UNIX) + self._shared() + tail + self.name.encode()

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.at + len(self.header()) + self.packed


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files` (name -> bytes), in their order.

    Raises:
        InputError: if there are too many files, or too large ones.
    """
    pieces: list[bytes] = []
    entries: list[_Entry] = []
    for name, data in files.items():
        squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = squeezer.compress(data) + squeezer.flush()
        entry = _Entry(name, zlib.crc32(data), len(packed), len(data), entries[-1].end if entries else 0)
        if entry.end > _LARGEST or len(entries) == _MOST_FILES:
            rule = f"an archive holds at most {_MOST_FILES} files and {_LARGEST} bytes"
            raise InputError(name, rule, hint="Leave --archive out.")
        entries.append(entry)
        pieces += [entry.header(), packed]
    return b"".join([*pieces, *_index(entries)])


def _index(entries: list[_Entry]) -> tuple[bytes, bytes]:
    index, at = b"".join(entry.index() for entry in entries), entries[-1].end if entries else 0
    return index, _END.pack(_LAST, 0, 0, len(entries), len(entries), len(index), at, 0)


class Archive:
    """The files of an archive. It is opened anew for each one: nothing is held open, nothing is unpacked to disk.

    Attributes:
        path: of the archive.
    """

    def __init__(self, path: Path) -> None:
        """Read and check the index; InputError if it is not one that `pack` writes."""
        self.path = path
        with open_regular(path, follow_links=True) as stream:
            self._entries = {entry.name: entry for entry in _read_index(stream, path)}

    @property
    def names(self) -> Iterable[str]:
        """Of every file, in the archive's order."""
        return tuple(self._entries)

    def stored(self, names: Iterable[str]) -> int:
        """How many bytes the whole archive has."""
        return os.stat(self.path).st_size

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one file, at most `limit` and then one: no more is ever inflated.

        Raises:
            InputError: if it is missing, larger, or damaged.
        """
        where = self.path / name
        if name not in self._entries:
            raise InputError(where, "the file must exist", hint=_HINT)
        entry = self._entries[name]
        if entry.whole > limit:
            raise InputError(where, f"must be at most {limit} bytes", f"{entry.whole} bytes")
        if entry.packed > entry.whole + entry.whole // 1000 + 64:  # what cannot be packed grows by less than this
            raise InputError(where, "must not grow by being packed", f"{entry.packed} bytes", _HINT)
        header = entry.header()
        with open_regular(self.path, follow_links=True) as stream:
            stream.seek(entry.at)
            found = stream.read(len(header) + entry.packed)
        if not found.startswith(header):
            raise InputError(where, "must have the header that matches its entry in the index", hint=_HINT)
        data = _inflated(found[len(header) :], entry.whole, where)
        if zlib.crc32(data) != entry.crc:
            raise InputError(where, "must have the checksum that the archive gives it", hint=_HINT)
        return data


def _inflated(packed: bytes, whole: int, where: Path) -> bytes:
    reader = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = reader.decompress(packed, whole + 1)  # with room for one byte more, a sound stream comes to its end
    except zlib.error as fault:
        raise InputError(where, "must be packed whole", str(fault), _HINT) from fault
    if len(data) != whole or not reader.eof or reader.unused_data:
        raise InputError(where, f"must unpack to {whole} bytes, and nothing stand behind them", hint=_HINT)
    return data


def _read_index(stream: IO[bytes], path: Path) -> list[_Entry]:
    size = os.fstat(stream.fileno()).st_size
    try:
        stream.seek(max(0, size - _END.size))
        last = stream.read(_END.size)
    except OSError as fault:  # a damaged disk, /proc/self/mem
        raise InputError(path, "must be a readable regular file", fault.strerror) from fault
    if len(last) != _END.size or not last.startswith(_LAST):
        raise InputError(path, "must be a bundle: a folder, or an archive that ends as one", hint=_HINT)
    _, _, _, _, count, length, at, _ = _END.unpack(last)
    if count > _MOST_FILES or length > count * (_INDEX_SIZE + LONGEST_NAME):
        raise InputError(path, f"must hold at most {_MOST_FILES} files", count, _HINT)
    if at + length + _END.size != size:
        raise InputError(path, "must be one whole archive, with nothing before or behind it", f"{size} bytes", _HINT)
    stream.seek(at)
    index = stream.read(length)
    entries = _parsed(index, count, path)
    if _index(entries) != (index, last):
        raise InputError(path, "its index must be as `dltk export --archive` writes it", hint=_HINT)
    return entries


def _parsed(index: bytes, count: int, path: Path) -> list[_Entry]:
    """The files in the index; the caller checks its other values against them."""
    entries: list[_Entry] = []
    start = at = 0
    for _ in range(count):
        head = index[start : start + _INDEX_SIZE]
        if len(head) < _INDEX_SIZE:
            raise InputError(path, f"its index must name {count} files", len(entries), _HINT)
        _, _, _, _, _, crc, packed, whole, length, _ = _SHARED.unpack_from(head, 6)
        start += len(head) + length
        entry = _Entry(_name(index[start - length : start], path), crc, packed, whole, at)
        if entry.name in {other.name for other in entries}:
            raise InputError(path / entry.name, "must be in the archive once", hint=_HINT)
        entries.append(entry)
        at = entry.end
    return entries


def _name(data: bytes, path: Path) -> str:
    try:
        name = data.decode()
    except UnicodeDecodeError as fault:
        raise InputError(path, "its names must be UTF-8", data, _HINT) from fault
    require_plain_name(name, f"{path}: {name!r}")
    return name
