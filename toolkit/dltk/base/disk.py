"""Errors of the disk: no space, no permission, impossible paths; checked before work, or reported after it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dltk.base.errors import DltkError, EnvironmentFault, InputError

__all__ = ["FULL", "allocate", "disk_errors", "disk_fault", "require_free_disk"]

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EROFS, errno.EPERM)
_NO_PATH = (errno.ENOTDIR, errno.EEXIST, errno.ELOOP)
_MORE_ROOM = "Free some space (`dltk cache --clear` empties dltk's cache) or set DLTK_CACHE to another disk."


def allocate(path: Path) -> None:
    """Reserve disk space for every byte of the file at `path`.

    Without it, writing to a memory map of the file ends the process by SIGBUS if the disk becomes full.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    handle = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(handle).st_size
        if size:
            os.posix_fallocate(handle, 0, size)
    finally:
        os.close(handle)


def require_free_disk(folder: Path, needed: int, *, hint: str = _MORE_ROOM) -> None:
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
            hint,
        )


def disk_fault(where: object, fault: OSError) -> DltkError | None:
    """The error to raise for `fault` at the path `where`; None if `fault` does not concern the disk or the path."""
    if fault.errno in FULL:
        return EnvironmentFault(where, "the disk must have free space", "a full disk", "Free some space.")
    if fault.errno in _CLOSED:
        return EnvironmentFault(where, "must be writable", fault.strerror, "Give another path.")
    if fault.errno == errno.EXDEV:
        rule = "must be replaceable in one step; it belongs to a lower layer of an overlay file system"
        return EnvironmentFault(where, rule, fault.strerror, "Give another path, or move the existing one away.")
    if fault.errno == errno.ENAMETOOLONG:
        rule = "must be a path that this system supports"
        return InputError(where, rule, fault.strerror, "Give a shorter name: most systems allow 255 bytes.")
    if fault.errno in _NO_PATH:
        return InputError(where, "must be a path whose parent is a folder", fault.strerror, "Give another path.")
    return None


@contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn errors of the disk inside the block into an error about `where`."""
    try:
        yield
    except OSError as fault:
        known = disk_fault(where, fault)
        if known is None:
            raise
        raise known from fault
