"""What is in the files of a data set, without reading those again that have not changed.

A file whose size, times, inode and mode are those of last time holds what it held then; every other one is read. Times
alone would not do: `cp -p`, `rsync -t` and unpacked archives set them. The time of the last change of the inode cannot
be set; a file that changed within its resolution is not remembered, and read once more.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from dltk.base.cache.entries import USE, entry_is_intact, keep
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import canonical_json, open_regular, parse_json, read_capped, sha256
from dltk.base.progress import Progress
from dltk.data.glance import GLANCE

__all__ = ["Stamped", "file_digests"]

_FILE, _LARGEST = "stamps.json", 1_000_000_000
_SETTLED = 2_000_000_000  # ns; no file system that dltk knows of has coarser times
_CHUNK = 1 << 20

Stamp = list[int]


@dataclass(frozen=True)
class Stamped:
    """Files, what is in each, and by what that can be seen to change.

    Attributes:
        digests: SHA-256 of each, hexadecimal; of one that cannot be read the reason.
    """

    paths: Sequence[Path]
    digests: tuple[str, ...]
    _stamps: tuple[Stamp, ...]

    @property
    def key(self) -> str:
        """A digest over all."""
        return sha256(canonical_json(list(self.digests)))

    def require_unchanged(self) -> None:
        """Raise InputError if a file has changed since its digest was taken."""
        for path, before in zip(self.paths, self._stamps, strict=True):
            if _stamp(path) != before:
                raise InputError(os.fsdecode(path), "must not change while it is read", hint="Try again.")


def file_digests(source: str, paths: Sequence[Path], progress: Progress) -> Stamped:
    """The digests of `paths`, which belong to the data set `source`.

    With `data.cache` set to verify or off every file is read; with a `Glance` only those of one size.
    """
    if (glance := GLANCE.get()) is not None:
        return Stamped(paths, glance.digests(paths), tuple(_stamp(path) for path in paths))
    folder = cache_folder("stamps", sha256(os.fsencode(os.path.abspath(source)))[:32])
    before = _kept(folder, progress) if USE.get() == "trust" else {}
    stamps = [_stamp(path) for path in paths]
    known = [before.get(os.path.abspath(path), ([], "")) for path in paths]
    digests = [digest if then == stamp else "" for (then, digest), stamp in zip(known, stamps, strict=True)]
    fresh = [row for row, digest in enumerate(digests) if not digest]
    with ThreadPoolExecutor(os.cpu_count() or 1) as executor, progress.bar("reading", len(fresh)) as bar:
        for row, digest in zip(fresh, executor.map(_digest, [paths[row] for row in fresh]), strict=True):
            digests[row] = digest
            bar.advance(1)
    now = time.time_ns()
    settled = {
        os.path.abspath(path): (stamp, digest)
        for path, stamp, digest in zip(paths, stamps, digests, strict=True)
        if len(stamp) > 1 and len(digest) == 64 and max(stamp[1:3]) < now - _SETTLED
    }
    if settled != before:
        _keep(folder, settled)
    return Stamped(paths, tuple(digests), tuple(stamps))


def _stamp(path: Path) -> Stamp:
    try:
        status = os.stat(path)
    except OSError as fault:
        return [fault.errno or 0]
    times = [status.st_mtime_ns, status.st_ctime_ns]
    return [status.st_size, *times, status.st_ino, status.st_dev, status.st_mode]


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    try:
        with open_regular(path, follow_links=True) as stream:
            while chunk := stream.read(_CHUNK):
                hashed.update(chunk)
    except (InputError, OSError, ValueError) as fault:
        return fault.rule if isinstance(fault, InputError) else type(fault).__name__
    return hashed.hexdigest()


def _kept(folder: Path, progress: Progress) -> dict[str, tuple[Stamp, str]]:
    """Path -> its stamp and digest of last time."""
    if not entry_is_intact(folder, [_FILE], whole=True, note=progress.warn):
        return {}
    try:
        found = parse_json(read_capped(folder / _FILE, _LARGEST), folder)
        return {str(path): (list(stamp), str(digest)) for path, (stamp, digest) in found.items()}
    except (InputError, AttributeError, TypeError, ValueError):
        return {}


def _keep(folder: Path, found: dict[str, tuple[Stamp, str]]) -> None:
    try:
        keep(folder, _FILE, json.dumps(found, sort_keys=True).encode())  # ASCII: names need not be UTF-8
    except EnvironmentFault:
        return  # a cache that may only be read still serves; the files are read again next time
