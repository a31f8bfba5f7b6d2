"""Decodes every sample once, in parallel, into a memory-mapped array in dltk's cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.fetch import cache_folder
from dltk.base.files import (
    building_folder,
    canonical_json,
    parse_json,
    read_capped,
    require_free_disk,
    sha256,
    write_atomic,
)
from dltk.base.progress import Progress
from dltk.data.pool import Pool
from dltk.edge.pictures import to_grey
from dltk.edge.preprocess import MAX_PIXELS, channels_of, decode_image, resize_image
from dltk.edge.signature import Op
from dltk.edge.sources.unreadable import reason_of

__all__ = ["Decoded", "decode_pool"]

_FORMAT = 1  # of the cache entry; raise it when what is written, or how a picture becomes pixels, changes
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Decoded:
    """The decoded samples of a pool, row by row.

    Attributes:
        images: uint8 (n, H, W, 3 or 1), memory-mapped, read-only; rows in `unreadable` are black.
        digests: uint8 (n, 32), SHA-256 of each picture's size and pixels before it was resized.
        unreadable: row -> reason.
    """

    images: NDArray[np.uint8]
    digests: NDArray[np.uint8]
    unreadable: dict[int, str]


def decode_pool(pool: Pool, ops: Sequence[Op], *, progress: Progress) -> Decoded:
    """The samples of `pool` by the ops "decode" and "resize": out of the cache, or decoded into it.

    A kill leaves either no entry or a whole one. An entry that is not whole is decoded again.

    Raises:
        EnvironmentFault: if the disk has no room, or Pillow is missing.
    """
    import PIL

    # Another Pillow may decode a JPEG to slightly other pixels.
    asked = {"pool": pool.key, "ops": [dict(op) for op in ops], "format": _FORMAT, "pillow": PIL.__version__}
    folder = cache_folder("images", sha256(canonical_json(asked))[:32])
    shape = _shape(len(pool), ops)
    found = _open(folder, shape)
    if found is None:
        require_free_disk(cache_folder(), int(np.prod(shape)) + len(pool) * _DIGEST_BYTES)
        with building_folder(folder, replace=True) as building:
            _build(building, pool, ops, shape, progress)
        found = _open(folder, shape)
    if found is None:
        raise InputError(folder, "the cache entry vanished while it was in use", hint="Try again.")
    _touch(folder)
    return found


def _shape(count: int, ops: Sequence[Op]) -> tuple[int, int, int, int]:
    resize = next(op for op in ops if op["op"] == "resize")
    return count, int(resize["height"]), int(resize["width"]), channels_of(ops)


def _open(folder: Path, shape: tuple[int, ...]) -> Decoded | None:
    try:
        meta = parse_json(read_capped(folder / "meta.json", 1_000_000_000), folder / "meta.json")
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        digests = np.load(folder / "digests.npy", allow_pickle=False)
        whole = images.shape == shape and images.dtype == np.uint8 and digests.shape == (shape[0], _DIGEST_BYTES)
        if not whole or sha256(digests.tobytes()) != meta["digest"]:
            return None
        return Decoded(images, digests, {int(row): str(reason) for row, reason in meta["unreadable"]})
    except (InputError, OSError, EOFError, ValueError, KeyError, TypeError):
        return None  # not there, or not whole: it is made again


def _build(building: Path, pool: Pool, ops: Sequence[Op], shape: tuple[int, ...], progress: Progress) -> None:
    images = np.lib.format.open_memmap(building / "images.npy", mode="w+", dtype=np.uint8, shape=shape)
    digests = np.lib.format.open_memmap(
        building / "digests.npy", mode="w+", dtype=np.uint8, shape=(shape[0], _DIGEST_BYTES)
    )
    limit = next((int(op["max_pixels"]) for op in ops if op["op"] == "decode"), MAX_PIXELS)
    resize = next(op for op in ops if op["op"] == "resize")
    grey = channels_of(ops) == 1

    def work(rows: range) -> list[tuple[int, str]]:
        faults = []
        for row in rows:
            try:
                image = decode_image(pool.read(row), max_pixels=limit, where=pool.name(row))
            except InputError as fault:
                faults.append((row, reason_of(fault)))
                continue
            digests[row] = np.frombuffer(_pixel_digest(image), np.uint8)
            resized = resize_image(image, resize)
            images[row] = to_grey(resized) if grey else resized
        return faults

    faults: list[tuple[int, str]] = []
    with progress.bar("decoding", len(pool)) as bar:
        for done, found in _parallel(work, len(pool)):
            faults += found
            bar.advance(done)
    images.flush()
    digests.flush()
    meta = {
        "source": pool.source,
        "samples": len(pool),
        "ops": [dict(op) for op in ops],
        "unreadable": sorted(faults),
        "digest": sha256(np.ascontiguousarray(digests).tobytes()),
    }
    write_atomic(building / "meta.json", canonical_json(meta))


def _parallel(work: Any, count: int) -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """(samples done, faults) a chunk, in order. Threads are enough: Pillow and SHA-256 let go of Python's lock."""
    size = min(256, max(1, count // 256))
    chunks = [range(start, min(start + size, count)) for start in range(0, count, size)]
    executor = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        for chunk, faults in zip(chunks, executor.map(work, chunks), strict=True):
            yield len(chunk), faults
    finally:
        executor.shutdown(wait=True, cancel_futures=True)  # Ctrl-C: do not decode the rest first


def _pixel_digest(image: NDArray[np.uint8]) -> bytes:
    hashed = hashlib.sha256(f"{image.shape[0]}x{image.shape[1]}".encode())
    hashed.update(np.ascontiguousarray(image).data)
    return hashed.digest()


def _touch(folder: Path) -> None:
    try:
        os.utime(folder)  # `dltk cache` shows when an entry was last used
    except OSError:
        return  # a cache that may only be read still serves
