"""Where dltk's cache is: one marked folder inside the one that the user names.

DLTK_CACHE may name a folder in which the user keeps other things. Everything of dltk's is in `dltk-cache` inside it,
which bears the tag of a cache (https://bford.info/cachedir/).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dltk.base.errors import EnvironmentFault
from dltk.base.files import write_atomic
from dltk.base.siblings import MARK

__all__ = ["TAG", "cache_folder", "cache_root", "is_folder", "is_nothing", "make_own", "require_own"]

TAG = "CACHEDIR.TAG"
_OWN = "dltk-cache"
_MARK = b"Signature: 8a477f597d28d172789f06886806bc55\n# Made by dltk. Everything here can be made or fetched again.\n"


def cache_root() -> Path:
    """The folder that the cache is in: `DLTK_CACHE`, else `dltk` in `XDG_CACHE_HOME`, else in `~/.cache`.

    Raises:
        EnvironmentFault: if none of them is named and the user has no home.
    """
    named = os.environ.get("DLTK_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(base or Path.home() / ".cache") / "dltk"
    except RuntimeError as fault:
        hint = "Set DLTK_CACHE to a folder that may be written."
        raise EnvironmentFault("cache", "needs a folder, and this user has no home", str(fault), hint) from fault


def cache_folder(*parts: str) -> Path:
    """dltk's own folder in the cache, or what is called `parts` in it; nothing is made.

    Raises:
        EnvironmentFault: as `cache_root`.
    """
    return cache_root().joinpath(_OWN, *parts)


def is_nothing(folder: Path) -> bool:
    """Whether nothing stands at `folder`, or what a process leaves that was killed before it could mark it."""
    if not os.path.lexists(folder):
        return True
    return is_folder(folder) and all(name.startswith(MARK) for name in os.listdir(folder))


def make_own() -> None:
    """Make dltk's own folder and mark it, unless it is there.

    Raises:
        EnvironmentFault: if something stands there that dltk did not make, or nothing can be written.
    """
    folder = cache_folder()
    if is_nothing(folder):
        write_atomic(folder / TAG, _MARK)
    require_own(folder)


def require_own(folder: Path) -> None:
    """Raise EnvironmentFault unless `folder` is one that dltk made and marked; links are none."""
    tag = folder / TAG
    try:
        marked = is_folder(folder) and stat.S_ISREG(tag.lstat().st_mode) and tag.read_bytes() == _MARK
    except OSError:
        marked = False
    if not marked:
        hint = "Move it away, or set DLTK_CACHE to another folder."
        raise EnvironmentFault(folder, f"must be the folder that dltk made and marked with {TAG}", None, hint)


def is_folder(path: Path) -> bool:
    """Whether a folder stands at `path`, and not a link to one."""
    return stat.S_ISDIR(path.lstat().st_mode)
