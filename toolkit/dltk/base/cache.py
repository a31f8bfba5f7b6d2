"""What stands in dltk's cache, and how it is cleared."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.fetch import cache_folder
from dltk.base.files import sweep

__all__ = ["KINDS", "Entry", "clear_cache", "list_cache"]

# The folders that dltk makes in its cache. Nothing else is listed or removed: DLTK_CACHE may name a folder in which the
# user keeps other things.
KINDS = ("artifacts", "datasets", "features", "images", "packages", "weights")


@dataclass(frozen=True)
class Entry:
    """One thing in the cache.

    Attributes:
        kind: one of `KINDS`.
        name: of its file or folder.
        bytes: what its files hold.
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
    """Every entry, sorted by kind and name; leftovers of killed processes are removed first."""
    return [_entry(kind, path) for kind, path in _paths()]


def clear_cache() -> list[Entry]:
    """Remove every entry; returns what was removed.

    Raises:
        EnvironmentFault: if an entry cannot be removed.
    """
    gone = []
    for kind, path in _paths():
        gone.append(_entry(kind, path))
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as fault:
            raise EnvironmentFault(path, "must be removable", fault.strerror, "Check who owns it.") from fault
    return gone


def _paths() -> list[tuple[str, Path]]:
    found = []
    for kind in KINDS:
        folder = cache_folder(kind)
        if folder.is_dir():
            sweep(folder)
            # What is still hidden belongs to a process that is building it now.
            found += [(kind, path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    return found


def _entry(kind: str, path: Path) -> Entry:
    files = [path] if not path.is_dir() else [Path(base, name) for base, _, names in os.walk(path) for name in names]
    statuses = [file.lstat() for file in files]
    used = max([path.lstat().st_mtime, *(status.st_mtime for status in statuses)])
    return Entry(
        kind, path.name, sum(status.st_size for status in statuses), time.strftime("%Y-%m-%d", time.localtime(used))
    )
