"""The folder of dltk's cache: a marked folder inside the one that the user names.

DLTK_CACHE may name a folder that contains other files. dltk writes only to `dltk-cache` inside it, which is marked
with a cache directory tag (https://bford.info/cachedir/).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dltk.base.errors import EnvironmentFault
from dltk.base.files import write_atomic
from dltk.base.siblings import MARK

__all__ = ["TAG", "cache_folder", "cache_root", "is_folder", "is_nothing", "make_cache_folder", "require_own"]

TAG = "CACHEDIR.TAG"
_OWN = "dltk-cache"
_MARK = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by dltk. Everything here can be made or fetched again.\n"


def cache_root() -> Path:
    """The folder that the cache is in: `DLTK_CACHE`, else `dltk` in `XDG_CACHE_HOME`, else in `~/.cache`.

    Raises:
        EnvironmentFault: if no variable is set and the user has no home.
    """
    named = os.environ.get("DLTK_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base or Path.home() / ".cache") / "dltk"
    except RuntimeError as fault:
        hint = "Set DLTK_CACHE to a writable folder."
        raise EnvironmentFault("cache", "needs a folder, and this user has no home", str(fault), hint) from fault


def cache_folder(*parts: str) -> Path:
    """dltk's folder in the cache, or the path `parts` in it; nothing is created.

    Raises:
        EnvironmentFault: as `cache_root`.
    """
    return cache_root().joinpath(_OWN, *parts)


def is_nothing(folder: Path) -> bool:
    """Whether `folder` does not exist, or was left by a process that was killed before it could mark it."""
    if not os.path.lexists(folder):
        return True
    return is_folder(folder) and all(name.startswith(MARK) for name in os.listdir(folder))


def make_cache_folder() -> None:
    """Create dltk's folder and mark it, unless it exists.

    Raises:
        EnvironmentFault: if dltk did not create what exists there, or it is not writable.
    """
    folder = cache_folder()
    if is_nothing(folder):
        write_atomic(folder / TAG, _MARK)
    require_own(folder)


def require_own(folder: Path) -> None:
    """Raise EnvironmentFault unless `folder` was created and marked by dltk and is not a link."""
    tag = folder / TAG
    try:
        marked = is_folder(folder) and stat.S_ISREG(tag.lstat().st_mode) and tag.read_bytes() == _MARK
    except OSError:
        marked = False
    if not marked:
        hint = "Move it away, or set DLTK_CACHE to another folder."
        raise EnvironmentFault(folder, f"must be a folder that dltk created and marked with {TAG}", None, hint)


def is_folder(path: Path) -> bool:
    """Whether `path` is a folder, and not a link to one."""
    return stat.S_ISDIR(path.lstat().st_mode)
