"""Checks of untrusted zip archives: the size they may unpack to, and the errors that damaged ones raise."""

from __future__ import annotations

import errno
import os
import stat
import tokenize
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from dltk.base.errors import InputError

__all__ = ["ARCHIVE_FAULTS", "MOST_EXPANSION", "SMALL", "require_modest", "require_modest_archive", "stored_bytes"]

# What a damaged archive, or a damaged array in one, makes Python and NumPy raise. NotImplementedError (a method of
# compression) and RecursionError are RuntimeErrors, and so is an encrypted member; OverflowError: a size in a header
# that fits no machine; SyntaxError, TokenError: a header that is no Python.
ARCHIVE_FAULTS = (
    ValueError, TypeError, KeyError, OSError, EOFError, MemoryError, RuntimeError, OverflowError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

SMALL = 64_000_000  # bytes that anything may unpack to
_MOST_STRETCHES = 10_000  # of data between holes that are counted
MOST_EXPANSION = 100  # times the packed size; deflate itself ends at 1032, real arrays far below this


def stored_bytes(path: Path) -> int:
    """Number of bytes of a regular file that are stored as data, without holes; 0 for anything else.

    Counted by the file system's blocks; if it reports none (small files in an inode, network disks), by the ranges
    that it lists as data; if it lists none, the whole size.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return 0
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return 0
        blocks = getattr(found, "st_blocks", 0) * 512
        return blocks or _data_bytes(handle, found.st_size)
    finally:
        os.close(handle)


def _data_bytes(handle: int, size: int) -> int:
    if not hasattr(os, "SEEK_DATA"):
        return size
    total = end = 0
    try:
        for _ in range(_MOST_STRETCHES):
            start = os.lseek(handle, end, os.SEEK_DATA)
            end = os.lseek(handle, start, os.SEEK_HOLE)
            total += end - start
    except OSError as fault:
        return total if fault.errno == errno.ENXIO else size  # no data behind this place; or it cannot say
    return total


def require_modest(where: object, unpacked: int, packed: int, limit: int) -> None:
    """Check the unpacked size that `packed` bytes claim against `limit`, and against their own size.

    Raises:
        InputError: if it is over `limit` bytes, or over 64 MB and more than 100 times the packed size.
    """
    if unpacked > limit:
        raise InputError(where, f"must unpack to at most {limit} bytes", unpacked)
    if unpacked > SMALL and unpacked > MOST_EXPANSION * packed:
        rule = f"must not unpack to over {MOST_EXPANSION} times its size"
        raise InputError(where, rule, f"{unpacked} bytes out of {packed}")


def require_modest_archive(archive: zipfile.ZipFile, where: object, *, packed: int, limit: int) -> None:
    """`require_modest` of all members together, and names that stay inside; `packed` is the file's size in bytes.

    Python reads no more of a member than it claims, so that a lie there costs nothing.

    Raises:
        InputError: as `require_modest`, or if a member's name leads out of the archive.
    """
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(where, "names in an archive must not lead out of it", member.filename)
    require_modest(where, sum(member.file_size for member in archive.infolist()), packed, limit)
