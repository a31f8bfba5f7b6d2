"""A strict reader of WAV files: PCM of 8, 16, 24 or 32 bits and 32-bit floats, one channel or two.

The format is Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), with the extensible
header of 2001. What it cannot be sure of it refuses: a truncated recording is an error, not a shorter one.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.input.formats import BEGINNING, format_of
from dltk.edge.input.given import bytes_of, name_of

__all__ = ["RATES", "Sound", "read_wav"]

RATES = (1_000, 384_000)  # lowest and highest samples a second that are believed
_MAX_BYTES = 200_000_000
_MAX_STEPS, _PIECE = 50_000_000, 1 << 20  # 19 minutes at 44.1 kHz; what is decoded at a time
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of every sub-format that is a plain format number
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32,)}
_HINT = "Save it as 16-bit PCM WAV, mono."


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        samples: float32 (n,), full scale at -1 and 1; two channels are averaged.
        rate: samples per second.
    """

    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class _Format:
    codec: int
    channels: int
    rate: int
    bits: int


def read_wav(source: str | Path | bytes | IO[bytes], *, where: str | None = None, seconds: float = math.inf) -> Sound:
    """The recording in a WAV file, given by its path, as its bytes or open.

    Args:
        where: what errors name; the path when left out.
        seconds: of the recording's start that are wanted; the header must fit the whole of it all the same.

    Raises:
        InputError: if it is not a WAV file, truncated, without samples, over 200 MB, of another codec or of a rate
            outside `RATES`, holds floats that are not finite, or over 50 million time steps of it are wanted.
    """
    place = where or name_of(source, "recording")
    data = bytes_of(source, "recording", _MAX_BYTES)
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        found = format_of(data[:BEGINNING])
        raise InputError(place, "must be a WAV file (RIFF, WAVE)", found.name if found else data[:12], _HINT)
    shape: _Format | None = None
    for name, start, size in _chunks(data, place):
        if name == b"fmt ":
            shape = _format(data[start : start + size], place)
        elif name == b"data":
            if shape is None:
                raise InputError(place, "must hold the chunk 'fmt ' before 'data'", hint=_HINT)
            return Sound(_samples(data[start : start + size], shape, place, seconds), shape.rate)
    raise InputError(place, "must hold a chunk 'data'", hint=_HINT)


def _chunks(data: bytes, place: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, size) of each chunk; only the last one's padding may be missing."""
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int(struct.unpack_from("<I", data, position + 4)[0])
        if position + 8 + size > len(data):
            received = f"{len(data) - position - 8} of the {size} bytes of chunk {name!r}"
            raise InputError(place, "must not be truncated", received, "Record or copy it again.")
        yield name, position + 8, size
        position += 8 + size + size % 2


def _format(chunk: bytes, place: str) -> _Format:
    if len(chunk) < 16:
        raise InputError(place, "chunk 'fmt ' must have at least 16 bytes", len(chunk))
    codec, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _GUID_TAIL:
        (codec,) = struct.unpack_from("<H", chunk, 24)
    if codec not in _BITS:
        raise InputError(place, "must hold PCM or float samples", f"codec 0x{codec:04x}", _HINT)
    if bits not in _BITS[codec]:
        rule = f"samples must have {' or '.join(map(str, _BITS[codec]))} bits"
        raise InputError(place, rule, bits, _HINT)
    if channels not in (1, 2):
        raise InputError(place, "must have one channel or two", channels, _HINT)
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(place, f"its rate must lie between {RATES[0]} and {RATES[1]} samples per second", rate)
    if block != channels * bits // 8:
        raise InputError(place, f"must have {channels * bits // 8} bytes for each time step", block, _HINT)
    return _Format(codec, channels, rate, bits)


def _samples(data: bytes, shape: _Format, place: str, seconds: float) -> NDArray[np.float32]:
    width = shape.channels * shape.bits // 8
    if not data:
        raise InputError(place, "must hold at least one sample", 0)
    if len(data) % width:
        raise InputError(place, f"must hold whole time steps of {width} bytes", len(data), "Record or copy it again.")
    there = len(data) // width
    kept = there if math.isinf(seconds) else min(there, max(1, math.ceil(seconds * shape.rate)))
    if kept > _MAX_STEPS:
        raise InputError(place, f"at most {_MAX_STEPS} time steps of it can be taken", kept, "Save it at a lower rate.")
    found = np.empty(kept, np.float32)
    for start in range(0, kept, _PIECE):  # in float64 the whole would take eight times its bytes
        piece = _decoded(data[start * width : min(start + _PIECE, kept) * width], shape)
        if not np.isfinite(piece).all():
            raise InputError(place, "must hold finite samples", "NaN or infinity")
        found[start : start + _PIECE] = piece if shape.channels == 1 else (piece[::2] + piece[1::2]) / 2
    return found


def _decoded(data: bytes, shape: _Format) -> NDArray[np.float64]:
    """Full scale is 1: -128, -2**15 ... become -1."""
    if shape.codec == _FLOAT:
        return np.frombuffer(data, "<f4").astype(np.float64)
    if shape.bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if shape.bits == 24:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts  # as the upper bytes of 32 bits, so that the sign stands where it belongs
        return wide.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(data, f"<i{shape.bits // 8}") / 2.0 ** (shape.bits - 1)
