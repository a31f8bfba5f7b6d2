"""Lists and clears dltk's cache."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dltk.base.cache.entries import MANIFEST, listed_files
from dltk.base.cache.folder import TAG, cache_folder, is_folder, is_nothing, require_own
from dltk.base.errors import EnvironmentFault
from dltk.base.files import sweep

__all__ = ["KINDS", "Entry", "clear_cache", "list_cache", "unknown_entries"]

KINDS = ("artifacts", "datasets", "features", "images", "packages", "pairs", "sounds", "stamps", "weights")


@dataclass(frozen=True)
class Entry:
    """One entry of the cache.

    Attributes:
        kind: one of `KINDS`.
        name: of its folder.
        bytes: size of its files.
        last_used: day, YYYY-MM-DD, in local time.
    """

    kind: str
    name: str
    bytes: int
    last_used: str

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def list_cache() -> list[Entry]:
    """Every entry, sorted by kind and name; leftovers of killed processes are removed first.

    Raises:
        EnvironmentFault: as `cache_root`.
    """
    return [_entry(kind, path, files) for kind, path, files in _found() if files is not None]


def unknown_entries() -> list[Path]:
    """Paths in dltk's cache folder that are not entries of dltk; they are never removed."""
    return [path for _, path, files in _found() if files is None]


def clear_cache() -> list[Entry]:
    """Remove every entry; returns the removed ones. Only files that an entry lists are removed, and never through a
    link.

    Raises:
        EnvironmentFault: if an entry cannot be removed.
    """
    gone = []
    for kind, path, files in _found():
        if files is None:
            continue
        entry = _entry(kind, path, files)
        try:
            _remove(path, files)
        except OSError as fault:
            raise EnvironmentFault(path, "cannot be removed", fault.strerror, "Check who owns it.") from fault
        gone.append(entry)
    return gone


def _found() -> Iterator[tuple[str, Path, list[str] | None]]:
    """(kind, path, files) of every path in dltk's folder; None instead of files if dltk did not write it."""
    if is_nothing(cache_folder()):
        return
    require_own(cache_folder())
    for path in sorted(cache_folder().iterdir()):
        if path.name in KINDS and is_folder(path):
            sweep(path)
            # What is still hidden belongs to a process that is building it now.
            for each in sorted(path.iterdir()):
                if not each.name.startswith("."):
                    yield path.name, each, listed_files(each, path.name)
        elif path.name != TAG:
            yield "", path, None


def _remove(path: Path, files: list[str]) -> None:
    """Remove the entry at `path`; files that it does not list stay, and so does their folder."""
    folder = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        for name in [*files, MANIFEST]:
            if os.supports_dir_fd and os.unlink in os.supports_dir_fd:
                os.unlink(name, dir_fd=folder)
            else:
                os.unlink(path / name)
    finally:
        os.close(folder)
    if not os.listdir(path):
        os.rmdir(path)


def _entry(kind: str, path: Path, files: list[str]) -> Entry:
    statuses = [(path / name).lstat() for name in (*files, MANIFEST)]
    used = max([path.lstat().st_mtime, *(status.st_mtime for status in statuses)])
    day = time.strftime("%Y-%m-%d", time.localtime(used))
    return Entry(kind, path.name, sum(status.st_size for status in statuses), day)
