"""How many parts an image's file has, from its markers alone: decoders go over each of them, in Python too.

Segments and scans of a JPEG, chunks of a PNG, the blocks before the first frame of a GIF. Megabytes of empty ones take
minutes and hundreds of bytes each. What stands behind the end of an image, such as the video of a motion photo, is
no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from dltk.base.errors import InputError

__all__ = ["count_scans", "require_few_parts"]

_MOST = 50_000  # parts: a PNG of 400 MB in chunks of 8 KB has as many
_MARKER = re.compile(rb"\xff+[^\x00\xff]")  # with fill bytes before it
_AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_ALONE = (0x01, *range(0xD0, 0xD9))  # markers without a length
_START_OF_SCAN, _END = 0xDA, 0xD9


def require_few_parts(data: bytes, where: str) -> None:
    """Raise InputError if a JPEG, PNG or GIF has over 50,000 parts; other formats have none that cost."""
    parts = next((of for magic, of in _PARTS.items() if data.startswith(magic)), None)
    for number, _ in enumerate(parts(data) if parts else ()):
        if number >= _MOST:
            rule = f"may be made of at most {_MOST} segments, chunks or blocks"
            raise InputError(where, rule, f"more in {len(data)} bytes", "Save it again.")


def count_scans(data: bytes) -> int:
    """Of a JPEG, up to its end."""
    return sum(marker == _START_OF_SCAN for marker in _jpeg(data))


def _jpeg(data: bytes) -> Iterator[int]:
    """The markers of a JPEG, and one for each byte that fills the room between them before its first scan."""
    at, pattern, scanned = 2, _MARKER, False
    while found := pattern.search(data, at):
        marker = data[found.end() - 1]
        if not scanned:  # Pillow goes over these one by one
            yield from range(min(found.end() - at - 2, _MOST))
        yield marker
        if marker == _END:
            return
        at, pattern = found.end(), _MARKER
        if marker not in _ALONE:
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
        if marker == _START_OF_SCAN:
            pattern, scanned = _AFTER_SCAN, True


def _png(data: bytes) -> Iterator[int]:
    at = 8
    while at + 12 <= len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _gif(data: bytes) -> Iterator[int]:
    """The blocks before the first frame, and the pieces that each of them is in."""
    at = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 128 else 0)
    while at + 2 < len(data) and data[at] != 0x2C:  # a frame
        yield at
        at += 2 if data[at] == 0x21 else 1
        while data[at - 1] != 0x3B and at < len(data) and data[at]:
            yield at
            at += 1 + data[at]
        at += 1


_PARTS: Mapping[bytes, Callable[[bytes], Iterator[int]]] = {
    b"\xff\xd8": _jpeg, b"\x89PNG": _png, b"GIF8": _gif
}  # fmt: skip
