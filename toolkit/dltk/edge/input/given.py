"""What a program hands over as a file: a path, the bytes, or a file object."""

from __future__ import annotations

import os
from typing import Any

from dltk.base.errors import InputError, shorten
from dltk.base.files import read_capped, resolved

__all__ = ["IMAGE_INPUTS", "RECORDING_INPUTS", "bytes_of", "is_file", "is_path", "name_of"]

IMAGE_INPUTS = "the path, the bytes or a file object of an image file, a PIL image, or a uint8 array (H, W, 3)"
RECORDING_INPUTS = (
    "the path, the bytes or a file object of a WAV, FLAC or Ogg file, "
    "or an array (samples,) of int16 or floats in -1..1"
)


def is_path(source: Any) -> bool:
    """Whether `source` names a file."""
    return isinstance(source, (str, os.PathLike))


def is_file(source: Any) -> bool:
    """Whether `source` is a file: named by its path, as bytes, or open."""
    return is_path(source) or isinstance(source, (bytes, bytearray, memoryview)) or callable(_reader(source))


def name_of(source: Any, noun: str) -> str:
    """How messages call a file: its path, or what it is."""
    if is_path(source):
        return shorten(str(source), 400)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{noun} bytes"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) and name else f"{noun} file object"


def bytes_of(source: Any, noun: str, limit: int) -> bytes:
    """The bytes of the file that `source` is (`is_file`), at most `limit`; of an open one from where it stands.

    Raises:
        InputError: if it is missing, no regular file, empty, larger, closed, or open as text.
    """
    if is_path(source):
        # A link that a user names is followed; what it leads to must still be a regular file.
        try:
            return read_capped(resolved(os.fsdecode(source)), limit)
        except InputError as fault:  # by the name that the user knows
            raise InputError(name_of(source, noun), fault.rule, fault.received, fault.hint) from fault
    data = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else _read(source, noun, limit)
    if len(data) > limit:
        raise InputError(name_of(source, noun), f"must be at most {limit} bytes", f"{len(data)} bytes or more")
    return data


def _reader(source: Any) -> Any:
    return None if isinstance(source, type) else getattr(source, "read", None)


def _read(source: Any, noun: str, limit: int) -> bytes:
    where = name_of(source, noun)
    try:
        data = _reader(source)(limit + 1)
    except Exception as fault:  # closed, open for writing only, a disk or a network that fails: of no common class
        rule = "must be open for reading in binary mode"
        raise InputError(where, rule, str(fault) or type(fault).__name__, 'Open it with open(path, "rb").') from fault
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise InputError(where, "must give bytes", type(data).__name__, 'Open it with open(path, "rb").')
    if not data:
        raise InputError(where, "must have bytes left to read", "none", "Rewind it: seek(0).")
    return bytes(data)
