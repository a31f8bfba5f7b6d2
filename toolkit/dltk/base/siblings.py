"""Temporary files and folders beside their target, and the removal of those that a killed process left.

The name begins with `.dltk-` and the number of the process, which holds a lock on it while it writes. The system
releases the lock when the process ends in any way: this distinguishes a leftover from work in progress, also if two
containers share a disk and process numbers are ambiguous.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":  # there, numbers of processes alone tell
    import fcntl

__all__ = ["MARK", "lock_folder", "try_lock", "sweep", "temporary_file", "temporary_folder"]

MARK = ".dltk-"
_YOUNG = 60.0  # seconds; a sibling that young may not have its lock yet
_PATIENCE = 10.0  # seconds; a swap takes milliseconds
_LOOK_AGAIN = 0.01  # seconds


@contextmanager
def temporary_file(folder: Path) -> Iterator[tuple[int, str]]:
    """A new file in `folder` as (open handle, path); closed at the end, and removed if it still has that name."""
    handle, name = tempfile.mkstemp(prefix=f"{MARK}{os.getpid()}-", dir=folder)
    try:
        _lock(handle)
        yield handle, name
    finally:
        os.close(handle)
        with suppress(FileNotFoundError):
            os.unlink(name)


@contextmanager
def temporary_folder(folder: Path) -> Iterator[Path]:
    """A new folder in `folder`; what has its name at the end is removed."""
    made = Path(tempfile.mkdtemp(prefix=f"{MARK}{os.getpid()}-", dir=folder))
    try:
        with try_lock(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the temporary siblings in `folder` whose process has ended; those that cannot be removed stay."""
    for entry in folder.glob(f"{MARK}*-*"):
        pid = entry.name[len(MARK) :].partition("-")[0]
        if pid.isdigit() and _is_left(entry, int(pid)):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()


@contextmanager
def try_lock(folder: Path) -> Iterator[bool]:
    """Lock `folder` for this process until the block ends; yields whether it was free. Nothing is written."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other dltk processes from swapping folders in `folder` until the block ends.

    Continues after ten seconds without the lock: dltk itself never holds it that long, so another program does.
    """
    handle, end = os.open(folder, os.O_RDONLY), time.monotonic() + _PATIENCE
    try:
        while not _lock(handle) and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether this process got the lock. Also True if the file system does not support locks."""
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return fault.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _is_left(entry: Path, pid: int) -> bool:
    try:
        handle = os.open(entry, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # another user's, or a link: the number alone tells
        return not _alive(pid)
    try:
        # A process of that number may be another one by now, in a container most of all.
        if _alive(pid) and time.time() - os.fstat(handle).st_mtime < _YOUNG:
            return False
        return _lock(handle)
    finally:
        os.close(handle)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
