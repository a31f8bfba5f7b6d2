"""Hostile pictures, recordings and texts, given to sound bundles."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path

import numpy as np

import pngs
import sounds
from attacks.kit import Attack, Case, Place
from attacks.parts import sound, with_model
from dltk.edge.bundle.signature import Signature
from edge.signatures import AUDIO, IMAGE_TEXT, TEXT

__all__ = ["INPUTS"]

Put = Callable[[Path, Place], object]


def _predict(name: str, put: Put | bytes, says: str, signature: Signature | None = None) -> Attack:
    """`put` makes the input `name`, or is its bytes; without a signature the model takes pictures."""

    def attack(place: Place) -> Case:
        sound(place.inside / "bundle") if signature is None else with_model(place.inside / "bundle", signature)
        path = place.inside / name
        if isinstance(put, bytes):
            path.write_bytes(put)
        else:
            put(path, place)
        return Case(("predict", "bundle", name), says)

    return attack


def _png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG that says it has so many pixels, with chunks between its header and nearly no data."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    middle = b"".join(pngs.chunk(*each) for each in chunks)
    data = pngs.chunk(b"IDAT", zlib.compress(bytes(1000)))
    return pngs.SIGNATURE + pngs.chunk(b"IHDR", header) + middle + data + pngs.chunk(b"IEND", b"")


def _saved(kind: str) -> bytes:
    from PIL import Image

    stream = BytesIO()
    Image.new("RGB", (16, 16), "red").save(stream, kind)
    return stream.getvalue()


def _lying_jpeg() -> bytes:
    """Its frame header says 65,500 x 65,500."""
    data = bytearray(_saved("JPEG"))
    place = data.index(b"\xff\xc0") + 5
    struct.pack_into(">HH", data, place, 65_500, 65_500)
    return bytes(data)


def _wav(place: int, form: str, value: int) -> bytes:
    """A recording with one number of its header changed: 22 channels, 24 rate, 34 bits, 40 bytes of data."""
    data = bytearray(sounds.wav(np.zeros(800)))
    struct.pack_into(form, data, place, value)
    return bytes(data)


def _sparse(path: Path, place: Place) -> None:
    """Ten gigabytes that take no disk."""
    with path.open("wb") as stream:
        stream.truncate(10**10)


def _wide_cell(path: Path, place: Place) -> None:
    path.write_bytes(b"text,label\n" + b"a" * 2_000_000 + b",card\n")


_TEXT_BOMB = (b"zTXt", b"note\0\0" + zlib.compress(bytes(10**9), 9))
_PROFILE_BOMB = (b"iCCP", b"icc\0\0" + zlib.compress(bytes(10**9), 9))
_DEEP = '{"image": ' + "[" * 100_000 + "]" * 100_000 + "}"

INPUTS: Mapping[str, Attack] = {
    "picture-of-billions": _predict("a.png", _png(60_000, 60_000), "may have at most"),
    "picture-of-no-pixels": _predict("a.png", _png(0, 4), "must be"),
    "picture-text-bomb": _predict("a.png", _png(4, 4, _TEXT_BOMB), "must be"),
    "picture-profile-bomb": _predict("a.png", _png(90, 90, _PROFILE_BOMB), "must be"),
    "picture-jpeg-of-billions": _predict("a.jpg", _lying_jpeg(), "may have at most"),
    "picture-is-a-tiff": _predict("a.png", b"II*\0\x08\0\0\0\xff\xff" + bytes(99), "may have at most"),
    "picture-is-an-icon": _predict("a.png", _saved("ICO"), "must be"),
    "picture-is-postscript": _predict("a.png", _saved("EPS"), "must be"),
    "picture-is-svg": _predict("a.png", b'<svg><image href="../secret.bin"/></svg>', "must be"),
    "picture-is-a-pipe": _predict("a.png", lambda path, place: os.mkfifo(path), "regular file"),
    "picture-without-end": _predict("a.png", lambda path, place: path.symlink_to("/dev/zero"), "regular file"),
    "picture-is-memory": _predict("a.png", lambda path, place: path.symlink_to("/proc/self/mem"), "must be"),
    "picture-of-ten-gigabytes": _predict("a.png", _sparse, "must be at most"),
    "sound-of-65535-channels": _predict("a.wav", _wav(22, "<H", 65_535), "must", AUDIO),
    "sound-of-no-channels": _predict("a.wav", _wav(22, "<H", 0), "must", AUDIO),
    "sound-without-rate": _predict("a.wav", _wav(24, "<I", 0), "must", AUDIO),
    "sound-of-a-high-rate": _predict("a.wav", _wav(24, "<I", 2**32 - 1), "must", AUDIO),
    "sound-longer-than-its-file": _predict("a.wav", _wav(40, "<I", 2**32 - 1), "must not be truncated", AUDIO),
    "sound-of-ten-gigabytes": _predict("a.wav", _sparse, "must be", AUDIO),
    "text-of-ten-gigabytes": _predict("a.txt", _sparse, "must be", TEXT),
    "text-in-a-wide-cell": _predict("a.csv", _wide_cell, "must", TEXT),
    "pair-deep": _predict(_DEEP, lambda path, place: None, "must", IMAGE_TEXT),
    "pair-from-the-parent": _predict(
        "a.csv", lambda path, place: path.write_text("image,text\n../secret.bin,card\n"), "must", IMAGE_TEXT
    ),
}  # fmt: skip
