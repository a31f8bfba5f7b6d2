"""Entries of dltk's cache: one folder each, with a list of its files and the SHA-256 of every block of them.

Digests are checked when an entry is used: all of a small entry, random blocks of a large one. A damaged entry is not
used, and is computed again. The digests detect damage, not deliberate changes to the cache.
"""

from __future__ import annotations

import hashlib
import logging
import os
import random
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from dltk.base.cache.folder import is_folder, make_cache_folder
from dltk.base.errors import InputError
from dltk.base.files import building_folder, canonical_json, open_regular, parse_json, read_capped, sha256, write_atomic

__all__ = ["MANIFEST", "USE", "keep", "listed_files", "new_entry", "entry_is_intact", "using"]

MANIFEST = "entry.json"
_SCHEMA = 1
_BLOCK = 1 << 20
_WHOLE = 32  # blocks of the smaller files of an entry, which are always read; that takes some 30 ms
_DRAWN = 16  # blocks of the larger files
_LARGEST_MANIFEST = 64_000_000

_COMPUTED = ("features", "images", "pairs", "sounds", "stamps")  # kinds that come from the user's samples

# How what is computed from samples is used again: trust, verify or off, as the setting `data.cache` has it.
USE: ContextVar[str] = ContextVar("USE", default="trust")

Note = Callable[[str], None]
_made: set[Path] = set()  # by this process


@contextmanager
def using(settings: Any) -> Iterator[None]:
    """Until the block ends, `USE` is the value of `settings.cache`, if that setting exists."""
    token = USE.set(getattr(settings, "cache", USE.get()))
    try:
        yield
    finally:
        USE.reset(token)


@contextmanager
def new_entry(folder: Path) -> Iterator[Path]:
    """A new folder whose files become the cache entry `folder` (KIND/NAME) when the block ends.

    Raises:
        EnvironmentFault: if the disk is full or not writable.
    """
    make_cache_folder()
    with building_folder(folder, replace=True) as building:
        yield building
        names = sorted(path.name for path in building.iterdir())
        files = {name: _described(building / name) for name in names}
        found = {"schema": _SCHEMA, "kind": folder.parent.name, "name": folder.name, "block": _BLOCK, "files": files}
        write_atomic(building / MANIFEST, canonical_json(found | {"sha256": sha256(canonical_json(found))}))
    _made.add(folder.absolute())


def keep(folder: Path, name: str, data: bytes) -> Path:
    """Store one file as the entry `folder`; returns that file's path."""
    with new_entry(folder) as building:
        write_atomic(building / name, data)
    return folder / name


def entry_is_intact(folder: Path, names: Sequence[str], *, whole: bool = False, note: Note | None = None) -> bool:
    """Whether the entry `folder` exists, has the files `names`, and is not damaged.

    Args:
        whole: check every block, also of large entries, as with `data.cache=verify`.
        note: called with one line if the entry is damaged; None: a warning in the log.
    """
    computed = folder.parent.name in _COMPUTED
    if not os.path.lexists(folder) or (computed and USE.get() == "off" and folder.absolute() not in _made):
        return False
    why = _damage_of(folder, names, whole or USE.get() == "verify")
    if why:
        (note or logging.getLogger("dltk").warning)(f"{folder}: {why}; it is created again")
    else:
        with suppress(OSError):  # a cache that may only be read still serves
            os.utime(folder)  # `dltk cache` shows when an entry was last used
    return not why


def listed_files(folder: Path, kind: str) -> list[str] | None:
    """The files of the entry `folder`; None unless it is an entry of dltk and its files all exist, none as a link."""
    try:
        names = list(_manifest(folder, kind)["files"])
        there = all(stat.S_ISREG((folder / name).lstat().st_mode) for name in names)
    except (InputError, OSError):
        return None
    return names if there else None


def _damage_of(folder: Path, names: Sequence[str], whole: bool) -> str:
    """The damage of an entry, in words; "" if there is none."""
    try:
        files = _manifest(folder, folder.parent.name)["files"]
        if not set(names) <= set(files):
            return "lacks files"
        for name, recorded in files.items():
            if (folder / name).lstat().st_size != recorded["bytes"]:
                return f"{name} has another size"
        blocks = _chosen({name: len(recorded["blocks"]) for name, recorded in files.items()}, whole)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as executor:  # SHA-256 lets go of Python's lock
            sound = executor.map(lambda block: _digest_of(folder / block[0], block[1]), blocks)
            for (name, number), found in zip(blocks, sound, strict=True):
                if found != files[name]["blocks"][number]:
                    return f"{name} is damaged"
    except (InputError, OSError) as fault:
        return str(fault.rule if isinstance(fault, InputError) else fault.strerror)
    return ""


def _chosen(counts: Mapping[str, int], whole: bool) -> list[tuple[str, int]]:
    """(file, block) pairs to check: all of small entries, and some blocks of large ones."""
    small: list[tuple[str, int]] = []
    large: list[tuple[str, int]] = []
    for name in sorted(counts, key=lambda name: counts[name]):
        fits = whole or len(small) + counts[name] <= _WHOLE
        (small if fits else large).extend((name, number) for number in range(counts[name]))
    return small + sorted(random.sample(large, min(_DRAWN, len(large))))


def _manifest(folder: Path, kind: str) -> dict[str, Any]:
    """The list of the entry `folder`.

    Raises:
        InputError: if it is missing or damaged.
    """
    path = folder / MANIFEST
    if not is_folder(folder):
        raise InputError(folder, "must be a folder, not a link or a file")
    found = parse_json(read_capped(path, _LARGEST_MANIFEST), path)
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise InputError(path, "is not a list of an entry's files")
    rest = {key: value for key, value in found.items() if key != "sha256"}
    named = (found.get("schema"), found.get("kind"), found.get("name"), found.get("block"))
    if found.get("sha256") != sha256(canonical_json(rest)) or named != (_SCHEMA, kind, folder.name, _BLOCK):
        raise InputError(path, "is damaged, or belongs to another entry")
    for name, recorded in found["files"].items():
        plain = name == os.path.basename(name) and name not in ("", ".", "..", MANIFEST) and "\0" not in name
        if (
            not plain
            or not isinstance(recorded, dict)
            or not isinstance(recorded.get("blocks"), list)
            or "bytes" not in recorded
        ):
            raise InputError(path, "is not a list of an entry's files", name)
    return found


def _described(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    return {"bytes": size, "blocks": [_digest_of(path, number) for number in range(-(-size // _BLOCK))]}


def _digest_of(path: Path, number: int) -> str:
    with open_regular(path) as stream:
        stream.seek(number * _BLOCK)
        return hashlib.sha256(stream.read(_BLOCK)).hexdigest()
