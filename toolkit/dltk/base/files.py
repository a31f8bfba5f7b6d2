"""Every byte that dltk writes or reads goes through here: capped reads, atomic writes, folders swapped in whole.

A write goes to a temporary sibling, is flushed to disk, then renamed. A folder is built beside its target and
exchanged with what stands there in one system call (renameat2 RENAME_EXCHANGE), so that a kill at any moment
leaves the old folder or the new one. Leftovers of killed processes are swept at the next start.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dltk.base.errors import EnvironmentFault, InputError

__all__ = [
    "building_folder",
    "canonical_json",
    "open_regular",
    "parse_json",
    "read_capped",
    "require_free_disk",
    "sha256",
    "sweep",
    "sync_tree",
    "write_atomic",
]

_MARK = ".dltk-"  # leads the name of every temporary sibling
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def sha256(data: bytes | memoryview) -> str:
    """Hexadecimal SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Any) -> bytes:
    """`value` as JSON with sorted keys, two spaces, UTF-8, one newline at the end; NaN is refused."""
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def parse_json(data: bytes, where: object) -> Any:
    """JSON without duplicate keys, NaN or nesting deep enough to exhaust the stack.

    Raises:
        InputError: if `data` is not such JSON.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) != len(items):
            raise ValueError("a key stands twice")
        return found

    def no_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(data, object_pairs_hook=pairs, parse_constant=no_constant)
    except (ValueError, RecursionError) as fault:
        raise InputError(where, "must be valid JSON", str(fault)) from fault


def read_capped(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; links are not followed.

    Raises:
        InputError: if it is missing, no regular file, or larger.
    """
    with open_regular(path) as stream:
        data = stream.read(limit + 1)
        if len(data) > limit:
            raise InputError(path, f"must be at most {limit} bytes", f"{os.fstat(stream.fileno()).st_size} bytes")
    return data


def open_regular(path: Path, *, follow_links: bool = False) -> IO[bytes]:
    """A regular file, open for reading; the caller closes it. Nothing waits for a pipe.

    Raises:
        InputError: if it is missing or no regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0))
    try:
        handle = os.open(path, flags)
    except FileNotFoundError as fault:
        raise InputError(path, "the file must exist", hint="Check the path.") from fault
    except OSError as fault:
        raise InputError(path, "must be a readable regular file", fault.strerror) from fault
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)  # os.fdopen would raise on a folder, and leave it open
        raise InputError(path, "must be a regular file")
    return os.fdopen(handle, "rb")


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` whole or not at all: temporary sibling, fsync, rename."""
    path = Path(path)
    with _disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f"{_MARK}{os.getpid()}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            _unlink(name)
            raise
        _sync_folder(path.parent)


@contextmanager
def building_folder(target: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder beside `target`; it takes `target`'s place when the block ends without an error.

    Raises:
        InputError: if something stands at `target` and `replace` is false, or it is no folder.
    """
    target = Path(target)
    if os.path.lexists(target) and (not replace or target.is_symlink() or not target.is_dir()):
        rule = "nothing may stand there yet" if not replace else "must be a folder, not a link or a file"
        raise InputError(target, rule, hint="Give another path.")
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        _recover(target)
        building = Path(tempfile.mkdtemp(prefix=f"{_MARK}{os.getpid()}-", dir=target.parent))
        try:
            yield building
            os.chmod(building, 0o777 & ~_umask())
            sync_tree(building)
            _swap_in(building, target)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the temporary siblings in `folder` whose process has ended."""
    for entry in folder.glob(f"{_MARK}*-*"):
        pid = entry.name[len(_MARK) :].partition("-")[0]
        if pid.isdigit() and not _alive(int(pid)):
            shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else _unlink(entry)


def require_free_disk(folder: Path, needed: int) -> None:
    """Raise EnvironmentFault unless the disk of `folder` has `needed` bytes free, and a tenth more."""
    there = Path(folder)
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed * 1.1:
        raise EnvironmentFault(
            folder,
            f"needs {needed / 1e6:.0f} MB of free disk",
            f"{free / 1e6:.0f} MB",
            "Free some space (`dltk cache --clear` empties dltk's cache) or set DLTK_CACHE to another disk.",
        )


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


def _swap_in(building: Path, target: Path) -> None:
    if os.path.lexists(target):
        if not _exchange(building, target):
            # No exchange on this file system: two renames. A kill between them leaves the old folder under a name of
            # its own, from which `_recover` brings it back.
            os.rename(target, _aside(target))
            os.rename(building, target)
            shutil.rmtree(_aside(target), ignore_errors=True)
    else:
        os.rename(building, target)
    _sync_folder(target.parent)


def _aside(target: Path) -> Path:
    return target.with_name(f"{_MARK}old-{target.name}")


def _recover(target: Path) -> None:
    """Finish what a killed process left between two renames."""
    if _aside(target).is_dir():
        if os.path.lexists(target):
            shutil.rmtree(_aside(target), ignore_errors=True)
        else:
            os.rename(_aside(target), target)


def _exchange(one: Path, other: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if done == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), str(other))


@contextmanager
def _disk_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        if fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFault(where, "the disk must have room", "a full disk", "Free some space.") from fault
        if fault.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise EnvironmentFault(where, "must be writable", fault.strerror, "Give another path.") from fault
        if fault.errno in (errno.ENOTDIR, errno.EEXIST):
            raise InputError(where, "its parent must be a folder", fault.strerror, "Give another path.") from fault
        raise


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


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _unlink(path: str | Path) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
