"""TIFF images: the plain kind that scanners and microscopes write, checked tag by tag before Pillow sees the file.

One page, 8 or 16 unsigned bits, grey, RGB or palette, with or without alpha, in strips without compression or with LZW
or deflate. Pillow is given the same strips with a directory that holds the checked tags and no others: no metadata, no
further pages, no offsets that lead elsewhere. Its decoder of compressed strips is libtiff.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from dltk.base.errors import InputError

__all__ = ["is_tiff", "plain_tiff"]

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _COUNTS, _PLANAR = 273, 274, 277, 278, 279, 284
_PREDICTOR, _COLOURS, _EXTRA, _FORMAT = 317, 320, 338, 339
_TAKEN = (_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _COUNTS, _PLANAR,
          _PREDICTOR, _COLOURS, _EXTRA, _FORMAT)  # fmt: skip
_RAW = {50706: "a raw photo (DNG)", 330: "several images in one"}  # by the tags that say so
_SHAPES = {3: "H", 4: "I"}  # of the types short and long
_MOST_TAGS, _MOST_STRIPS, _LARGEST_STRIP = 1_000, 50_000, 200_000_000
_COMPRESSIONS = (1, 5, 8, 32946)
_HINT = "Save it as PNG."
_RULE = "a TIFF must have one page of 8 or 16 bits, grey, RGB or palette, in strips, uncompressed or LZW or deflate"


def is_tiff(data: bytes) -> bool:
    """Whether a file begins like a TIFF; the raw photos that begin so, too, are refused by `plain_tiff`."""
    return data[:4] in (b"II*\0", b"MM\0*") and data[4:10] != b"\x10\0\0\0CR"


def plain_tiff(data: bytes, where: str) -> tuple[bytes, int]:
    """The TIFF in `data` with nothing but checked tags, and its orientation (1..8).

    Raises:
        InputError: naming `where`, if it is damaged or of another kind.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        tags = _tags(data, order, where)
        _check(tags, len(data), where)
    except (struct.error, IndexError) as fault:
        raise InputError(where, "must be an undamaged image", "a TIFF that ends before its directory") from fault
    turned = tags.pop(_ORIENTATION, (1,))[0]
    return _rebuilt(data, tags, order), turned if 1 <= turned <= 8 else 1


def _tags(data: bytes, order: str, where: str) -> dict[int, tuple[int, ...]]:
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    if count > _MOST_TAGS:
        raise InputError(where, f"may have at most {_MOST_TAGS} tags", count, _HINT)
    (following,) = struct.unpack_from(f"{order}I", data, start + 2 + 12 * count)
    if following:
        raise InputError(where, _RULE, "several pages", "Save each page as PNG.")
    found: dict[int, tuple[int, ...]] = {}
    for number in range(count):
        place = start + 2 + 12 * number
        tag, kind, length = struct.unpack_from(f"{order}HHI", data, place)
        if tag in _RAW:
            raise InputError(where, _RULE, _RAW[tag], _HINT)
        if tag not in _TAKEN:
            continue
        shape = _SHAPES.get(kind)
        if shape is None or tag in found or not 0 < length <= _MOST_STRIPS:
            raise InputError(where, "must be an undamaged image", f"tag {tag} of a TIFF: type {kind}, {length} values")
        size = struct.calcsize(shape) * length
        at = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", data, place + 8)[0]
        found[tag] = struct.unpack_from(f"{order}{length}{shape}", data, at)
    return found


def _check(tags: Mapping[int, tuple[int, ...]], size: int, where: str) -> None:
    """Raise InputError unless the tags are those of a plain image whose strips lie in the file."""
    for tag in (_WIDTH, _HEIGHT, _PHOTOMETRIC, _OFFSETS, _COUNTS):
        if tag not in tags:
            raise InputError(where, _RULE, f"no tag {tag}", _HINT)
    for tag in (_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _PLANAR, _PREDICTOR, _ORIENTATION):
        if len(tags.get(tag, (1,))) != 1:
            raise InputError(where, "must be an undamaged image", f"several values of tag {tag} of a TIFF")
    samples, bits, kind = tags.get(_SAMPLES, (1,))[0], tags.get(_BITS, (1,)), tags[_PHOTOMETRIC][0]
    fits = {0: (1,), 1: (1,), 2: (3, 4), 3: (1,)}.get(kind, ())
    received = {
        "compression": (tags.get(_COMPRESSION, (1,))[0], _COMPRESSIONS),
        "bits": (bits, ((8,) * samples, (16,) * samples) if kind in (1, 2) else ((8,) * samples,)),
        "samples per pixel": (samples, fits),
        "planes": (tags.get(_PLANAR, (1,))[0], (1,)),
        "predictor": (tags.get(_PREDICTOR, (1,))[0], (1, 2)),
        "sample format": (set(tags.get(_FORMAT, (1,))), ({1},)),
        "colours": (len(tags.get(_COLOURS, ())), (768,) if kind == 3 else (0, 768)),
        "extra samples": (tags.get(_EXTRA, ()), ((0,), (1,), (2,)) if samples == 4 else ((),)),
    }
    for name, (value, allowed) in received.items():
        if value not in allowed:
            raise InputError(where, _RULE, f"{name} {value}", _HINT)
    _check_strips(tags, samples * max(bits) // 8, size, where)


def _check_strips(tags: Mapping[int, tuple[int, ...]], pixel: int, size: int, where: str) -> None:
    """Raise InputError unless as many strips as the height needs lie in the file, of a size that memory has."""
    width, height = tags[_WIDTH][0], tags[_HEIGHT][0]
    rows = min(tags.get(_ROWS, (height,))[0], height)
    offsets, counts = tags[_OFFSETS], tags[_COUNTS]
    if not width or not rows or not len(offsets) == len(counts) == -(-height // rows):
        received = f"{len(offsets)} strips of {rows} rows, {width} x {height} pixels"
        raise InputError(where, "must be an undamaged image", received)
    if width * rows * pixel > _LARGEST_STRIP:
        rule = f"a strip of a TIFF may have at most {_LARGEST_STRIP} bytes"
        raise InputError(where, rule, width * rows * pixel, _HINT)
    for offset, count in zip(offsets, counts, strict=True):
        if not 8 <= offset <= offset + count <= size:
            raise InputError(where, "must be an undamaged image", "a TIFF that ends before its pixels")


def _rebuilt(data: bytes, tags: Mapping[int, tuple[int, ...]], order: str) -> bytes:
    """`data` with a directory at its end that holds `tags` alone."""
    start = len(data) + len(data) % 2
    after = start + 2 + 12 * len(tags) + 4
    entries, values = bytearray(struct.pack(f"{order}H", len(tags))), bytearray()
    for tag, given in sorted(tags.items()):
        shape, kind = ("I", 4) if tag in (_OFFSETS, _COUNTS, _WIDTH, _HEIGHT, _ROWS) else ("H", 3)
        packed = struct.pack(f"{order}{len(given)}{shape}", *given)
        entries += struct.pack(f"{order}HHI", tag, kind, len(given))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", after + len(values))
            values += packed
    head = data[:4] + struct.pack(f"{order}I", start)
    return b"".join((head, data[8:], b"\0" * (len(data) % 2), entries, bytes(4), values))
