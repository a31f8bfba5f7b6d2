"""Replace a folder so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.siblings import MARK, lock_folder

__all__ = ["recover", "swap_in"]

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def swap_in(building: Path, target: Path, *, replace: bool) -> None:
    """Move `building` to `target`; a folder that was at `target` is at `building` afterwards, or is removed.

    Raises:
        InputError: if `target` is not a folder, or, unless `replace`, not an empty one.
    """
    with lock_folder(target.parent):
        if not os.path.lexists(target):
            os.rename(building, target)
        elif target.is_symlink() or not target.is_dir():
            raise InputError(target, "must be a folder, not a link or a file", hint="Give another path.")
        elif not replace:
            _rename_onto_nothing(building, target)
        elif not _exchange(building, target):
            # No exchange on this file system: two renames. A kill between them leaves the old folder under a name of
            # its own, from which `recover` brings it back.
            os.rename(target, _backup_path(target))
            os.rename(building, target)
            shutil.rmtree(_backup_path(target), ignore_errors=True)


def recover(target: Path) -> None:
    """Finish a replacement that a process was killed in between two renames."""
    if _backup_path(target).is_dir():
        with lock_folder(target.parent):  # a living process may be between them, too
            if os.path.lexists(target):
                shutil.rmtree(_backup_path(target), ignore_errors=True)
            elif _backup_path(target).is_dir():
                os.rename(_backup_path(target), target)


def _rename_onto_nothing(building: Path, target: Path) -> None:
    try:
        os.rename(building, target)  # the system itself lets an empty folder be replaced, and no other
    except OSError as fault:
        if fault.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise InputError(target, "must not exist yet", hint="Give another path.") from fault
        raise


def _backup_path(target: Path) -> Path:
    return target.with_name(f"{MARK}old-{target.name}")


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
