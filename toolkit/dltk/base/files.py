"""Reading and writing of all files: reads with a size cap, atomic writes, folders swapped in as a whole.

A file is written to a temporary sibling, flushed to disk, then renamed. A folder is built beside its target and
exchanged with it in one system call (renameat2 RENAME_EXCHANGE), so that a kill at any moment leaves the old folder or
the new one. Leftovers of killed processes are removed at the next start.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dltk.base.disk import FULL, disk_errors, disk_fault
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.siblings import sweep, temporary_file, temporary_folder
from dltk.base.swap import recover, swap_in

__all__ = [
    "building_folder",
    "canonical_json",
    "open_regular",
    "parse_json",
    "read_capped",
    "resolved",
    "require_utf8",
    "scratch_folder",
    "sha256",
    "sweep",
    "sweep_tree",
    "sync_tree",
    "write_atomic",
]


_LITTLE = 1_000_000  # bytes of JSON that take no memory to speak of
_LARGEST = 4_000_000_000  # bytes: no model of Keras', no artifact and no array file of a run is larger


def sha256(data: bytes | memoryview) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """`value` as JSON with sorted keys, two spaces, UTF-8, one newline at the end; NaN is refused."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse_json(data: bytes, where: object, *, budget: int = 1_500_000_000, as_written: bool = False) -> Any:
    """Parse JSON; duplicate keys, NaN and nesting deep enough to exhaust the stack are refused.

    Args:
        budget: bytes of memory that its values may take; empty lists take forty times what they do in the file.
        as_written: numbers are the texts that stand there.

    Raises:
        InputError: if `data` is not such JSON.
    """
    if len(data) > _LITTLE:
        taken = len(data) + 100 * (data.count(b"[") + data.count(b"{")) + 40 * data.count(b",")
        if taken > budget:
            raise InputError(where, f"must take at most {budget} bytes of memory", f"about {taken}")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key occurs twice")
        return found

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    number = str if as_written else None
    try:
        return json.loads(
            data, object_pairs_hook=pairs, parse_constant=no_constant, parse_int=number, parse_float=number
        )
    except (ValueError, RecursionError) as fault:
        raise InputError(where, "must be valid JSON", str(fault)) from fault


def resolved(path: str | Path) -> Path:
    """`path` with links followed: a link that the user names is meant to be read.

    Raises:
        InputError: if the path is impossible, such as one with a NUL.
    """
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as fault:
        raise InputError(str(path), "must be a path", str(fault)) from fault


def read_capped(path: Path, limit: int = _LARGEST) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; links are not followed.

    Raises:
        InputError: if it is missing, not a regular file, or larger.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise InputError(path, f"must be at most {limit} bytes", f"{size} bytes")
        try:
            # Not `limit + 1`, which Python would ask the system for at once, gigabytes for a file of one byte.
            data = stream.read(size + 1)
        except OSError as fault:  # a damaged disk, /proc/self/mem
            raise InputError(path, "must be a readable regular file", fault.strerror) from fault
    if len(data) > size:
        raise InputError(path, "must not grow while it is read", f"more than {size} bytes")
    return data


def open_regular(path: Path, *, follow_links: bool = False) -> IO[bytes]:
    """A regular file, open for reading; the caller closes it. It does not block on a pipe.

    Raises:
        InputError: if it is missing or not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0))
    try:
        handle = os.open(path, flags)
    except FileNotFoundError as fault:
        raise InputError(path, "the file must exist", hint="Check the path.") from fault
    except (OSError, ValueError) as fault:  # a ValueError is over a NUL in the path
        received = fault.strerror if isinstance(fault, OSError) else str(fault)
        raise InputError(path, "must be a readable regular file", received) from fault
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)  # os.fdopen would raise on a folder, and leave it open
        raise InputError(path, "must be a regular file", "a folder" if path.is_dir() else None)
    return os.fdopen(handle, "rb")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` as a whole or not at all: temporary sibling, fsync, rename. Leftovers are removed.

    Raises:
        EnvironmentFault: if the disk is full or not writable.
        InputError: if the path is impossible.
    """
    path = Path(path)
    _require_possible(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with temporary_file(path.parent) as (handle, name):
            with open(handle, "wb", closefd=False) as stream:
                stream.write(data)
            os.fsync(handle)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        _sync_folder(path.parent)


@contextmanager
def building_folder(target: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder beside `target`, which replaces `target` when the block ends without an error.

    Raises:
        InputError: if `target` is not a folder, or, unless `replace`, a folder that is not empty; checked before the
        block, and again in one step with the swap.
        EnvironmentFault: if the disk is full or not writable.
    """
    target = Path(target)
    _require_possible(target)
    is_folder = target.is_dir() and not target.is_symlink()
    if os.path.lexists(target) and not (is_folder and (replace or not any(target.iterdir()))):
        rule = "must not exist yet" if not replace else "must be a folder, not a link or a file"
        raise InputError(target, rule, hint="Give another path.")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        recover(target)
        with temporary_folder(target.parent) as building:
            yield building
            os.chmod(building, 0o777 & ~_umask())
            sync_tree(building)
            swap_in(building, target, replace=replace)
            _sync_folder(target.parent)


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """A new folder for temporary files of this process, in the system's place for them; removed at the end.

    Raises:
        EnvironmentFault: if it cannot be created, or its disk becomes full; names the folder and TMPDIR.
    """
    hint = "Free some space there, or set TMPDIR to a folder on another disk."
    try:
        made = Path(tempfile.mkdtemp(prefix=prefix))
    except OSError as fault:
        named = os.environ.get("TMPDIR", "the system's folders for them")
        raise EnvironmentFault(f"temporary files ({named})", "must be writable", fault.strerror, hint) from fault
    try:
        yield made
    except OSError as fault:
        if fault.errno not in FULL:
            raise
        raise EnvironmentFault(made.parent, "the disk must have free space", "a full disk", hint) from fault
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep_tree(folder: Path) -> None:
    """`sweep` of `folder` and every folder below it."""
    for root, _, _ in os.walk(folder):
        sweep(Path(root))


def require_utf8(path: Path | str) -> None:
    """Raise InputError unless the name at `path` is UTF-8: reports and manifests contain it."""
    name = os.path.basename(os.path.abspath(path))
    try:
        name.encode()
    except UnicodeEncodeError as fault:
        raise InputError(path, "must have a name in UTF-8", name, "Give another name.") from fault


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder` to disk."""
    for root, _, names in os.walk(folder):
        for name in names:
            handle = os.open(os.path.join(root, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        _sync_folder(Path(root))


def _require_possible(path: Path) -> None:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return
    except ValueError as fault:
        raise InputError(path, "must be a path", str(fault), "Give another path.") from fault
    except OSError as fault:
        known = disk_fault(path, fault)
        if known is not None:
            raise known from fault


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
