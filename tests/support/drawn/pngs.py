"""PNG files of every kind there is, written by hand: Pillow writes only some."""

from __future__ import annotations

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16)]
KINDS += [(6, 8), (6, 16)]
_ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind: bytes, body: bytes) -> bytes:
    """Length, kind, body and CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def exif(orientation: int, *, order: str = ">") -> bytes:
    """A TIFF file of one directory with one entry: tag 0x0112."""
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def png(samples: np.ndarray, colour: int, depth: int, *, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """A PNG of raw samples (H, W, channels); every row has another of the five filters.

    Args:
        extra: chunks between header and pixels.
    """
    height, width, _ = samples.shape
    passes = _ADAM7 if interlaced else [(0, 0, 1, 1)]
    lines = [_filtered(samples[y::dy, x::dx], depth) for x, y, dx, dy in passes]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    data = zlib.compress(b"".join(lines))
    half = len(data) // 2
    parts = [
        chunk(b"IHDR", header),
        extra,
        chunk(b"IDAT", data[:half]),
        chunk(b"IDAT", data[half:]),
        chunk(b"IEND", b""),
    ]
    return SIGNATURE + b"".join(parts)


def _filtered(samples: np.ndarray, depth: int) -> bytes:
    if not samples.size:
        return b""
    rows = samples.reshape(len(samples), -1)
    if depth == 16:
        lines = rows.astype(">u2").view(np.uint8).reshape(len(rows), -1)
    else:
        bits = np.unpackbits(rows.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
        lines = np.packbits(bits.reshape(len(rows), -1), axis=1)
    step, above, found = max(1, samples.shape[2] * depth // 8), np.zeros(lines.shape[1], np.int64), []
    for number, line in enumerate(lines.astype(np.int64)):
        kind = number % 5
        left, corner = (np.concatenate([np.zeros(step, np.int64), each])[: len(each)] for each in (line, above))
        guess = [0, left, above, (left + above) // 2, _paeth(left, above, corner)][kind]
        found.append(bytes([kind]) + ((line - guess) % 256).astype(np.uint8).tobytes())
        above = line
    return b"".join(found)


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    return np.where((a <= b) & (a <= c), left, np.where(b <= c, up, corner))
