"""A strict reader of WAV files: PCM, floats, mu-law and A-law (ITU-T G.711), one channel or two.

The format is Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), with the extensible
header of 2001. What it cannot be sure of it refuses: a truncated recording is an error, not a shorter one. A header
that was written before the length was known, as into a pipe, has no size in it: then the samples reach to the end.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.input.formats import BEGINNING, format_of
from dltk.edge.input.given import bytes_of, name_of

__all__ = ["LARGEST_FILE", "MOST_STEPS", "RATES", "Sound", "read_wav", "wav_length"]

RATES = (1_000, 384_000)  # lowest and highest samples a second that are believed
LARGEST_FILE = 200_000_000  # bytes
MOST_STEPS, _PIECE = 50_000_000, 1 << 20  # 19 minutes at 44.1 kHz; what is decoded at a time
_UNKNOWN = 0x7FFFF000  # SoX writes this size into a pipe, others up to 0xFFFFFFFF: no file that is read is as large
_PCM, _FLOAT, _A_LAW, _MU_LAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of every sub-format that is a plain format number
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64), _A_LAW: (8,), _MU_LAW: (8,)}
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

    @property
    def width(self) -> int:
        """Bytes of a time step."""
        return self.channels * self.bits // 8


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
    data = bytes_of(source, "recording", LARGEST_FILE)
    shape, start, size = _found(data, len(data), place)
    return Sound(_samples(data[start : start + size], shape, place, seconds), shape.rate)


def wav_length(head: bytes, size: int, place: str) -> tuple[int, float]:
    """(samples per second, seconds) of the WAV file of `size` bytes that begins with `head`, by its header alone.

    Raises:
        InputError: as `read_wav`, or if `head` is too short to hold the header.
    """
    shape, _, count = _found(head, size, place)
    return shape.rate, count / shape.width / shape.rate


def _found(data: bytes, whole: int, place: str) -> tuple[_Format, int, int]:
    """Format, start and size of the samples in a file of `whole` bytes that begins with `data`."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        found = format_of(data[:BEGINNING])
        raise InputError(place, "must be a WAV file (RIFF, WAVE)", found.name if found else data[:12], _HINT)
    shape: _Format | None = None
    for name, start, size in _chunks(data, whole, place):
        if name == b"fmt ":
            shape = _format(data[start : start + (size or 0)], place)
        elif name == b"data":
            if shape is None:
                raise InputError(place, "must hold the chunk 'fmt ' before 'data'", hint=_HINT)
            if size is None:  # a last time step that was cut is none yet
                size = (whole - start) // shape.width * shape.width
            return shape, start, size
    raise InputError(place, "must hold a chunk 'data'", hint=_HINT)


def _chunks(data: bytes, whole: int, place: str) -> Iterator[tuple[bytes, int, int | None]]:
    """(name, start, size) of each chunk; only the last one's padding may be missing. No size: to the end."""
    position, (claimed,) = 12, struct.unpack_from("<I", data, 4)
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int(struct.unpack_from("<I", data, position + 4)[0])
        if name == b"data" and _is_unknown(size, claimed, position):
            yield name, position + 8, None
            return
        if position + 8 + size > whole:
            received = f"{whole - position - 8} of the {size} bytes of chunk {name!r}"
            raise InputError(place, "must not be truncated", received, "Record or copy it again.")
        yield name, position + 8, size
        position += 8 + size + size % 2


def _is_unknown(size: int, claimed: int, position: int) -> bool:
    """Whether neither size was known when the header was written: of the samples, and `claimed` of the whole file."""
    if size >= _UNKNOWN:
        return claimed >= _UNKNOWN or claimed == 0
    return size == 0 and (claimed in (0, position) or claimed >= _UNKNOWN)  # position: the header and nothing more


def _format(chunk: bytes, place: str) -> _Format:
    if len(chunk) < 16:
        raise InputError(place, "chunk 'fmt ' must have at least 16 bytes", len(chunk))
    codec, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _GUID_TAIL:
        (codec,) = struct.unpack_from("<H", chunk, 24)
    if codec not in _BITS:
        raise InputError(place, "must hold PCM, float, mu-law or A-law samples", f"codec 0x{codec:04x}", _HINT)
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
    width = shape.width
    if not data:
        raise InputError(place, "must hold at least one sample", 0)
    if len(data) % width:
        raise InputError(place, f"must hold whole time steps of {width} bytes", len(data), "Record or copy it again.")
    there = len(data) // width
    kept = there if math.isinf(seconds) else min(there, max(1, math.ceil(seconds * shape.rate)))
    if kept > MOST_STEPS:
        raise InputError(place, f"at most {MOST_STEPS} time steps of it can be taken", kept, "Save it at a lower rate.")
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
        return np.frombuffer(data, f"<f{shape.bits // 8}").astype(np.float64)
    if shape.codec in (_A_LAW, _MU_LAW):
        return _companded(shape.codec == _A_LAW)[np.frombuffer(data, np.uint8)]
    if shape.bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if shape.bits == 24:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts  # as the upper bytes of 32 bits, so that the sign stands where it belongs
        return wide.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(data, f"<i{shape.bits // 8}") / 2.0 ** (shape.bits - 1)


@lru_cache(maxsize=2)
def _companded(is_a_law: bool) -> NDArray[np.float64]:
    """(256,): the sample that each byte stands for, by ITU-T G.711."""
    codes = np.arange(256) ^ (0x55 if is_a_law else 0xFF)
    exponents, steps = codes >> 4 & 7, (codes & 15) * 2 + 1
    if is_a_law:
        sizes = np.where(exponents == 0, steps, (steps + 32) << np.maximum(exponents - 1, 0)) * 8
        return np.where(codes & 0x80, sizes, -sizes) / 2.0**15
    sizes = ((steps + 32) << exponents) - 33
    return np.where(codes & 0x80, -sizes, sizes) * 4 / 2.0**15
