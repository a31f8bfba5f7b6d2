"""Decodes every sample once, in parallel, into a memory-mapped array in dltk's cache."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import entry_is_intact, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.disk import allocate, require_free_disk
from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, read_capped, sha256, write_atomic
from dltk.base.progress import Progress
from dltk.data.glance import GLANCE, Glance
from dltk.data.pool import Pool
from dltk.edge.bundle.arrays import load_intact_array
from dltk.edge.bundle.signature import Op
from dltk.edge.input.images.decode import to_grey
from dltk.edge.input.images.heif import decoder_version
from dltk.edge.input.preprocess import MAX_PIXELS, channels_of, decode_image, resize_image
from dltk.edge.sources.unreadable import reason_of

__all__ = ["Decoded", "Decoder", "decode_pool", "image_decoder"]

_FORMAT = 1  # of the cache entry; raise it when what is written, or how a file becomes a raw sample, changes
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Decoder:
    """How the samples of a pool become raw ones.

    Attributes:
        kind: "images", "sounds": what the cache's folder is called.
        facts: JSON values: all that decides a raw sample besides its file.
        shape, dtype: of a raw sample.
        decode: (path or array, how messages call it) -> raw sample of that shape and dtype, and the SHA-256 that equal
            samples share.
    """

    kind: str
    facts: Mapping[str, Any]
    shape: tuple[int, ...]
    dtype: Any
    decode: Callable[[Any, str], tuple[NDArray[Any], bytes]]


@dataclass(frozen=True)
class Decoded:
    """The decoded samples of a pool, row by row.

    Attributes:
        raws: (n, ...), memory-mapped, read-only; rows in `unreadable` are zeros.
        digests: uint8 (n, 32): SHA-256 of each, as its decoder gives it.
        unreadable: row -> reason.
    """

    raws: NDArray[Any]
    digests: NDArray[np.uint8]
    unreadable: dict[int, str]


def image_decoder(ops: Sequence[Op]) -> Decoder:
    """uint8 (H, W, 3 or 1) by the ops "decode" and "resize"; digests are of size and pixels before resizing.

    Raises:
        EnvironmentFault: if Pillow is missing.
    """
    import PIL

    limit = next((int(op["max_pixels"]) for op in ops if op["op"] == "decode"), MAX_PIXELS)
    resize, channels = next(op for op in ops if op["op"] == "resize"), channels_of(ops)

    def decode(source: Any, where: str) -> tuple[NDArray[Any], bytes]:
        image = decode_image(source, max_pixels=limit, where=where)
        resized = resize_image(image, resize)
        return to_grey(resized) if channels == 1 else resized, _pixel_digest(image)

    # Another Pillow may decode a JPEG to slightly other pixels.
    facts = {"ops": [dict(op) for op in ops], "pillow": PIL.__version__}
    facts |= {"heif": version} if (version := decoder_version()) else {}
    return Decoder("images", facts, (int(resize["height"]), int(resize["width"]), channels), np.uint8, decode)


def decode_pool(pool: Pool, decoder: Decoder, *, progress: Progress) -> Decoded:
    """The samples of `pool`: out of the cache, or decoded into it.

    A kill leaves either no entry or a whole one. An entry that is not whole is decoded again. With a `Glance` a few
    samples are decoded, and none is kept.

    Raises:
        EnvironmentFault: if the disk has no room.
        InputError: if the cache entry vanishes while it is in use.
    """
    if (glance := GLANCE.get()) is not None:
        return _glanced_at(pool, decoder, glance)
    asked = {"pool": pool.key, "format": _FORMAT, **decoder.facts}
    folder = cache_folder(decoder.kind, sha256(canonical_json(asked))[:32])
    found = _open(folder, decoder, len(pool), progress)
    if found is None:
        each = math.prod(decoder.shape) * np.dtype(decoder.dtype).itemsize + _DIGEST_BYTES
        require_free_disk(cache_folder(), len(pool) * each)
        with new_entry(folder) as building:
            _build(building, pool, decoder, progress)
            pool.require_unchanged()
        found = _open(folder, decoder, len(pool), progress)
    if found is None:
        raise InputError(folder, "the cache entry vanished while it was in use", hint="Try again.")
    return found


def _glanced_at(pool: Pool, decoder: Decoder, glance: Glance) -> Decoded:
    """A few samples decoded, all where one of them cannot be read; the others are zeros, compared by their files."""
    count = len(pool)
    raws = np.zeros((count if count <= glance.samples else 1, *decoder.shape), decoder.dtype)
    whole = raws if count <= glance.samples else np.broadcast_to(raws[0], (count, *decoder.shape))
    sources = [pool.read(row) for row in range(count)]
    digests = np.zeros((count, _DIGEST_BYTES), np.uint8)

    def look(row: int) -> str:
        found = glance.decode(decoder.kind, sources[row], lambda: decoder.decode(sources[row], pool.name(row)))
        if found.raw is not None and count <= glance.samples:
            raws[row] = found.raw
        digests[row] = np.frombuffer(found.digest or bytes(_DIGEST_BYTES), np.uint8)
        return found.fault

    few = np.unique(np.linspace(0, count - 1, min(count, glance.samples)).astype(int)).tolist()
    with ThreadPoolExecutor(os.cpu_count() or 1) as executor:
        faults = dict(zip(few, executor.map(look, few), strict=True))
        if any(faults.values()):
            rest = [row for row in range(count) if row not in faults]
            faults |= dict(zip(rest, executor.map(look, rest), strict=True))
    if len(faults) < count:
        for row, source in enumerate(sources):
            digests[row] = np.frombuffer(glance.digest_of(source), np.uint8)
    glance.looked_at(len(faults), digests[[row for row in range(count) if not faults.get(row)]])
    return Decoded(whole, digests, {row: fault for row, fault in sorted(faults.items()) if fault})


def _open(folder: Path, decoder: Decoder, count: int, progress: Progress) -> Decoded | None:
    if not entry_is_intact(folder, ["meta.json", "digests.npy", f"{decoder.kind}.npy"], note=progress.warn):
        return None
    raws = load_intact_array(folder / f"{decoder.kind}.npy", (count, *decoder.shape), decoder.dtype)
    digests = load_intact_array(folder / "digests.npy", (count, _DIGEST_BYTES), np.uint8, mapped=False)
    if raws is None or digests is None:
        return None
    try:
        meta = parse_json(read_capped(folder / "meta.json", 1_000_000_000), folder / "meta.json")
        if sha256(digests.tobytes()) != meta["digest"]:
            return None
        return Decoded(raws, digests, {int(row): str(reason) for row, reason in meta["unreadable"]})
    except (InputError, LookupError, TypeError, ValueError, ArithmeticError):
        return None  # not whole: it is created again


def _build(building: Path, pool: Pool, decoder: Decoder, progress: Progress) -> None:
    count, create = len(pool), np.lib.format.open_memmap
    raws = create(building / f"{decoder.kind}.npy", mode="w+", dtype=decoder.dtype, shape=(count, *decoder.shape))
    digests = create(building / "digests.npy", mode="w+", dtype=np.uint8, shape=(count, _DIGEST_BYTES))
    for name in (f"{decoder.kind}.npy", "digests.npy"):
        allocate(building / name)

    def work(rows: range) -> list[tuple[int, str]]:
        faults = []
        for row in rows:
            try:
                raws[row], digest = decoder.decode(pool.read(row), pool.name(row))
            except InputError as fault:
                faults.append((row, reason_of(fault)))
                continue
            digests[row] = np.frombuffer(digest, np.uint8)
        return faults

    faults: list[tuple[int, str]] = []
    with progress.bar("decoding", len(pool)) as bar:
        for done, found in _parallel(work, len(pool)):
            faults += found
            bar.advance(done)
    raws.flush()
    digests.flush()
    meta = {
        "source": pool.source,
        "samples": len(pool),
        **decoder.facts,
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
