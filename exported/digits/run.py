#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the model of the bundle that this file stands in, on a device where dltk is not installed.

    python run.py INPUT...               answers, the same as `dltk predict` gives
    python run.py --check                replays the golden samples; exit code 4 if an answer differs
    python run.py --tensor NAME=x.npy    input tensors in, output tensors out
    python run.py --help                 all it can do

It needs Python 3.9 or newer, NumPy 1.24 or newer, and one runtime: ai-edge-litert or tflite-runtime for .tflite files,
onnxruntime for .onnx files. Pictures need Pillow, texts need tokenizers. Before anything runs, each file of the bundle
is held against the hash that the manifest has of it.

MODULES holds the modules of dltk 0.1.0 that read a bundle and run a "classification" model, word for word.
The few lines at the end import them from there, and nothing of a dltk that may be installed.
"""

from __future__ import annotations

import linecache
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path

MODULES: dict[str, str] = {}

MODULES["dltk"] = r'''
"""dltk: from a folder of samples to a file that runs on an edge device and is proven to give the same answers.

Nothing is imported here, so that `import dltk.edge` stays light.
"""
'''

MODULES["dltk.base"] = r'''
"""The basement: errors, files, progress, processes. Standard library only."""
'''

MODULES["dltk.base.archives"] = r'''
"""Zip archives that come from anyone: what they may unpack to, and what a damaged one raises."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from pathlib import PurePosixPath

from dltk.base.errors import InputError

__all__ = ["ARCHIVE_FAULTS", "MOST_EXPANSION", "SMALL", "require_modest", "require_modest_archive"]

# What a damaged archive, or a damaged array in one, makes Python and NumPy raise. NotImplementedError (a method of
# compression) and RecursionError are RuntimeErrors, and so is an encrypted member; OverflowError: a size in a header
# that fits no machine; SyntaxError, TokenError: a header that is no Python.
ARCHIVE_FAULTS = (
    ValueError, TypeError, KeyError, OSError, EOFError, MemoryError, RuntimeError, OverflowError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip

SMALL = 64_000_000  # bytes that anything may unpack to
MOST_EXPANSION = 100  # times the packed size; deflate itself ends at 1032, real arrays far below this


def require_modest(where: object, unpacked: int, packed: int, limit: int) -> None:
    """Hold what `packed` bytes say they unpack to against `limit`, and against their own size.

    Raises:
        InputError: if it is over `limit` bytes, or over 64 MB and more than 100 times the packed size.
    """
    if unpacked > limit:
        raise InputError(where, f"must unpack to at most {limit} bytes", unpacked)
    if unpacked > SMALL and unpacked > MOST_EXPANSION * packed:
        rule = f"must not unpack to over {MOST_EXPANSION} times its size"
        raise InputError(where, rule, f"{unpacked} bytes out of {packed}")


def require_modest_archive(archive: zipfile.ZipFile, where: object, *, packed: int, limit: int) -> None:
    """`require_modest` of all members together, and names that stay inside; `packed` is the file's size.

    Python reads no more of a member than it claims, so that a lie there costs nothing.

    Raises:
        InputError: as `require_modest`, or if a member's name leads out of the archive.
    """
    for member in archive.infolist():
        path = PurePosixPath(member.filename)
        if path.is_absolute() or ".." in path.parts:
            raise InputError(where, "names in an archive must not lead out of it", member.filename)
    require_modest(where, sum(member.file_size for member in archive.infolist()), packed, limit)
'''

MODULES["dltk.base.errors"] = r'''
"""The errors that dltk raises on purpose, and what they have in common.

    DltkError                 exit code
    ├── UsageError            2   wrong flag, or a combination that does not exist
    ├── InputError            3   bad data, model, recipe or bundle
    │   └── StepOrderError    3   compression steps in an order that undoes one of them
    ├── LimitError            4   a limit or tolerance was not met, a loss became NaN
    └── EnvironmentFault      5   missing extra or runtime, weights that cannot be had, full disk

Every message has one form: `<where>: <rule>; received <value>. <what to do next>`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

__all__ = [
    "DltkError",
    "EnvironmentFault",
    "InputError",
    "LimitError",
    "StepOrderError",
    "UsageError",
    "as_error",
    "did_you_mean",
    "shorten",
]


class DltkError(Exception):
    """An error with a place, a rule, what was received, and what to do next.

    Args:
        where: file, line, key or flag, as the user wrote it.
        rule: what holds there.
        received: what was found instead; left out of the message when None.
        hint: the next thing to do, a whole sentence.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, where: object, rule: str, received: object = None, hint: str = "") -> None:
        self.where, self.rule, self.received, self.hint = str(where), rule, received, hint
        super().__init__(self._message())

    def _message(self) -> str:
        text = f"{self.where}: {self.rule}"
        if self.received is not None:
            text += f"; received {shorten(self.received)}"
        text = text.rstrip(".") + "."
        return _printable(f"{text} {self.hint}" if self.hint else text)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for another process; `as_error` makes the error of them."""
        received = None if self.received is None else str(self.received)
        words = {"where": self.where, "rule": self.rule, "received": received, "hint": self.hint}
        return {"kind": type(self).__name__} | words


class UsageError(DltkError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class InputError(DltkError):
    """What the user gave cannot be used: data, model, recipe, bundle."""

    exit_code = 3


class StepOrderError(InputError):
    """A compression step would undo an earlier one."""


class LimitError(DltkError):
    """A limit or tolerance was not met. `measured` holds what was found, so that nothing is lost."""

    exit_code = 4

    def __init__(
        self, where: object, rule: str, received: object = None, hint: str = "", measured: object = None
    ) -> None:
        super().__init__(where, rule, received, hint)
        self.measured = measured

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `measured` must hold such."""
        return super().as_dict() | {"measured": self.measured}


class EnvironmentFault(DltkError):
    """This machine lacks something: an extra, a runtime, weights, disk space, the right Keras backend."""

    exit_code = 5


_KINDS = {
    kind.__name__: kind for kind in (DltkError, UsageError, InputError, StepOrderError, LimitError, EnvironmentFault)
}


def as_error(told: Mapping[str, Any]) -> DltkError:
    """The error that `as_dict` told of."""
    words = dict(told)
    return _KINDS[words.pop("kind")](**words)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest of `known`, or lists them when none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}." if names else ""


def _printable(text: str) -> str:
    """`text` on one line: names of files and keys may hold anything, also what would move a terminal's cursor."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shorten(value: object, limit: int = 200) -> str:
    """`value` on one line, with control characters escaped and the middle cut out when it is long."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 4 :]}"
'''

MODULES["dltk.base.files"] = r'''
"""Every byte that dltk writes or reads goes through here: capped reads, atomic writes, folders swapped in whole.

A write goes to a temporary sibling, is flushed to disk, then renamed. A folder is built beside its target and
exchanged with what stands there in one system call (renameat2 RENAME_EXCHANGE), so that a kill at any moment
leaves the old folder or the new one. Leftovers of killed processes are swept at the next start.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.siblings import sweep, temporary_file, temporary_folder
from dltk.base.swap import recover, swap_in

__all__ = [
    "allocate",
    "building_folder",
    "canonical_json",
    "disk_fault",
    "open_regular",
    "parse_json",
    "read_capped",
    "require_free_disk",
    "sha256",
    "sweep",
    "sweep_tree",
    "sync_tree",
    "write_atomic",
]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_CLOSED = (errno.EACCES, errno.EROFS, errno.EPERM)
_NO_PATH = (errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP)

_LARGEST = 4_000_000_000  # bytes: no model of Keras', no artifact and no array file of a run is larger


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


def read_capped(path: Path, limit: int = _LARGEST) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; links are not followed.

    Raises:
        InputError: if it is missing, no regular file, or larger.
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
    """Write `data` to `path` whole or not at all: temporary sibling, fsync, rename. Leftovers beside it are swept.

    Raises:
        EnvironmentFault: if the disk is full or not writable.
        InputError: if there can be no such path.
    """
    path = Path(path)
    with _disk_errors(path):
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
    """A new folder beside `target`; it takes `target`'s place when the block ends without an error.

    Raises:
        InputError: if no folder stands at `target`, or, unless `replace`, one that is not empty: looked at before the
            block, and again, in one step with the swap, after it.
        EnvironmentFault: if the disk is full or not writable.
    """
    target = Path(target)
    is_folder = target.is_dir() and not target.is_symlink()
    if os.path.lexists(target) and not (is_folder and (replace or not any(target.iterdir()))):
        rule = "nothing may stand there yet" if not replace else "must be a folder, not a link or a file"
        raise InputError(target, rule, hint="Give another path.")
    with _disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        sweep(target.parent)
        recover(target)
        with temporary_folder(target.parent) as building:
            yield building
            os.chmod(building, 0o777 & ~_umask())
            sync_tree(building)
            swap_in(building, target, replace=replace)
            _sync_folder(target.parent)


def sweep_tree(folder: Path) -> None:
    """`sweep` of `folder` and every folder below it."""
    for root, _, _ in os.walk(folder):
        sweep(Path(root))


def allocate(path: Path) -> None:
    """Give every byte of the file at `path` its place on the disk.

    Without it, writing to a memory map of the file ends the process by SIGBUS where the disk becomes full.
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


def disk_fault(where: object, fault: OSError) -> DltkError | None:
    """What `fault` says of the disk or the path `where`, as an error to raise; None where it says nothing of them."""
    if fault.errno in _FULL:
        return EnvironmentFault(where, "the disk must have room", "a full disk", "Free some space.")
    if fault.errno in _CLOSED:
        return EnvironmentFault(where, "must be writable", fault.strerror, "Give another path.")
    if fault.errno == errno.EXDEV:
        rule = "must be replaceable in one step; it belongs to a lower layer of an overlay file system"
        return EnvironmentFault(where, rule, fault.strerror, "Give another path, or move away what stands there.")
    if fault.errno in _NO_PATH:
        return InputError(where, "must be a path whose parent is a folder", fault.strerror, "Give another path.")
    return None


@contextmanager
def _disk_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        known = disk_fault(where, fault)
        if known is None:
            raise
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
'''

MODULES["dltk.base.lazy"] = r'''
"""Packages whose functions have modules of the same name, imported only when a function is asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["expose"]


def expose(package: str, names: Iterable[str]) -> None:
    """From now on `package.NAME` is the function NAME of the submodule NAME.

    The import system binds a submodule in its package whoever imports it first, which would hide the function of
    the same name; here the function is bound instead.
    """
    wanted = frozenset(names)

    class Package(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if name not in wanted:
                raise AttributeError(f"module {package!r} has no attribute {name!r}")
            import_module(f"{package}.{name}")
            return self.__dict__[name]

        def __setattr__(self, name: str, value: Any) -> None:
            if name in wanted and isinstance(value, ModuleType):
                value = getattr(value, name)
            super().__setattr__(name, value)

    sys.modules[package].__class__ = Package
'''

MODULES["dltk.base.siblings"] = r'''
"""Temporary siblings: what is written beside its target, and what a killed process left of that.

The name of one begins with `.dltk-` and the number of its process; while it is being written, the process holds a lock
on it. The system takes the lock away when the process ends, however it ends: that tells a leftover from work in
progress, also where two containers share a disk and a number says nothing.
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

__all__ = ["MARK", "alone_in", "held", "sweep", "temporary_file", "temporary_folder"]

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
    """A new folder in `folder`; whatever has its name at the end is removed."""
    made = Path(tempfile.mkdtemp(prefix=f"{MARK}{os.getpid()}-", dir=folder))
    try:
        with held(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove the temporary siblings in `folder` whose process has ended; what cannot be removed stays."""
    for entry in folder.glob(f"{MARK}*-*"):
        pid = entry.name[len(MARK) :].partition("-")[0]
        if pid.isdigit() and _is_left(entry, int(pid)):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()


@contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Lock `folder` for this process until the block ends; gives whether it was free. Nothing is written."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield _lock(handle)
    finally:
        os.close(handle)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes of dltk from swapping anything in `folder` until the block ends.

    After ten seconds it goes on all the same: dltk itself never holds the lock that long, so it is somebody else's.
    """
    handle, end = os.open(folder, os.O_RDONLY), time.monotonic() + _PATIENCE
    try:
        while not _lock(handle) and time.monotonic() < end:
            time.sleep(_LOOK_AGAIN)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    """Whether nobody else has the lock. True, too, where the file system knows no locks."""
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
'''

MODULES["dltk.base.swap"] = r'''
"""Put a folder in another's place, so that a kill at any moment leaves the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.siblings import MARK, alone_in

__all__ = ["recover", "swap_in"]

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def swap_in(building: Path, target: Path, *, replace: bool) -> None:
    """Let `building` stand at `target`; what stood there stands at `building` afterwards, or is gone.

    Raises:
        InputError: if something else than a folder stands there, or, unless `replace`, anything but an empty folder.
    """
    with alone_in(target.parent):
        if not os.path.lexists(target):
            os.rename(building, target)
        elif target.is_symlink() or not target.is_dir():
            raise InputError(target, "must be a folder, not a link or a file", hint="Give another path.")
        elif not replace:
            _rename_onto_nothing(building, target)
        elif not _exchange(building, target):
            # No exchange on this file system: two renames. A kill between them leaves the old folder under a name of
            # its own, from which `recover` brings it back.
            os.rename(target, _aside(target))
            os.rename(building, target)
            shutil.rmtree(_aside(target), ignore_errors=True)


def recover(target: Path) -> None:
    """Finish what a killed process left between two renames."""
    if _aside(target).is_dir():
        with alone_in(target.parent):  # a living process may be between them, too
            if os.path.lexists(target):
                shutil.rmtree(_aside(target), ignore_errors=True)
            elif _aside(target).is_dir():
                os.rename(_aside(target), target)


def _rename_onto_nothing(building: Path, target: Path) -> None:
    try:
        os.rename(building, target)  # the system itself lets an empty folder be replaced, and no other
    except OSError as fault:
        if fault.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise InputError(target, "nothing may stand there yet", hint="Give another path.") from fault
        raise


def _aside(target: Path) -> Path:
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
'''

MODULES["dltk.edge"] = r'''
"""The ground floor: what a device needs to read a bundle, prepare a sample, run a model and decode its answer.

    from dltk.edge import load

    model = load("exported/flowers")
    for label, score in model.predict("rose.jpg", top=3):
        print(label, score)

NumPy and one runtime (ai-edge-litert, tflite-runtime or onnxruntime) are enough; pictures need Pillow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltk.base.lazy import expose

if TYPE_CHECKING:
    from dltk.edge.bench import bench
    from dltk.edge.load import load
    from dltk.edge.replay import replay

__all__ = ["bench", "load", "replay"]

expose(__name__, __all__)
'''

MODULES["dltk.edge.answer"] = r'''
"""What a user names on a command line -> what a model answers, as JSON and as lines: `dltk predict` and run.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import UsageError
from dltk.base.files import write_atomic
from dltk.edge.families import Family, family
from dltk.edge.load import Model

__all__ = ["answer"]


def answer(
    model: Model, inputs: Sequence[str], *, top: int, out: Path | None = None
) -> tuple[list[dict[str, Any]], str]:
    """The answers of `model`: one {"input", "answer"} a sample, plain JSON values; and the same for a person.

    Args:
        inputs: what the model's family reads; of a file of many samples each is one.
        top: labels a sample.
        out: file to write the answers to, where the family's answers make one.

    Raises:
        InputError: if an input cannot be read.
        UsageError: if the answers make no file, or one with another suffix than `out`.
    """
    kind = family(model.signature.family)
    sources = [(name, source) for name in inputs for source in kind.expand(name, model.signature)]
    answers = model.predict_many([source for _, source in sources], top=top)
    if out is not None:
        _write(kind, answers, out)
    rows = [{"input": name, "answer": kind.as_json(each)} for (name, _), each in zip(sources, answers, strict=True)]
    texts = (f"{name}\n{kind.as_text(each)}" for (name, _), each in zip(sources, answers, strict=True))
    return rows, "\n\n".join(texts)


def _write(kind: Family, answers: list[Any], out: Path) -> None:
    made = kind.as_file(answers)
    if made is None or out.suffix != made[0]:
        rule = "this model's answers are text" if made is None else f"must end in {made[0]}"
        raise UsageError("--out", rule, str(out))
    write_atomic(out, made[1])
'''

MODULES["dltk.edge.archive"] = r'''
"""A bundle as one file: a zip archive of which every byte is fixed by the files it holds.

Zip, since every system can open it and one file can be read without the others. Members stand in one order, without
times, all with the same permissions, deflated; so equal bundles give equal archives wherever zlib is the same build,
and elsewhere archives that differ in nothing but how well they are packed.

Reading takes only what `pack` writes: from what the index says of each file the index and the headers are made again,
and must be what stands there. So nothing is hidden, stands twice, overlaps, is encrypted, a link or a folder, and each
changed byte is seen (but for the bits that fill up the last byte of a packed file: they mean nothing). zipfile would
have to be told not to do most of what it does.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dltk.base.errors import InputError
from dltk.base.files import open_regular
from dltk.edge.manifest import MOST_FILES
from dltk.edge.signature import LONGEST_NAME, require_plain_name

__all__ = ["Archive", "pack"]

_MOST_FILES = MOST_FILES + 2  # the manifest itself, and a signature
_LARGEST = 2**32 - 1  # bytes: what an archive without zip64 can count
_HINT = "Copy it again, or make it again with `dltk export --archive`."

_SHARED = struct.Struct("<5H3L2H")  # what the header of a file and its entry in the index have in common
_INDEX_TAIL = struct.Struct("<3H2L")
_INDEX_SIZE = 6 + _SHARED.size + _INDEX_TAIL.size  # of an entry, its name aside
_END = struct.Struct("<4s4H2LH")
_FILE, _INDEX, _LAST = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_VERSION, _UTF8, _DEFLATE, _TIME, _DATE = 20, 0x800, 8, 0, 0x21  # 1980-01-01: as early as zip can say
_UNIX, _PLAIN_FILE = 3 << 8 | _VERSION, 0o100644 << 16


@dataclass(frozen=True)
class _Entry:
    """One file of the archive: sizes in bytes packed and whole, and where its header begins."""

    name: str
    crc: int
    packed: int
    whole: int
    at: int

    def _shared(self) -> bytes:
        flags, length = 0 if self.name.isascii() else _UTF8, len(self.name.encode())
        return _SHARED.pack(_VERSION, flags, _DEFLATE, _TIME, _DATE, self.crc, self.packed, self.whole, length, 0)

    def header(self) -> bytes:
        """What stands before the file's bytes."""
        return _FILE + self._shared() + self.name.encode()

    def index(self) -> bytes:
        """The file's entry in the index."""
        tail = _INDEX_TAIL.pack(0, 0, 0, _PLAIN_FILE, self.at)
        return _INDEX + struct.pack("<H", _UNIX) + self._shared() + tail + self.name.encode()

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.at + len(self.header()) + self.packed


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of `files` (name -> bytes), in their order.

    Raises:
        InputError: if there are too many files, or too large ones.
    """
    pieces: list[bytes] = []
    entries: list[_Entry] = []
    for name, data in files.items():
        squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        packed = squeezer.compress(data) + squeezer.flush()
        entry = _Entry(name, zlib.crc32(data), len(packed), len(data), entries[-1].end if entries else 0)
        if entry.end > _LARGEST or len(entries) == _MOST_FILES:
            rule = f"an archive holds at most {_MOST_FILES} files and {_LARGEST} bytes"
            raise InputError(name, rule, hint="Leave --archive out.")
        entries.append(entry)
        pieces += [entry.header(), packed]
    return b"".join([*pieces, *_index(entries)])


def _index(entries: list[_Entry]) -> tuple[bytes, bytes]:
    index, at = b"".join(entry.index() for entry in entries), entries[-1].end if entries else 0
    return index, _END.pack(_LAST, 0, 0, len(entries), len(entries), len(index), at, 0)


class Archive:
    """The files of an archive. It is opened anew for each one: nothing is held open, nothing is unpacked to disk.

    Attributes:
        path: of the archive.
    """

    def __init__(self, path: Path) -> None:
        """Read and check the index; InputError if it is not one that `pack` writes."""
        self.path = path
        with open_regular(path, follow_links=True) as stream:
            self._entries = {entry.name: entry for entry in _read_index(stream, path)}

    @property
    def names(self) -> Iterable[str]:
        """Of every file, in the archive's order."""
        return tuple(self._entries)

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one file, at most `limit` and then one: no more is ever inflated.

        Raises:
            InputError: if it is missing, larger, or damaged.
        """
        where = self.path / name
        if name not in self._entries:
            raise InputError(where, "the file must exist", hint=_HINT)
        entry = self._entries[name]
        if entry.whole > limit:
            raise InputError(where, f"must be at most {limit} bytes", f"{entry.whole} bytes")
        if entry.packed > entry.whole + entry.whole // 1000 + 64:  # what cannot be packed grows by less than this
            raise InputError(where, "must not grow by being packed", f"{entry.packed} bytes", _HINT)
        header = entry.header()
        with open_regular(self.path, follow_links=True) as stream:
            stream.seek(entry.at)
            found = stream.read(len(header) + entry.packed)
        if not found.startswith(header):
            raise InputError(where, "must have the header that its entry in the index says", hint=_HINT)
        data = _inflated(found[len(header) :], entry.whole, where)
        if zlib.crc32(data) != entry.crc:
            raise InputError(where, "must have the checksum that the archive gives it", hint=_HINT)
        return data


def _inflated(packed: bytes, whole: int, where: Path) -> bytes:
    reader = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        data = reader.decompress(packed, whole + 1)  # with room for one byte more, a sound stream comes to its end
    except zlib.error as fault:
        raise InputError(where, "must be packed whole", str(fault), _HINT) from fault
    if len(data) != whole or not reader.eof or reader.unused_data:
        raise InputError(where, f"must unpack to {whole} bytes, and nothing stand behind them", hint=_HINT)
    return data


def _read_index(stream: IO[bytes], path: Path) -> list[_Entry]:
    size = os.fstat(stream.fileno()).st_size
    stream.seek(max(0, size - _END.size))
    last = stream.read(_END.size)
    if len(last) != _END.size or not last.startswith(_LAST):
        raise InputError(path, "must be a bundle: a folder, or an archive that ends as one", hint=_HINT)
    _, _, _, _, count, length, at, _ = _END.unpack(last)
    if count > _MOST_FILES or length > count * (_INDEX_SIZE + LONGEST_NAME):
        raise InputError(path, f"must hold at most {_MOST_FILES} files", count, _HINT)
    if at + length + _END.size != size:
        raise InputError(path, "must be one whole archive, with nothing before or behind it", f"{size} bytes", _HINT)
    stream.seek(at)
    index = stream.read(length)
    entries = _parsed(index, count, path)
    if _index(entries) != (index, last):
        raise InputError(path, "its index must be as `dltk export --archive` writes it", hint=_HINT)
    return entries


def _parsed(index: bytes, count: int, path: Path) -> list[_Entry]:
    """The files that the index names; what else it says is for the caller to hold against them."""
    entries: list[_Entry] = []
    start = at = 0
    for _ in range(count):
        head = index[start : start + _INDEX_SIZE]
        if len(head) < _INDEX_SIZE:
            raise InputError(path, f"its index must name {count} files", len(entries), _HINT)
        _, _, _, _, _, crc, packed, whole, length, _ = _SHARED.unpack_from(head, 6)
        start += len(head) + length
        entry = _Entry(_name(index[start - length : start], path), crc, packed, whole, at)
        if entry.name in {other.name for other in entries}:
            raise InputError(path / entry.name, "must stand in the archive once", hint=_HINT)
        entries.append(entry)
        at = entry.end
    return entries


def _name(data: bytes, path: Path) -> str:
    try:
        name = data.decode()
    except UnicodeDecodeError as fault:
        raise InputError(path, "its names must be UTF-8", data, _HINT) from fault
    require_plain_name(name, f"{path}: {name!r}")
    return name
'''

MODULES["dltk.edge.arrays"] = r'''
"""Arrays in one file: .npz whose bytes depend on the arrays alone, read back without pickles."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.archives import ARCHIVE_FAULTS, require_modest_archive
from dltk.base.errors import InputError
from dltk.base.files import read_capped, write_atomic

__all__ = ["npz_bytes", "parse_npz", "read_npz", "save_npz"]

_LIMIT = 4_000_000_000  # bytes
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows: equal arrays give equal bytes


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """`arrays` as an uncompressed .npz, in order of their names, with a fixed date."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), member.getvalue())
    return stream.getvalue()


def save_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `npz_bytes(arrays)` to `path`, whole or not at all."""
    write_atomic(path, npz_bytes(arrays))


def parse_npz(
    data: bytes, where: object, keys: Iterable[str] | None = None, *, limit: int = _LIMIT
) -> dict[str, NDArray[Any]]:
    """The arrays in `data`.

    Args:
        where: what errors name.
        keys: names that must be there; None: whatever is.
        limit: bytes that it may unpack to.

    Raises:
        InputError: if it is damaged, holds objects, unpacks to over `limit` bytes or far more than its size, or lacks
            one of `keys`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_modest_archive(archive, where, packed=len(data), limit=limit)
        with np.load(io.BytesIO(data), allow_pickle=False) as opened:
            found = {name: opened[name] for name in opened.files}
    except ARCHIVE_FAULTS as fault:
        raise InputError(where, "must be an .npz of plain arrays", str(fault)) from fault
    missing = sorted(set(keys or ()) - set(found))
    if missing:
        raise InputError(where, f"must hold {', '.join(missing)}", sorted(found))
    return found


def read_npz(path: Path, keys: Iterable[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of the file at `path`.

    Raises:
        InputError: as `parse_npz`, or if there is no such file.
    """
    return parse_npz(read_capped(path, _LIMIT), path, keys)
'''

MODULES["dltk.edge.families"] = r'''
"""The families by name. A new kind of model adds one file here and one row to this table."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.families.base import Acting, Family, Kind, Labelled, Metric, Tensors
from dltk.edge.signature import Signature

__all__ = [
    "FAMILIES",
    "Acting",
    "Family",
    "Kind",
    "Labelled",
    "Metric",
    "Tensors",
    "compared_inputs",
    "compares_inputs",
    "family",
]

FAMILIES = {  # name -> module that holds `FAMILY`; imported when first asked for
    "classification": "dltk.edge.families.classification",
    "series": "dltk.edge.families.series",
    "generator": "dltk.edge.families.generator",
    "anomaly": "dltk.edge.families.anomaly",
    "restore": "dltk.edge.families.restore",
    "embedding": "dltk.edge.families.embedding",
    "audio": "dltk.edge.families.audio",
    "text": "dltk.edge.families.text",
    "image-text": "dltk.edge.families.image_text",
    "policy": "dltk.edge.families.policy",
    "recommendation": "dltk.edge.families.recommendation",
    "tabular": "dltk.edge.families.tabular",
    "tabular-values": "dltk.edge.families.tabular_values",
    "segmentation": "dltk.edge.families.segmentation",
}


def family(name: str) -> Family:
    """The family called `name`.

    Raises:
        InputError: if this version of dltk does not know it.
    """
    if name not in FAMILIES:
        raise InputError(f"family {name!r}", "is not known to this version of dltk", hint=did_you_mean(name, FAMILIES))
    found: Family = import_module(FAMILIES[name]).FAMILY
    return found


def compared_inputs(raws: NDArray[Any], signature: Signature) -> Tensors:
    """The input tensors of raw samples (n, ...) where the family's metrics compare outputs with them, else none.

    They take as much memory as outputs of the same shape do: nobody holds them who has no use for them.
    """
    return family(signature.family).tensors(raws, signature) if compares_inputs(signature) else {}


def compares_inputs(signature: Signature) -> bool:
    """Whether a metric of the family compares outputs with input tensors."""
    return any(metric.compares_inputs for metric in family(signature.family).metrics)
'''

MODULES["dltk.edge.families.base"] = r'''
"""What every family answers: the device half of a kind of model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dltk.edge.signature import Signature

__all__ = ["Acting", "Family", "Kind", "Labelled", "Metric", "Tensors", "Whole"]

Tensors = dict[str, NDArray[Any]]  # tensor name -> array, batch first

# What the targets are: a class number (n,); 0 and 1 a label (n, labels); a class number a pixel (n, height, width); the
# number (n,) of the one item among many that is to be ranked first, or (n, 1 + k): that, and items that are no
# candidates, -1 for none; numbers shaped like the output. "reconstruction": the input tensor is to come back, as it is
# without noise; targets are what the family's metrics look at, and no more.
Kind = Literal["single-label", "multi-label", "pixels", "ranking", "regression", "reconstruction"]


@dataclass(frozen=True)
class Metric:
    """How well outputs fit targets, as a mean over samples, so that two models can be compared sample by sample.

    Attributes:
        name: in the field's words: "accuracy", "mean_absolute_error".
        higher_is_better: its direction.
        is_share: whether it lies in 0..1, so that a drop may be given in points.
        scores: (outputs, targets, signature) -> float64 (n,), one score a sample; the metric is their mean.
        compares_inputs: whether `outputs` must hold the input tensors, too.
    """

    name: str
    higher_is_better: bool
    is_share: bool
    scores: Callable[[Mapping[str, NDArray[Any]], NDArray[Any], Signature], NDArray[np.float64]]
    compares_inputs: bool = False


@dataclass(frozen=True)
class Labelled:
    """A user's own samples and what is right.

    Attributes:
        raws: (n, ...).
        targets: (n, ...).
        skipped: (name, reason) of files that are none of the samples.
        notes: sentences about them.
    """

    raws: NDArray[Any]
    targets: NDArray[Any]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: what was scored, and what was left out."""
        skipped = [{"name": name, "reason": reason} for name, reason in self.skipped]
        return {"samples": len(self.raws), "skipped": skipped, "notes": list(self.notes)}


class Family(Protocol):
    """Raw sample -> tensors, outputs -> answers. Stateless: everything that varies stands in the signature.

    Raw samples are one NumPy array, sample first, without objects: texts are bytes ("S"), and a sample of several
    parts is a record of a structured dtype.
    """

    name: str
    metrics: tuple[Metric, ...]  # the first one decides; empty where no answer is right or wrong (a GAN)

    def kind(self, signature: Signature) -> Kind:
        """What the targets are, and so which loss and which figures belong to them."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """What a user names on the command line -> what `read` takes, one a sample: a file may hold many.

        Raises:
            InputError: if `source` is a file that cannot be read.
        """

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample from what a user gives (path, bytes, array, text): the part that is cached in training.

        Raises:
            InputError: if `source` cannot be read as a sample.
        """

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """Input tensors of a batch of raw samples (n, ...). The very same function feeds training."""

    def narrow(
        self, outputs: Mapping[str, NDArray[Any]], raws: NDArray[Any], signature: Signature
    ) -> Mapping[str, NDArray[Any]]:
        """`outputs` without what the samples themselves rule out, such as the items that a user has already."""

    def answers(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Any]:
        """One answer a sample out of the model's output tensors, decoded by `signature.postprocess`.

        Args:
            outputs: the output tensors, and beside them the input tensors they were made from.
        """

    def as_json(self, answer: Any) -> Any:
        """`answer` as plain JSON values."""

    def as_text(self, answer: Any) -> str:
        """`answer` as lines for a person."""

    def as_file(self, answers: list[Any]) -> tuple[str, bytes] | None:
        """(suffix, bytes) of a file that shows `answers`, or None where text says it all."""

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Samples and targets of a user's own data, to score a model on.

        There need not be samples of every class.

        Raises:
            InputError: if the data cannot be read, carries labels the model does not know, or nothing can be right or
                wrong.
        """

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Raw samples (count, ...) made up from `seed`, for a bundle that may carry nobody's data."""


@runtime_checkable
class Acting(Protocol):
    """What a family answers besides whose models can play: `dltk.edge.play`."""

    def actions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature) -> NDArray[np.int64]:
        """The number (n,) of the action that the model chooses for each sample."""


class Whole:
    """What families share where every source is one sample and text says all there is to say."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """`source` itself."""
        return [source]

    def narrow(
        self, outputs: Mapping[str, NDArray[Any]], raws: NDArray[Any], signature: Signature
    ) -> Mapping[str, NDArray[Any]]:
        """`outputs` themselves: no sample rules an answer out."""
        return outputs

    def as_file(self, answers: list[Any]) -> tuple[str, bytes] | None:
        """None: text says it all."""
        return None
'''

MODULES["dltk.edge.families.classification"] = r'''
"""Images to labels: one label a sample, or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge import preprocess
from dltk.edge.families.base import Family, Tensors
from dltk.edge.families.files import LabelledFiles
from dltk.edge.signature import Signature
from dltk.edge.sources import PICTURES

__all__ = ["FAMILY", "Classification", "patches"]


class Classification(LabelledFiles):
    """Raw sample: uint8 (height, width, 3)."""

    name = "classification"
    files = PICTURES

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature says."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes every answer the same."""
        height, width, channels = signature.inputs[0].sample_shape
        return patches(np.random.Generator(np.random.PCG64(seed)), count, (height, width, channels))


def patches(generator: np.random.Generator, count: int, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 (count, height, width, channels): sixteen flat patches a picture, with noise."""
    height, width, channels = shape
    colours = generator.integers(0, 256, (count, 4, 4, channels))
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    noise = generator.integers(-32, 33, (count, height, width, channels))
    return np.asarray(np.clip(colours[:, rows][:, :, columns] + noise, 0, 255), np.uint8)


FAMILY: Family = Classification()
'''

MODULES["dltk.edge.families.files"] = r'''
"""Families of labels whose samples are files: how a user's own data is read to score a model on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.families.base import Labelled
from dltk.edge.families.labels import Labels, hot, is_multi_label, require_known
from dltk.edge.signature import Signature
from dltk.edge.sources import FileKind, Listing, list_files
from dltk.edge.sources.unreadable import ignored, reason_of, require_few_unreadable

__all__ = ["LabelledFiles", "read_listing"]


class LabelledFiles(Labels):
    """One label a file, or several."""

    files: ClassVar[FileKind]

    @abstractmethod
    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample out of a file; see `Family.read`."""

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a folder a class or a CSV of path,label. A few files that cannot be read are left out."""
        listing = list_files(data, self.files, multi_label=is_multi_label(signature), least_classes=1)
        require_known(listing.labels, signature, data)
        raws, rows, skipped, notes = read_listing(listing, signature, self.read, data)
        return Labelled(raws, hot([listing.classes[row] for row in rows], signature), skipped, notes)


def read_listing(
    listing: Listing, signature: Signature, read: Callable[[Any, Signature], NDArray[Any]], data: str | Path
) -> tuple[NDArray[Any], list[int], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Raw samples (n, ...) of the files that can be read, their rows, what was left out and why, notes about it.

    Raises:
        InputError: if more than a few cannot be read.
    """
    raws, rows, faults = [], [], []
    for row, path in enumerate(listing.paths):
        try:
            raws.append(read(path, signature))
            rows.append(row)
        except InputError as fault:
            faults.append((listing.names[row], reason_of(fault)))
    few = require_few_unreadable(str(data), faults, len(listing.names), remedy="Repair or remove them.")
    notes = tuple(filter(None, (ignored(listing.skipped), few)))
    return np.stack(raws), rows, (*faults, *listing.skipped), notes
'''

MODULES["dltk.edge.families.labels"] = r'''
"""One label a sample, or several: what all families of labels share, whatever a sample is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.families.base import Kind, Metric, Whole
from dltk.edge.metrics import softmax
from dltk.edge.signature import Op, Signature

__all__ = ["Labels", "hot", "is_multi_label", "probabilities", "require_known"]

_HALF = 0.5  # threshold of a sigmoid that names none

Answer = list[tuple[str, float]]  # label and score, best first


def is_multi_label(signature: Signature) -> bool:
    """Whether a sample may have several labels: then each output has a threshold of its own."""
    last = _last(signature)
    return last["op"] == "sigmoid" or "threshold" in last


def probabilities(logits: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """Scores (n, classes) in 0..1 out of the model's output (n, classes).

    Raises:
        InputError: if the signature's last step is none of softmax, sigmoid, identity.
    """
    last = _last(signature)
    if last["op"] == "softmax":
        return softmax(logits, temperature=float(last.get("temperature", 1.0)))
    if last["op"] == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, np.float64), -500, 500))))
    if last["op"] == "identity":
        return np.asarray(logits, np.float64)
    raise InputError("postprocess", "must end in softmax, sigmoid or identity", last["op"])


def _last(signature: Signature) -> Op:
    return signature.postprocess[-1] if signature.postprocess else {"op": "identity"}


def _right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    found = outputs[signature.outputs[0].name]
    if not is_multi_label(signature):
        return np.asarray(found.argmax(axis=-1) == targets, np.float64)
    chosen = probabilities(found, signature) >= float(_last(signature).get("threshold", _HALF))
    return np.asarray((chosen == (np.asarray(targets) >= _HALF)).mean(axis=-1), np.float64)


def _all_right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    return np.asarray(_right(outputs, targets, signature) == 1.0, np.float64)


class Labels(Whole):
    """Output: (n, classes). Targets: int (n,), or 0 and 1 (n, classes)."""

    # With several labels a sample, "accuracy" is the share of its labels that are right, "exact_match" asks for all.
    metrics: tuple[Metric, ...] = (
        Metric("accuracy", True, True, _right),
        Metric("exact_match", True, True, _all_right),
    )

    def kind(self, signature: Signature) -> Kind:
        """One label a sample, or several."""
        return "multi-label" if is_multi_label(signature) else "single-label"

    def answers(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Answer]:
        """A sample: (label, score) pairs, best first; of several labels those over the threshold."""
        scores = probabilities(outputs[signature.outputs[0].name], signature)
        labels = signature.labels or tuple(str(number) for number in range(scores.shape[-1]))
        if len(labels) != scores.shape[-1]:
            raise InputError("labels", f"must be {scores.shape[-1]}, one an output", len(labels))
        lowest = float(_last(signature).get("threshold", _HALF)) if is_multi_label(signature) else -np.inf
        count = len(labels) if is_multi_label(signature) else top
        order = np.argsort(-scores, axis=-1, kind="stable")[:, :count]
        return [
            [(labels[place], float(row[place])) for place in places if row[place] >= lowest]
            for row, places in zip(scores, order, strict=True)
        ]

    def as_json(self, answer: Answer) -> list[dict[str, Any]]:
        """[{"label": .., "score": ..}, ...]."""
        return [{"label": label, "score": score} for label, score in answer]

    def as_text(self, answer: Answer) -> str:
        """A line a label."""
        return "\n".join(f"{score:7.4f}  {label}" for label, score in answer) or "(no label over the threshold)"


def require_known(labels: Iterable[str], signature: Signature, where: object) -> None:
    """Raise InputError if one of `labels` is none of the model's."""
    unknown = sorted(set(labels) - set(signature.labels))
    if unknown:
        raise InputError(str(where), f"labels must be among {', '.join(signature.labels)}", ", ".join(unknown))


def hot(classes: Sequence[Sequence[str]], signature: Signature) -> NDArray[Any]:
    """Targets of samples with the labels `classes`: int64 (n,), or float32 (n, classes) where there are several."""
    found = np.zeros((len(classes), len(signature.labels)), np.float32)
    for row, names in enumerate(classes):
        found[row, [signature.labels.index(name) for name in names]] = 1.0
    return found if is_multi_label(signature) else found.argmax(axis=1)
'''

MODULES["dltk.edge.integrity"] = r'''
"""Bytes of a bundle that are what its manifest says: each file read once, checked, then handed on as bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dltk.base.errors import InputError
from dltk.base.files import read_capped, sha256
from dltk.edge.archive import Archive
from dltk.edge.manifest import LARGEST_MANIFEST, MANIFEST, SEAL, Manifest, parse
from dltk.edge.seal import SEAL_BYTES, Key, check_seal
from dltk.edge.signature import Signature

__all__ = ["Place", "Sealed", "read_bundle", "read_file", "read_manifest"]

_DAMAGED = "The bundle is damaged or was changed: copy it again, or export it again."


class Place(Protocol):
    """Where the files of a bundle are: what a folder and an archive have in common."""

    path: Path

    @property
    def names(self) -> Iterable[str]:
        """Of everything there, known or not."""

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one file.

        Raises:
            InputError: if it is missing, no regular file, or has over `limit` bytes.
        """


class Folder:
    """The files of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def names(self) -> Iterable[str]:
        """Of everything in the folder."""
        return sorted(os.listdir(self.path))

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one file; links are not followed."""
        return read_capped(self.path / name, limit)


@dataclass(frozen=True)
class Sealed:
    """A bundle whose every file was read and checked.

    Attributes:
        path: its folder or archive.
        manifest: parsed and checked.
        files: name -> bytes of every file the manifest lists.
    """

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]

    @property
    def signature(self) -> Signature:
        """The manifest's, with the files that its steps read."""
        return self.manifest.signature.with_assets(lambda name: self.files[name])


def read_manifest(path: str | Path, *, verify: Key | None = None) -> Manifest:
    """The manifest of the bundle in the folder or archive `path`.

    Args:
        verify: public key that the bundle must be signed with: checked before anything in the manifest is read.

    Raises:
        InputError: if there is no bundle, no sound manifest in it, or no signature by the key that is asked for.
    """
    return _manifest(_place(path), verify)


def read_file(path: str | Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of one file of the bundle, read once, with the size and hash that the manifest gives it.

    Raises:
        InputError: if it is not listed, missing, a link, or differs.
    """
    return _file(_place(path), manifest, name)


def read_bundle(path: str | Path, *, verify: Key | None = None) -> Sealed:
    """Every file of the bundle, each read once and checked; nothing else may stand in its folder or archive.

    Args:
        verify: as for `read_manifest`.

    Raises:
        InputError: naming the first file that is missing, more, a link, or different.
    """
    place = _place(path)
    manifest = _manifest(place, verify)
    for name in place.names:
        if name == SEAL:
            _seal(place)
        elif name != MANIFEST and name not in manifest.files:
            raise InputError(place.path / name, "is not listed in the manifest", hint="Remove it, or export again.")
    return Sealed(place.path, manifest, {name: _file(place, manifest, name) for name in sorted(manifest.files)})


def _place(path: str | Path) -> Place:
    path = Path(path)
    if path.is_dir():
        return Folder(path)
    if not os.path.lexists(path):
        rule = "a bundle is a folder with a manifest.json, or an archive of one"
        raise InputError(path, rule, "nothing there", "Make one with `dltk export`.")
    return Archive(path)


def _manifest(place: Place, verify: Key | None) -> Manifest:
    if MANIFEST not in place.names:
        raise InputError(place.path, "a bundle holds a manifest.json", "none", "Make a bundle with `dltk export RUN`.")
    data = place.read(MANIFEST, LARGEST_MANIFEST)
    if verify is not None:
        check_seal(data, _seal(place), verify, place.path / SEAL)
    return parse(data, place.path / MANIFEST)


def _seal(place: Place) -> bytes:
    if SEAL not in place.names:
        hint = "Sign it: dltk export RUN --sign KEY."
        raise InputError(place.path, f"must be signed: hold a {SEAL}", "a bundle without one", hint)
    data = place.read(SEAL, SEAL_BYTES)
    if len(data) != SEAL_BYTES:
        raise InputError(place.path / SEAL, f"must have {SEAL_BYTES} bytes", f"{len(data)} bytes", _DAMAGED)
    return data


def _file(place: Place, manifest: Manifest, name: str) -> bytes:
    where = place.path / name
    if name not in manifest.files:
        raise InputError(where, "is not a file of this bundle", hint=f"It has: {', '.join(sorted(manifest.files))}.")
    entry = manifest.files[name]
    data = place.read(name, entry.bytes)
    if len(data) != entry.bytes:
        raise InputError(where, f"must have {entry.bytes} bytes", f"{len(data)} bytes", _DAMAGED)
    if sha256(data) != entry.sha256:
        raise InputError(where, f"must have SHA-256 {entry.sha256}", sha256(data), _DAMAGED)
    return data
'''

MODULES["dltk.edge.load"] = r'''
"""`load` a bundle and `predict`: each file read once, checked, and the same bytes handed to the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError, UsageError, did_you_mean
from dltk.edge.families import family
from dltk.edge.integrity import read_file, read_manifest
from dltk.edge.manifest import Artifact, Manifest
from dltk.edge.runtimes import RUNTIMES, Session, available, open_session, remedy
from dltk.edge.seal import Key
from dltk.edge.signature import Signature

__all__ = ["Model", "choose", "load", "open_artifact", "ready", "require_artifact", "require_ports"]

_CHUNK = 32  # samples whose tensors are held at a time


class Model:
    """A model of a bundle, ready to answer. Safe to use from several threads.

    Attributes:
        signature: what it takes and gives.
        labels: one a class, or empty.
        artifact: the file that runs.
    """

    def __init__(self, signature: Signature, artifact: Artifact, session: Session) -> None:
        self.signature, self.artifact = signature, artifact
        self._session, self._family = session, family(signature.family)

    @property
    def labels(self) -> tuple[str, ...]:
        """One a class, or empty."""
        return self.signature.labels

    def predict(self, source: Any, *, top: int = 5) -> Any:
        """The answer for one sample: for a classifier up to `top` pairs (label, score), best first.

        Args:
            source: what the family reads: a path or bytes or uint8 array for images.

        Raises:
            InputError: if `source` cannot be read.
        """
        return self.predict_many([source], top=top)[0]

    def predict_many(self, sources: Iterable[Any], *, top: int = 5) -> list[Any]:
        """One answer a source, in order."""
        if top < 1:
            raise UsageError("top", "must be at least 1", top)
        raws = [self._family.read(source, self.signature) for source in sources]
        found: list[Any] = []
        for start in range(0, len(raws), _CHUNK):
            batch = np.stack(raws[start : start + _CHUNK])
            tensors = self._family.tensors(batch, self.signature)
            left = self._family.narrow(self.run(tensors), batch, self.signature)
            found += self._family.answers({**tensors, **left}, self.signature, top=top)
        return found

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The output tensors of a batch of input tensors, by name; batch first."""
        return self._session.run(tensors)


def load(
    path: str | Path,
    *,
    runtime: str | None = None,
    artifact: str | None = None,
    threads: int = 1,
    verify: Key | None = None,
) -> Model:
    """The model of the bundle in the folder or archive `path`: the first artifact whose runtime is installed.

    Args:
        runtime: "tflite" or "onnx": only artifacts of that format.
        artifact: the file to take.
        threads: of the runtime, for one sample.
        verify: public key, a PEM file's path or bytes, that the bundle must be signed with (`dltk export --sign`).

    Raises:
        InputError: if the bundle is damaged, has no such artifact, or is not signed by the key that is asked for.
        EnvironmentFault: if no runtime for it is installed.
    """
    manifest = read_manifest(path, verify=verify)
    chosen = choose(manifest, runtime=runtime, artifact=artifact)
    return ready(manifest, chosen, lambda name: read_file(path, manifest, name), threads=threads)


def ready(manifest: Manifest, artifact: Artifact, read: Callable[[str], bytes], *, threads: int = 1) -> Model:
    """The model in one artifact of a bundle, whose checked files `read(name)` gives; for Raises see `load`."""
    signature = manifest.signature.with_assets(read)
    return Model(signature, artifact, open_artifact(artifact, read(artifact.file), signature, threads=threads))


def choose(manifest: Manifest, *, runtime: str | None = None, artifact: str | None = None) -> Artifact:
    """The first artifact of the manifest that fits and whose runtime is installed; for Raises see `load`."""
    if runtime is not None and runtime not in RUNTIMES:
        raise UsageError("runtime", f"must be one of {', '.join(RUNTIMES)}", runtime)
    require_artifact(manifest, artifact)
    fitting = [
        item
        for item in manifest.artifacts
        if runtime in (None, item.format) and (artifact is None or item.file == artifact)
    ]
    if not fitting:
        there = ", ".join(item.file for item in manifest.artifacts)
        raise InputError(f"bundle {manifest.name}", f"must have an artifact for {runtime}", there)
    for item in fitting:
        if item.format in available():
            return item
    hint = remedy({item.format for item in fitting})
    raise EnvironmentFault(f"bundle {manifest.name}", "needs a runtime that is not installed", hint=hint)


def require_artifact(manifest: Manifest, file: str | None) -> None:
    """Raise InputError if `file` is none of the artifacts; None stands for any."""
    files = [item.file for item in manifest.artifacts]
    if file is not None and file not in files:
        raise InputError(f"artifact {file!r}", f"is not in bundle {manifest.name}", hint=did_you_mean(file, files))


def open_artifact(artifact: Artifact, data: bytes, signature: Signature, *, threads: int = 1) -> Session:
    """A session over an artifact's checked bytes, held against the signature.

    Raises:
        InputError: naming the file, if the runtime that is installed here cannot load it, or it does not fit.
    """
    try:
        session = open_session(artifact.format, data, threads=threads)
    except InputError as fault:
        hint = f"It is known to load in {artifact.minimum_runtime}."
        raise InputError(artifact.file, fault.rule, fault.received, hint) from fault
    require_ports(session, signature, artifact.file)
    return session


def require_ports(session: Session, signature: Signature, where: str) -> None:
    """Raise InputError unless the file's inputs and outputs are the signature's."""
    for kind, ports, specs in (
        ("inputs", session.inputs, signature.inputs),
        ("outputs", session.outputs, signature.outputs),
    ):
        found = {port.name: port.shape[1:] for port in ports}
        wanted = {spec.name: spec.shape[1:] for spec in specs}
        if set(found) != set(wanted):
            raise InputError(f"{where}: {kind}", f"must be {', '.join(sorted(wanted))}", ", ".join(sorted(found)))
        for name, shape in wanted.items():
            same = len(shape) == len(found[name]) and all(
                there in (None, size) for size, there in zip(shape, found[name], strict=True)
            )
            if not same:
                raise InputError(f"{where}: {kind}: {name}", f"must have shape {shape} a sample", found[name])
'''

MODULES["dltk.edge.manifest"] = r'''
"""`manifest.json`: what a bundle holds, with size and hash of every file; canonical JSON that carries its digest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, sha256
from dltk.edge.signature import Signature, require_plain_name

__all__ = [
    "FORMATS",
    "MANIFEST",
    "MOST_FILES",
    "PRECISIONS",
    "SCHEMA",
    "SEAL",
    "Artifact",
    "FileEntry",
    "Manifest",
    "file_entry",
    "parse",
]

MANIFEST = "manifest.json"
SEAL = "manifest.sig"  # an Ed25519 signature of the manifest's bytes, 64 bytes; who asks for it checks it
SCHEMA = 1
FORMATS = ("tflite", "onnx")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int8-io", "int16x8")
RANGES = ("shared", "native", "none")

LARGEST_MANIFEST = 1_000_000  # bytes
LARGEST_FILE = 2_000_000_000  # bytes: flatbuffers and protobufs end there
MOST_FILES = 200
_DEEPEST = 20


@dataclass(frozen=True)
class FileEntry:
    """Size in bytes and SHA-256 of one file of the bundle."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """One model file for one runtime.

    Attributes:
        file: its plain name in the bundle.
        format: "tflite" or "onnx".
        precision: one of `PRECISIONS`.
        minimum_runtime: oldest runtime it was seen to load in, e.g. "ai-edge-litert 1.0.1".
        operators: operator name -> how often it stands in the file.
        ranges: "shared" (one set for both formats), "native" (that tool's own calibration), "none" (float).
        parity: {"measure": "max_abs" or "cosine", "error": .., "tolerance": .., ...} against the reference outputs.
        metric: {"name": .., "value": .., "interval": ..}, or None where nothing was scored.
        bytes: raw size; download_bytes: after `gzip -9 -n`.
    """

    file: str
    format: str
    precision: str
    minimum_runtime: str
    operators: Mapping[str, int]
    ranges: str
    parity: Mapping[str, Any]
    metric: Mapping[str, Any] | None
    bytes: int
    download_bytes: int

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Artifact:
        """An artifact out of parsed JSON; InputError names the key that does not fit."""
        _exact_keys(found, (item.name for item in fields(cls)), where)
        for key, allowed in (("format", FORMATS), ("precision", PRECISIONS), ("ranges", RANGES)):
            if found[key] not in allowed:
                raise InputError(f"{where}: {key}", f"must be one of {', '.join(allowed)}", found[key])
        for key in ("file", "minimum_runtime"):
            _text(found, key, where)
        operators = _mapping(found, "operators", where)
        if not all(_is_count(count) for count in operators.values()):
            raise InputError(f"{where}: operators", "must count operators by name", operators)
        _mapping(found, "parity", where)
        if found["metric"] is not None:
            _mapping(found, "metric", where)
        for key in ("bytes", "download_bytes"):
            if not _is_count(found[key]):
                raise InputError(f"{where}: {key}", "must be a number of bytes", found[key])
        return cls(**found)


@dataclass(frozen=True)
class Manifest:
    """Everything a bundle says about itself.

    Attributes:
        name: the bundle's.
        signature: what the model takes and gives.
        artifacts: in order of preference: `load` takes the first whose runtime is installed.
        files: every file of the bundle but the manifest itself.
        lineage: recipe digest, source digest, seeds, tool versions, CPU instruction set.
        gate: limits that the artifacts were held to.
        schema: version of this layout.
    """

    name: str
    signature: Signature
    artifacts: tuple[Artifact, ...]
    files: Mapping[str, FileEntry]
    lineage: Mapping[str, Any] = field(default_factory=dict)
    gate: Mapping[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the digest."""
        return {item.name: _plain(getattr(self, item.name)) for item in fields(self)}

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the bundle: equal manifests give equal bytes.

        Raises:
            InputError: if `parse` would refuse it.
        """
        content = self.as_dict()
        data = canonical_json(content | {"digest": sha256(canonical_json(content))})
        parse(data, f"manifest of {self.name}")
        return data


def file_entry(data: bytes) -> FileEntry:
    """Size and hash of a file's bytes."""
    return FileEntry(len(data), sha256(data))


def parse(data: bytes, where: object = MANIFEST) -> Manifest:
    """The manifest in `data`, checked key by key.

    Raises:
        InputError: naming the key, if anything is missing, unknown, of another type, out of range, or damaged.
    """
    if len(data) > LARGEST_MANIFEST:
        raise InputError(where, f"must be at most {LARGEST_MANIFEST} bytes", f"{len(data)} bytes")
    found = parse_json(data, where)
    _require_schema(found, where)
    _exact_keys(found, [*(item.name for item in fields(Manifest)), "digest"], where)
    _require_plain_values(found, where, "manifest", _DEEPEST)
    _require_digest(found, data, where)
    _text(found, "name", where)
    if not isinstance(found["artifacts"], list) or not found["artifacts"]:
        raise InputError(f"{where}: artifacts", "must list at least one artifact", found["artifacts"])
    artifacts = tuple(Artifact.from_dict(item, f"{where}: artifacts[{i}]") for i, item in enumerate(found["artifacts"]))
    files = _files(_mapping(found, "files", where), where)
    signature = Signature.from_dict(found["signature"], f"{where}: signature")
    _require_listed(artifacts, signature, files, where)
    return Manifest(
        name=found["name"],
        signature=signature,
        artifacts=artifacts,
        files=files,
        lineage=_mapping(found, "lineage", where),
        gate=_mapping(found, "gate", where),
        schema=found["schema"],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, Signature):
        return _plain(value.as_dict())
    if isinstance(value, (Artifact, FileEntry)):
        return _plain(asdict(value))
    return value


def _require_schema(found: Any, where: object) -> None:
    schema: Any = found.get("schema") if isinstance(found, dict) else None
    if not _is_count(schema) or schema < 1:
        raise InputError(f"{where}: schema", "must be a positive whole number", schema)
    if schema > SCHEMA:
        hint = "Update it: pip install -U dltk."
        raise InputError(f"{where}: schema", f"this version of dltk reads up to {SCHEMA}", schema, hint)


def _require_digest(found: dict[str, Any], data: bytes, where: object) -> None:
    hint = "The file is damaged: export the bundle again, or copy it again."
    try:
        content = {key: value for key, value in found.items() if key != "digest"}
        digest, canonical = sha256(canonical_json(content)), canonical_json(found)
    except ValueError as fault:  # a lone surrogate: valid JSON, no Unicode text
        raise InputError(where, "must hold Unicode text only", str(fault)) from fault
    if digest != found["digest"]:
        raise InputError(f"{where}: digest", f"must be {digest}", found["digest"], hint)
    if canonical != data:
        raise InputError(where, "must be canonical JSON (sorted keys, two spaces, one newline at the end)", hint=hint)


def _require_plain_values(value: Any, where: object, key: str, depth: int) -> None:
    if depth == 0:
        raise InputError(f"{where}: {key}", f"must nest at most {_DEEPEST} deep")
    if isinstance(value, float) and not math.isfinite(value):  # 1e999 is valid JSON
        raise InputError(f"{where}: {key}", "must be a finite number", value)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        _require_plain_values(child, where, str(name), depth - 1)


def _files(found: Mapping[str, Any], where: object) -> dict[str, FileEntry]:
    if len(found) > MOST_FILES:
        raise InputError(f"{where}: files", f"must be at most {MOST_FILES}", len(found))
    for name, entry in found.items():
        place = f"{where}: files: {name!r}"
        require_plain_name(name, place)
        if name.casefold() in (MANIFEST, SEAL):
            raise InputError(place, "must be a plain file name, and not the manifest's or its signature's")
        _exact_keys(entry, ("bytes", "sha256"), place)
        if not _is_count(entry["bytes"]) or entry["bytes"] > LARGEST_FILE:
            raise InputError(f"{place}: bytes", f"must be at most {LARGEST_FILE}", entry["bytes"])
        digest = entry["sha256"]
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(f"{place}: sha256", "must be 64 hexadecimal digits", digest)
    return {name: FileEntry(**entry) for name, entry in found.items()}


def _require_listed(
    artifacts: tuple[Artifact, ...], signature: Signature, files: Mapping[str, FileEntry], where: object
) -> None:
    names = [artifact.file for artifact in artifacts]
    if len(set(names)) != len(names):
        raise InputError(f"{where}: artifacts", "must be different files", names)
    for artifact in artifacts:
        if artifact.file not in files or files[artifact.file].bytes != artifact.bytes:
            raise InputError(f"{where}: files", f"must list {artifact.file!r} with {artifact.bytes} bytes")
    missing = sorted(set(signature.asset_names) - set(files))
    if missing:
        raise InputError(f"{where}: files", f"must list {missing[0]!r}, which a step of the signature reads")


def _exact_keys(found: Any, expected: Iterable[str], where: object) -> None:
    wanted = set(expected)
    if not isinstance(found, dict):
        raise InputError(where, "must be a JSON object", found)
    for rule, keys in (("lacks a key", wanted - set(found)), ("has an unknown key", set(found) - wanted)):
        if keys:
            raise InputError(where, rule, ", ".join(sorted(keys)))


def _mapping(found: dict[str, Any], key: str, where: object) -> Mapping[str, Any]:
    if not isinstance(found[key], dict):
        raise InputError(f"{where}: {key}", "must be a JSON object", found[key])
    return dict(found[key])


def _text(found: dict[str, Any], key: str, where: object) -> None:
    if not isinstance(found[key], str) or not found[key]:
        raise InputError(f"{where}: {key}", "must be text", found[key])


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
'''

MODULES["dltk.edge.metrics"] = r'''
"""The few metrics that a device needs, in NumPy; tests hold them equal to scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "accuracy",
    "confusion_matrix",
    "expected_calibration_error",
    "max_abs_difference",
    "mean_cosine",
    "paired_bootstrap",
    "ranks",
    "reliability",
    "softmax",
    "top1_agreement",
    "top_k_accuracy",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
_CELLS = 4_000_000  # numbers held at a time while resampling: 32 MB


def softmax(logits: Floats, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (n, classes) of logits (n, classes)."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def accuracy(scores: Floats, targets: Ints) -> float:
    """Share of samples whose highest of `scores` (n, classes) is at `targets` (n,)."""
    return float((scores.argmax(axis=-1) == targets).mean())


def top_k_accuracy(scores: Floats, targets: Ints, *, k: int) -> float:
    """Share of samples whose target is among the `k` highest scores; of equal scores the later class counts first."""
    best = np.argsort(scores, axis=-1, kind="stable")[:, -k:]
    return float((best == np.asarray(targets)[:, None]).any(axis=-1).mean())


def confusion_matrix(targets: Ints, predicted: Ints, classes: int) -> NDArray[np.int64]:
    """Counts (classes, classes): row is the target, column the prediction."""
    cells = np.asarray(targets, np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def mean_cosine(reference: Floats, found: Floats) -> float:
    """Mean over samples of the cosine between two arrays (n, ...); two zero vectors are alike, one is not."""
    a = np.asarray(reference, np.float64).reshape(len(reference), -1)
    b = np.asarray(found, np.float64).reshape(len(found), -1)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    cosines = np.where(both_zero, 1.0, (a * b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0))
    return float(cosines.mean())


def max_abs_difference(reference: Floats, found: Floats) -> float:
    """The largest difference between two arrays, in their own unit; NaN where either holds one."""
    return float(np.abs(np.asarray(reference, np.float64) - np.asarray(found, np.float64)).max())


def top1_agreement(reference: Floats, found: Floats) -> float:
    """Share of samples for which two arrays (n, classes) have their highest score at the same class."""
    return float((reference.argmax(axis=-1) == found.argmax(axis=-1)).mean())


def ranks(scores: Floats, targets: Ints) -> NDArray[np.int64]:
    """The place (n,), from 1, of an item among all items by `scores` (n, items); ties count against it.

    Args:
        targets: the number of the item (n,); or (n, 1 + k): that, and behind it items that are no candidates, such as
            those a user has already, with -1 where there are none.
    """
    wanted = np.asarray(targets, np.int64).reshape(len(scores), -1)
    before = scores >= np.take_along_axis(scores, wanted[:, :1], axis=-1)
    rows, columns = np.nonzero(wanted[:, 1:] >= 0)
    before[rows, wanted[rows, 1 + columns]] = False
    before[np.arange(len(wanted)), wanted[:, 0]] = True  # itself
    return before.sum(axis=-1).astype(np.int64)


def expected_calibration_error(probabilities: Floats, targets: Ints, *, bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence (Guo et al. 2017, arXiv:1706.04599)."""
    counts, confidence, right = _bins(probabilities, targets, bins)
    return float(np.abs(confidence - right).sum() / counts.sum())


def reliability(probabilities: Floats, targets: Ints, *, bins: int = 15) -> list[tuple[float, float, int]]:
    """(mean confidence, accuracy, samples) of each equal bin of confidence that holds any, in order of confidence."""
    counts, confidence, right = _bins(probabilities, targets, bins)
    return [
        (float(confidence[i] / counts[i]), float(right[i] / counts[i]), int(counts[i])) for i in counts.nonzero()[0]
    ]


def _bins(probabilities: Floats, targets: Ints, bins: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """A bin: samples, sum of confidences, right answers."""
    confidence = probabilities.max(axis=-1)
    right = probabilities.argmax(axis=-1) == targets
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    return (
        np.bincount(which, minlength=bins),
        np.bincount(which, weights=confidence, minlength=bins),
        np.bincount(which, weights=right, minlength=bins),
    )


def paired_bootstrap(
    a: Floats, b: Floats, *, seed: int, rounds: int = 2000, level: float = 0.95
) -> tuple[float, float, float]:
    """How much the mean of scores `a` (n,) lies above that of `b` (n,), on the same samples.

    Samples are drawn with replacement `rounds` times, the same ones for both (Efron's percentile interval).

    Returns:
        (estimate, low, high): the difference of means and the ends of its `level` interval.
    """
    differences = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    values, counts = np.unique(differences, return_counts=True)
    generator, share = np.random.Generator(np.random.PCG64(seed)), counts / counts.sum()
    means = np.empty(rounds)
    chunk = max(1, _CELLS // len(values))
    for start in range(0, rounds, chunk):
        # Drawing n samples is drawing how often each different value occurs: right or wrong answers have three.
        drawn = generator.multinomial(len(differences), share, size=min(chunk, rounds - start))
        means[start : start + chunk] = drawn @ values / len(differences)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(differences.mean()), float(low), float(high)
'''

MODULES["dltk.edge.onnx"] = r'''
"""ONNX models in ONNX Runtime: from bytes only, on the CPU."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.onnx_file import operators, refuse_external_data
from dltk.edge.runtimes import Port, Refused, stack, to_port

__all__ = ["OnnxSession"]

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int32)": "int32",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
}
_CHUNK = 64  # samples a call: bounds the memory of activations
_SILENT = 4  # what goes wrong is raised as well; on stderr it would stand before the one line of the error
# A fused integer operator may give float32 straight away, with the last conversion folded in.
_INTEGER_INSIDE = ("QLinear", "QGemm", "MatMulInteger", "ConvInteger", "QAttention", "DynamicQuantize")
_CONVERSIONS = ("QuantizeLinear", "DequantizeLinear")


class OnnxSession:
    """An ONNX file. ONNX Runtime's own session may be run from several threads."""

    def __init__(self, data: bytes, *, threads: int = 1) -> None:
        refuse_external_data(data)
        self._data, self._threads = data, threads
        self._session = self._open()
        with Refused("must have readable inputs and outputs"):  # a damaged name is no Unicode
            self.inputs = tuple(_port(argument) for argument in self._session.get_inputs())
            self.outputs = tuple(_port(argument) for argument in self._session.get_outputs())
            fixed = any(isinstance(argument.shape[0], int) for argument in self._session.get_inputs())
        self._chunk = 1 if fixed else _CHUNK

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch, computed in pieces of at most 64 samples."""
        fed = {port.name: to_port(tensors, port) for port in self.inputs}
        if len({len(tensor) for tensor in fed.values()}) != 1:
            raise InputError("inputs", "must all have the same batch", [len(tensor) for tensor in fed.values()])
        names, count = [port.name for port in self.outputs], len(next(iter(fed.values())))
        pieces = range(0, count, self._chunk)
        with Refused("must run in ONNX Runtime"):
            found = [
                self._session.run(names, {name: t[start : start + self._chunk] for name, t in fed.items()})
                for start in pieces
            ]
        return stack(found, self.outputs)

    def operators(self) -> dict[str, int]:
        """Operator name -> count in the main graph of the file, as written, before the runtime fuses anything."""
        return operators(self._data)

    def float_operators(self) -> dict[str, int]:
        """Operators that gave float32 in a profiled run, after fusing; integer ones with a folded conversion aside."""
        with tempfile.TemporaryDirectory(prefix="dltk-profile-") as folder:
            with Refused("must run in ONNX Runtime"):
                session = self._open(profile=Path(folder, "run"))
                session.run(None, {p.name: np.zeros([size or 1 for size in p.shape], p.dtype) for p in self.inputs})
            events = json.loads(Path(session.end_profiling()).read_bytes())
        ran = (event["args"] for event in events if "output_type_shape" in event.get("args", {}))
        found = Counter(
            args["op_name"]
            for args in ran
            if any("float" in output for output in args["output_type_shape"])
            and not args["op_name"].startswith((*_INTEGER_INSIDE, *_CONVERSIONS))
        )
        return dict(sorted(found.items()))

    def delegated_share(self) -> float | None:
        """None: the CPU provider runs every operator itself."""
        return None

    def _open(self, *, profile: Path | None = None) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self._threads, 1
        options.log_severity_level = _SILENT
        if profile is not None:
            options.enable_profiling, options.profile_file_prefix = True, str(profile)
        with Refused("must load in ONNX Runtime"):
            return onnxruntime.InferenceSession(self._data, options, providers=["CPUExecutionProvider"])


def _port(argument: Any) -> Port:
    if argument.type not in _DTYPES or not argument.shape:
        raise InputError(f"tensor {argument.name!r}", f"must be of {', '.join(_DTYPES)} with a batch", argument.type)
    inner = tuple(size if isinstance(size, int) else None for size in argument.shape[1:])
    return Port(argument.name, _DTYPES[argument.type], (None, *inner))
'''

MODULES["dltk.edge.onnx_file"] = r'''
"""What stands in an ONNX file, read without the package onnx: a protocol buffer is a row of numbered fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from dltk.base.errors import InputError

__all__ = ["operators", "refuse_external_data"]

# Message -> field -> the message in it: every way from a model to a tensor, as onnx.proto has them.
_INSIDE: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "model": {7: "graph", 20: "training", 25: "function"},
        "training": {1: "graph", 2: "graph"},
        "function": {7: "node", 11: "attribute"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
    }
)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor
_GRAPH, _NODE, _OP_TYPE = 7, 1, 4


def operators(data: bytes) -> dict[str, int]:
    """Operator name -> count in the main graph, as written, before a runtime fuses anything."""
    graph = next(_messages(data, _GRAPH), b"")
    names = (bytes(next(_messages(node, _OP_TYPE), b"")).decode(errors="replace") for node in _messages(graph, _NODE))
    return dict(sorted(Counter(names).items()))


def refuse_external_data(data: bytes) -> None:
    """Raise InputError if a tensor of the model says that its numbers lie in another file.

    ONNX Runtime would look for that file in the current folder, even for a model that it gets as bytes.
    """
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for number, value in _fields(message):
            inner = _INSIDE.get(kind, {}).get(number)
            if inner is not None and isinstance(value, memoryview):
                waiting.append((inner, value))
            if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
                hint = "Save the model with its weights inside."
                raise InputError("model", "must hold its weights itself", "a tensor with data in another file", hint)


def _messages(message: memoryview | bytes, wanted: int) -> Iterator[memoryview]:
    """The length-delimited fields numbered `wanted`."""
    return (value for number, value in _fields(message) if number == wanted and isinstance(value, memoryview))


def _fields(message: memoryview | bytes) -> Iterator[tuple[int, memoryview | int]]:
    """(number, value) of each field: the bytes of length-delimited ones, the number of a varint; 0 for fixed ones."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == 2:
            size, at = _varint(view, at)
            yield number, view[at : at + size]
            at += size
        elif kind == 0:
            value, at = _varint(view, at)
            yield number, value
        elif kind in (1, 5):
            yield number, 0
            at += 8 if kind == 1 else 4
        else:
            raise InputError("model", "must be a protocol buffer", f"wire type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:  # ten bytes hold 64 bits; longer ones would take ever more time
        value |= (message[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if message[at - 1] < 128:
            return value, at
    raise InputError("model", "must be a protocol buffer", "an unfinished number")
'''

MODULES["dltk.edge.parity"] = r'''
"""How far an artifact's outputs may lie from the reference, and how far they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.families import family
from dltk.edge.metrics import max_abs_difference, mean_cosine, top1_agreement
from dltk.edge.signature import Signature

__all__ = ["COSINE", "MAX_ABS", "compare", "in_words", "misfits"]

MAX_ABS, COSINE = "max_abs", "cosine"

Outputs = Mapping[str, NDArray[Any]]


def compare(
    reference: Outputs,
    outputs: Outputs,
    signature: Signature,
    *,
    measure: str,
    tolerance: float,
    top1_tolerance: float | None = None,
) -> dict[str, Any]:
    """The parity of `outputs` with `reference`, both name -> (n, ...), as the manifest records it.

    "max_abs": the largest difference, at most `tolerance` x max(1, largest reference).
    "cosine": the mean cosine, at least `tolerance`; with `top1_tolerance` also the share of samples whose best class
    is the same. One sample may always differ there: among few, a single near tie would decide.

    Returns:
        {"measure", "error", "tolerance", "passed", and what was measured beside it}.
    """
    names = [spec.name for spec in signature.outputs]
    if measure == MAX_ABS:
        error = max(max_abs_difference(reference[name], outputs[name]) for name in names)
        limit = tolerance * max(1.0, *(float(np.abs(reference[name]).max()) for name in names))
        return {"measure": measure, "error": error, "tolerance": tolerance, "limit": limit, "passed": error <= limit}
    cosine = min(mean_cosine(reference[name], outputs[name]) for name in names)
    found = {"measure": measure, "error": 1.0 - cosine, "tolerance": tolerance, "passed": cosine >= tolerance}
    if top1_tolerance is None or family(signature.family).kind(signature) != "single-label":
        return found
    agreement = top1_agreement(reference[names[0]], outputs[names[0]])
    allowed = max(1.0, (1.0 - top1_tolerance) * len(outputs[names[0]]))
    agrees = (1.0 - agreement) * len(outputs[names[0]]) <= allowed + 1e-6  # rounding of the share, not of samples
    return found | {
        "top1_agreement": agreement,
        "top1_tolerance": top1_tolerance,
        "passed": bool(found["passed"]) and agrees,
    }


def in_words(parity: Mapping[str, Any]) -> str:
    """What `compare` returned, for a person: how far apart, and how far would do."""
    if parity["measure"] == MAX_ABS:
        return f"differs from the reference by {parity['error']:.3g} (at most {parity['limit']:.3g})"
    words = f"mean cosine with the reference is {1 - parity['error']:.4f} (at least {parity['tolerance']:g})"
    if "top1_agreement" in parity:
        words += f", top-1 agreement {parity['top1_agreement']:.4f} (at least {parity['top1_tolerance']:g})"
    return words


def misfits(reference: Outputs, outputs: Outputs, signature: Signature) -> list[str]:
    """What is wrong with `outputs` before any number is compared: names, shapes, NaN, the same answer to everything."""
    reasons = []
    if set(outputs) != {spec.name for spec in signature.outputs}:
        return [f"outputs are {', '.join(sorted(outputs))}, not {', '.join(spec.name for spec in signature.outputs)}"]
    for spec in signature.outputs:
        found, wanted = outputs[spec.name], reference[spec.name]
        if found.shape != wanted.shape or found.shape[1:] != spec.sample_shape:
            reasons.append(f"{spec.name} has shape {found.shape}, not {wanted.shape}")
        elif not np.isfinite(found).all():
            reasons.append(f"{spec.name} holds numbers that are not finite")
        elif _is_constant(found) and not _is_constant(wanted):
            reasons.append(f"{spec.name} is the same for every sample")
    return reasons


def _is_constant(values: NDArray[Any]) -> bool:
    return len(values) > 1 and bool((values == values[:1]).all())
'''

MODULES["dltk.edge.pictures"] = r'''
"""Decodes and resizes pictures, the same way in training and on the device.

How a picture becomes RGB, one rule each:
    formats        JPEG, PNG, BMP, WebP, GIF (first frame); by content, never by file name
    orientation    the EXIF orientation is applied; EXIF that cannot be read counts as none
    16 bits        the upper 8 bits: value >> 8
    grey           the value three times; where a model takes one channel: ITU-R 601-2 luma, which gives it back
    palette        looked up
    transparency   laid over white: (value * alpha + 255 * (255 - alpha) + 127) // 255
    CMYK           Pillow's conversion; colour profiles are not applied
    resize         Pillow's bilinear filter, widened when shrinking, in its fixed-point arithmetic, one axis at a time
Damaged and truncated files are refused, and so is a picture with more pixels than the cap, before it is decoded.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import read_capped
from dltk.edge.signature import Op

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "ImageSource",
    "as_png_grid",
    "decode_image",
    "picture_size",
    "resize_image",
    "to_grey",
]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF")  # Pillow tries these decoders and no other
MAX_PIXELS = 50_000_000

ImageSource = str | Path | bytes | NDArray[np.uint8]

_ORIENTATION_TAG = 0x0112
_BYTES_A_PIXEL = 8  # 16-bit RGBA without compression: no picture needs more
_HEADER_BYTES = 64_000_000  # room for metadata in a file
_LARGEST_FILE = MAX_PIXELS * _BYTES_A_PIXEL + _HEADER_BYTES
_STRIP_PIXELS = 1_000_000


def decode_image(source: ImageSource, *, max_pixels: int = MAX_PIXELS, where: str | None = None) -> NDArray[np.uint8]:
    """The whole picture as uint8 RGB (H, W, 3), turned upright; the rules stand at the top of this module.

    Raises:
        InputError: if `source` is no allowed picture, damaged, or has more than `max_pixels` pixels.
        EnvironmentFault: if Pillow is missing.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source, max_pixels, where or "image array")
    if isinstance(source, bytes):
        return _decode(source, max_pixels, where or "image bytes")
    # A link that a user names is followed; what it leads to must still be a regular file.
    data = read_capped(Path(os.path.realpath(source)), max_pixels * _BYTES_A_PIXEL + _HEADER_BYTES)
    return _decode(data, max_pixels, where or str(source))


def picture_size(path: str | Path) -> tuple[int, int]:
    """Height and width of the picture in a file, turned upright, by its header alone.

    Raises:
        InputError: if it is no allowed picture.
        EnvironmentFault: if Pillow is missing.
    """
    data = read_capped(Path(os.path.realpath(path)), _LARGEST_FILE)
    try:
        with _pillow().open(io.BytesIO(data), formats=FORMATS) as image:
            turned = _orientation(image) in (5, 6, 7, 8)
            return (image.width, image.height) if turned else (image.height, image.width)
    except DltkError:
        raise
    except Exception as fault:  # decoders of damaged files raise many kinds
        raise InputError(path, "must be an undamaged picture", str(fault) or type(fault).__name__) from fault


def resize_image(image: NDArray[np.uint8], op: Op, *, nearest: bool = False) -> NDArray[np.uint8]:
    """`image` (H, W, 3) or (H, W) at the op's height and width; class numbers ask for the `nearest` pixel's value.

    fit "stretch" ignores the proportions, "crop" cuts the middle out first, "pad" puts black around, "keep" does so
    without making a small picture larger.

    Raises:
        InputError: if the op asks for something unknown.
    """
    height, width = (_size(op, key) for key in ("height", "width"))
    fit, method = op.get("fit", "stretch"), op.get("method", "bilinear")
    if method != "bilinear" or fit not in ("stretch", "crop", "pad", "keep"):
        raise InputError("preprocess: resize", "must be bilinear with fit stretch, crop, pad or keep", dict(op))
    if image.shape[:2] == (height, width):
        return image
    rows, columns = image.shape[:2]
    if fit == "crop":
        tall, wide = _inside(height, width, rows, columns)
        top, left = (rows - tall) // 2, (columns - wide) // 2
        return _pillow_resize(image[top : top + tall, left : left + wide], height, width, nearest)
    if fit == "stretch":
        return _pillow_resize(image, height, width, nearest)
    is_small = fit == "keep" and rows <= height and columns <= width
    tall, wide = (rows, columns) if is_small else _inside(rows, columns, height, width)
    top, left = (height - tall) // 2, (width - wide) // 2
    canvas = np.zeros((height, width, *image.shape[2:]), np.uint8)
    inner = image if is_small else _pillow_resize(image, tall, wide, nearest)
    canvas[top : top + tall, left : left + wide] = inner
    return canvas


def to_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W, 1) out of RGB (H, W, 3): ITU-R 601-2 luma in 16-bit fixed point, as Pillow has it."""
    red, green, blue = (image[..., channel].astype(np.uint32) for channel in range(3))
    return (((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).astype(np.uint8))[..., None]


def as_png_grid(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """A PNG with uint8 images (H, W, 1 or 3) of one size in a grid, row by row, as near to a square as can be."""
    pillow = _pillow()
    height, width, channels = images[0].shape
    across = math.ceil(math.sqrt(len(images)))
    grid = np.zeros((math.ceil(len(images) / across) * height, across * width, channels), np.uint8)
    for place, image in enumerate(images):
        top, left = place // across * height, place % across * width
        grid[top : top + height, left : left + width] = image
    stream = io.BytesIO()
    pillow.fromarray(grid[..., 0] if channels == 1 else grid).save(stream, "PNG")
    return stream.getvalue()


def _decode(data: bytes, max_pixels: int, where: str) -> NDArray[np.uint8]:
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.width * image.height, max_pixels, where)
            orientation, found = _orientation(image), _rgb(image)
        del image  # its pixels would lie beside those turned upright
        return _upright(found, orientation)
    except (DltkError, MemoryError):
        raise
    except pillow.UnidentifiedImageError as fault:
        formats = "must be a JPEG, PNG, BMP, WebP or GIF"
        raise InputError(where, formats, f"{len(data)} bytes of something else") from fault
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as fault:
        most = min(max_pixels, 2 * (pillow.MAX_IMAGE_PIXELS or max_pixels))  # Pillow's own limit, which it checks first
        raise InputError(where, f"may have at most {most} pixels", str(fault)) from fault
    except Exception as fault:  # decoders of damaged files raise many kinds: OSError, SyntaxError, struct.error ...
        raise InputError(where, "must be an undamaged picture", str(fault) or type(fault).__name__) from fault


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (H, W, 3), strip by strip: what lies between a large picture and its pixels takes no memory to speak of."""
    rows = max(1, _STRIP_PIXELS // image.width)
    if image.height <= rows:
        return _strip_rgb(image)
    found = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        found[top:bottom] = _strip_rgb(image.crop((0, top, image.width, bottom)))
    return found


def _strip_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16-bit grey: "I;16" in new Pillow, "I" in old
        wide = np.asarray(image)
        grey = (np.clip(wide, 0, 0xFFFF) >> 8).astype(np.uint8)
        key = image.info.get("transparency")
        if isinstance(key, int):
            grey[wide == key] = 255
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" in image.info or image.mode in ("LA", "PA", "La", "RGBA", "RGBa"):
        return _over_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = pixels[:, :, 3:].astype(np.uint16)
    mixed = pixels[:, :, :3] * alpha + 255 * (255 - alpha)  # at most 255 * 255: fits 16 bits, and so does + 127
    return ((mixed + np.uint16(127)) // np.uint16(255)).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # damaged metadata around a sound picture
        return 1


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """`image` turned as EXIF 2.32, tag 0x0112, says."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _from_array(array: NDArray[np.uint8], max_pixels: int, where: str) -> NDArray[np.uint8]:
    shaped = array[:, :, None] if array.ndim == 2 else array
    if array.dtype != np.uint8 or shaped.ndim != 3 or shaped.shape[2] not in (1, 3, 4) or 0 in shaped.shape:
        received = f"{array.dtype} {array.shape}"
        raise InputError(where, "must be uint8 (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)", received)
    _check_pixels(shaped.shape[0] * shaped.shape[1], max_pixels, where)
    if shaped.shape[2] == 4:
        return _over_white(shaped)
    return np.repeat(shaped, 3, axis=2) if shaped.shape[2] == 1 else shaped


def _check_pixels(pixels: int, max_pixels: int, where: str) -> None:
    if pixels > max_pixels:
        raise InputError(where, f"may have at most {max_pixels} pixels", pixels, "Shrink it or raise data.max_pixels.")


def _size(op: Op, key: str) -> int:
    value = op.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 8192:
        raise InputError("preprocess: resize", f"{key} must be a whole number of pixels up to 8192", value)
    return value


def _inside(rows: int, columns: int, most_rows: int, most_columns: int) -> tuple[int, int]:
    """The largest size with the proportions rows : columns that fits the frame, in whole numbers, at least 1."""
    if rows * most_columns >= columns * most_rows:
        return most_rows, max(1, (2 * columns * most_rows + rows) // (2 * rows))
    return max(1, (2 * rows * most_columns + columns) // (2 * columns)), most_columns


def _pillow_resize(image: NDArray[np.uint8], height: int, width: int, nearest: bool) -> NDArray[np.uint8]:
    pillow = _pillow()
    method = pillow.Resampling.NEAREST if nearest else pillow.Resampling.BILINEAR
    rows, columns = image.shape[:2]
    # One axis at a time, the one first that leaves fewer pixels. In one call the order is Pillow's own choice, which
    # version 13 makes otherwise than those before it, and the rounding between the two axes shows.
    first = (width, rows) if rows * width <= height * columns else (columns, height)
    opened = pillow.fromarray(np.ascontiguousarray(image))
    return np.asarray(opened.resize(first, method).resize((width, height), method))


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as fault:
        raise EnvironmentFault("Pillow", "is needed to read pictures", hint="Run: pip install pillow") from fault
    return Image
'''

MODULES["dltk.edge.preprocess"] = r'''
"""From what a user gives to what a model takes: the same code runs in training and on the device.

A sample goes two steps. `read_image` runs the ops "decode" and "resize" and gives the raw sample, uint8 (H, W, 3) or of
one channel, that training caches. `apply_ops` runs the ops after them on a batch of raw samples and gives float32
tensors. How pictures become pixels stands in `dltk.edge.pictures`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.edge import sound
from dltk.edge.pictures import MAX_PIXELS, ImageSource, decode_image, resize_image, to_grey
from dltk.edge.signature import Op

__all__ = [
    "MAX_PIXELS",
    "apply_ops",
    "channels_of",
    "decode_image",
    "from_units",
    "image_ops",
    "in_units",
    "read_image",
    "resize_image",
]

_LARGEST_EXPONENT = 88.0  # float32 ends a little above e^88
_READING_OPS = ("decode", "resize", "window", "columns", "sound")  # they made the raw sample


def image_ops(
    height: int, width: int, *, fit: str = "stretch", max_pixels: int = MAX_PIXELS, channels: int = 3
) -> tuple[Op, Op]:
    """The ops "decode" and "resize" that lead the preprocessing of a model that takes images of `height` x `width`.

    Args:
        channels: 3, or 1 for grey ("L", as Pillow calls it).
    """
    return (
        {"op": "decode", "mode": "RGB" if channels == 3 else "L", "max_pixels": max_pixels},
        {"op": "resize", "height": height, "width": width, "method": "bilinear", "fit": fit},
    )


def read_image(source: ImageSource, ops: Sequence[Op], *, where: str | None = None) -> NDArray[np.uint8]:
    """One raw sample, uint8 (H, W, 3), or (H, W, 1) in mode "L", by the ops "decode" and "resize" among `ops`.

    Args:
        source: path, the bytes of a file, or a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        where: how messages call `source`; its path when left out.

    Raises:
        InputError: if it is no such picture, damaged, or has too many pixels.
        EnvironmentFault: if Pillow is needed and missing.
    """
    limit = next((op.get("max_pixels", MAX_PIXELS) for op in ops if op["op"] == "decode"), MAX_PIXELS)
    image = decode_image(source, max_pixels=limit, where=where)
    for op in ops:
        if op["op"] == "resize":
            image = resize_image(image, op)
    return image if channels_of(ops) == 3 else to_grey(image)


def channels_of(ops: Sequence[Op]) -> int:
    """How many channels raw samples have by the op "decode": 3 in mode RGB, 1 in mode L.

    Raises:
        InputError: on another mode.
    """
    mode = next((op.get("mode", "RGB") for op in ops if op["op"] == "decode"), "RGB")
    if mode not in ("RGB", "L"):
        raise InputError("preprocess: decode", "mode must be RGB or L", mode)
    return 3 if mode == "RGB" else 1


def apply_ops(raws: NDArray[Any], ops: Sequence[Op]) -> NDArray[np.float32]:
    """Tensors, float32 (n, ...), of a batch of raw samples (n, ...), by every op that does not read files.

    Raises:
        InputError: on an op that this version does not know, or numbers that do not fit the samples.
    """
    batch: NDArray[Any] = raws
    for op in ops:
        name = op["op"]
        if name in _READING_OPS:
            continue
        if name not in _BATCH_OPS:
            raise InputError(f"preprocess: {name}", "is not known to this version", hint=did_you_mean(name, _BATCH_OPS))
        try:
            batch = _BATCH_OPS[name](batch, op)
        except (KeyError, TypeError, ValueError) as fault:
            raise InputError(f"preprocess: {name}", f"must fit samples of shape {raws.shape[1:]}", dict(op)) from fault
    return np.ascontiguousarray(batch, dtype=np.float32)


def in_units(values: NDArray[Any], ops: Sequence[Op]) -> NDArray[np.float64]:
    """What a model of numbers gives, in the unit of the data: by the ops "unstandardize" and "exp" after the model."""
    found = np.asarray(values, np.float64)
    for op in ops:
        if op["op"] == "unstandardize":
            found = found * np.asarray(op["std"], np.float64) + np.asarray(op["mean"], np.float64)
        elif op["op"] == "exp":
            found = np.exp(np.minimum(found, _LARGEST_EXPONENT))
    return found


def from_units(values: NDArray[Any], ops: Sequence[Op]) -> NDArray[np.float64]:
    """The other way round: what a model whose answers go through `ops` should have given for `values`."""
    found = np.asarray(values, np.float64)
    for op in reversed(ops):
        if op["op"] == "unstandardize":
            found = (found - np.asarray(op["mean"], np.float64)) / np.asarray(op["std"], np.float64)
        elif op["op"] == "exp":
            found = np.log(found)
    return found


def _scale(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = np.multiply(batch, np.asarray(op["multiply"], np.float32), dtype=np.float32)
    scaled += np.asarray(op["add"], np.float32)
    return scaled


def _reverse_channels(batch: NDArray[Any], op: Op) -> NDArray[Any]:
    return batch[..., ::-1]


def _standardize(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    centred: NDArray[np.float32] = np.subtract(batch, np.asarray(op["mean"], np.float32), dtype=np.float32)
    centred /= np.asarray(op["std"], np.float32)
    return centred


def _log(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    # In float64 first: machines differ in the last bit of a logarithm, and rounding hides it.
    return np.log(np.asarray(batch, np.float64)).astype(np.float32)


def _clip(batch: NDArray[Any], op: Op) -> NDArray[Any]:
    return np.clip(batch, np.float32(op["low"]), np.float32(op["high"]))


def _normal(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """A standard normal sample a seed number: NumPy's Philox, which gives the same numbers on every machine."""
    shape = tuple(int(size) for size in op["shape"])
    samples = np.empty((len(batch), *shape), np.float32)
    for index, seed in enumerate(np.asarray(batch, np.int64).reshape(len(batch))):
        samples[index] = np.random.Generator(np.random.Philox(int(seed))).standard_normal(shape, np.float32)
    return samples


_BATCH_OPS: dict[str, Callable[[NDArray[Any], Op], NDArray[Any]]] = {
    "scale": _scale,
    "reverse_channels": _reverse_channels,
    "standardize": _standardize,
    "log": _log,
    "clip": _clip,
    "normal": _normal,
    "peak": sound.peak,
    "log_mel": sound.log_mel,
}
'''

MODULES["dltk.edge.replay"] = r'''
"""Prove that a bundle still does what it did when it was sealed: golden samples through every artifact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError, LimitError, UsageError
from dltk.edge.arrays import parse_npz
from dltk.edge.families import Labelled, family
from dltk.edge.integrity import Sealed, read_bundle
from dltk.edge.load import open_artifact
from dltk.edge.manifest import Artifact
from dltk.edge.parity import compare, in_words, misfits
from dltk.edge.runtimes import RUNTIMES, available, remedy
from dltk.edge.scoring import score
from dltk.edge.seal import Key
from dltk.edge.signature import Signature

__all__ = ["GOLDEN", "Golden", "as_text", "golden", "replay"]

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Golden:
    """A few samples with the answers the float32 reference gave to them.

    Attributes:
        raws: (n, ...).
        tensors: input name -> (n, ...), what the raw samples became on the workstation.
        outputs: output name -> float32 (n, ...), the reference's.
    """

    raws: NDArray[Any]
    tensors: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]]


def golden(data: bytes, signature: Signature, where: object = GOLDEN) -> Golden:
    """The golden samples in the bytes of `golden.npz`: keys "raw", "tensor:NAME", "output:NAME", maybe "target".

    Raises:
        InputError: if a key is missing or the arrays differ in length.
    """
    inputs, outputs = ([spec.name for spec in specs] for specs in (signature.inputs, signature.outputs))
    keys = ["raw", *(f"tensor:{name}" for name in inputs), *(f"output:{name}" for name in outputs)]
    found = parse_npz(data, where, keys)
    lengths = {key: len(array) if array.ndim else 0 for key, array in found.items()}
    if len(set(lengths.values())) != 1 or not lengths["raw"]:
        raise InputError(where, "every array must hold the same samples, at least one", lengths)
    return Golden(
        found["raw"],
        {name: found[f"tensor:{name}"] for name in inputs},
        {name: found[f"output:{name}"] for name in outputs},
    )


def replay(
    path: str | Path,
    *,
    runtime: str | None = None,
    data: str | Path | None = None,
    verify: Key | None = None,
    isolated: bool = False,
) -> dict[str, Any]:
    """Check every file of the bundle, run its golden samples, and compare with what is recorded.

    Args:
        runtime: only artifacts of this format; None: all that a runtime is installed for.
        data: labelled data to score the artifacts on: a folder a class, a CSV of path,label, or of measurements.
        verify: public key that the bundle must be signed with, as for `load`.
        isolated: run the golden samples in a child process an artifact, as `dltk validate` does: a file that crashes
            its runtime, or never ends, is then one that failed. It costs the start of a Python an artifact.

    Returns:
        {"bundle", "files", "samples", "tensors_equal", "passed", "artifacts": [{"file", "format", "precision",
        "status" ("passed", "failed", "skipped"), "parity", "reasons", "metric"}], "data": None, or {"samples",
        "skipped": [{"name", "reason"}], "notes"}}.

    Raises:
        InputError: if the bundle is damaged, or not signed by the key that is asked for.
        LimitError: if anything differs; `measured` holds all of the above.
        EnvironmentFault: if no artifact could be run, or `isolated` and no child process can be started.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise UsageError("runtime", f"must be one of {', '.join(RUNTIMES)}", runtime)
    sealed = read_bundle(path, verify=verify)
    signature = sealed.signature
    _check_labels(sealed)
    samples = golden(_file(sealed, GOLDEN), signature, sealed.path / GOLDEN)
    scored = None if data is None else family(signature.family).labelled(data, signature)
    artifacts = [
        _replay_one(artifact, sealed.files[artifact.file], samples, signature, runtime, scored, isolated)
        for artifact in sealed.manifest.artifacts
    ]
    if all(found["status"] == "skipped" for found in artifacts):
        raise EnvironmentFault(sealed.path, "no artifact has a runtime here", runtime, remedy())
    equal = _tensors_equal(samples, signature)
    report = {
        "bundle": sealed.manifest.name,
        "files": len(sealed.files),
        "samples": len(samples.raws),
        "tensors_equal": equal,
        "passed": equal and not any(found["status"] == "failed" for found in artifacts),
        "artifacts": artifacts,
        "data": None if scored is None else scored.as_dict(),
    }
    if not report["passed"]:
        raise LimitError(sealed.path, "must give the answers it was sealed with", _first_fault(report), measured=report)
    return report


def as_text(report: Mapping[str, Any]) -> str:
    """What `replay` returned or measured, as lines for a person."""
    equal = "equal to the bit" if report["tensors_equal"] else "DIFFERENT"
    lines = [f"{report['bundle']}: {report['files']} files sound, {report['samples']} golden samples, tensors {equal}"]
    for artifact in report["artifacts"]:
        words = [f"  {artifact['status']:<8} {artifact['file']}"]
        if artifact["parity"]:
            words.append(in_words(artifact["parity"]))
        if artifact["metric"]:
            words.append("{name} {value:.4f} on {samples} samples".format(**artifact["metric"]))
        lines.append("  ".join(words + artifact["reasons"]))
    lines += report["data"]["notes"] if report["data"] else []
    return "\n".join(lines)


def _replay_one(
    artifact: Artifact,
    data: bytes,
    samples: Golden,
    signature: Signature,
    runtime: str | None,
    scored: Labelled | None,
    isolated: bool,
) -> dict[str, Any]:
    report = {"file": artifact.file, "format": artifact.format, "precision": artifact.precision}
    if artifact.format not in available() or runtime not in (None, artifact.format):
        reason = "left out by --runtime" if artifact.format in available() else "no runtime for it is installed"
        return report | {"status": "skipped", "parity": None, "reasons": [reason], "metric": None}
    try:
        outputs = (_outputs_apart if isolated else _outputs)(artifact, data, samples, signature)
    except (InputError, LimitError) as fault:  # sound bytes that fail in this machine's runtime: the others may do
        return report | {"status": "failed", "parity": None, "reasons": [str(fault)], "metric": None}
    reasons, parity = misfits(samples.outputs, outputs, signature), None
    if not reasons:
        parity = compare(samples.outputs, outputs, signature, **_limits(artifact))
        if not parity.pop("passed"):
            reasons = [in_words(parity)]
    metric = None if scored is None else score(open_artifact(artifact, data, signature), signature, scored)
    return report | {
        "status": "failed" if reasons else "passed",
        "parity": parity,
        "reasons": reasons,
        "metric": metric,
    }


def _outputs(artifact: Artifact, data: bytes, samples: Golden, signature: Signature) -> Mapping[str, NDArray[Any]]:
    return open_artifact(artifact, data, signature).run(samples.tensors)


def _outputs_apart(
    artifact: Artifact, data: bytes, samples: Golden, signature: Signature
) -> Mapping[str, NDArray[Any]]:
    """Of the raw samples: `_tensors_equal` says whether they become the stored tensors."""
    from dltk.edge.worker import run_worker

    try:
        return run_worker(data, artifact.format, signature, samples.raws).outputs
    except (InputError, LimitError) as fault:
        hint = fault.hint or f"It is known to load in {artifact.minimum_runtime}."
        raise type(fault)(artifact.file, fault.rule, fault.received, hint) from fault


def _limits(artifact: Artifact) -> dict[str, Any]:
    recorded = artifact.parity
    try:
        limits = {"measure": str(recorded["measure"]), "tolerance": float(recorded["tolerance"])}
    except (KeyError, TypeError, ValueError, OverflowError) as fault:
        raise InputError(f"{artifact.file}: parity", "needs a measure and a tolerance", dict(recorded)) from fault
    if recorded.get("top1_tolerance") is not None:
        limits["top1_tolerance"] = float(recorded["top1_tolerance"])
    return limits


def _tensors_equal(samples: Golden, signature: Signature) -> bool:
    """To the bit: preprocessing is the same code with the same arithmetic on every machine."""
    made = family(signature.family).tensors(samples.raws, signature)
    return set(made) == set(samples.tensors) and all(
        made[name].dtype == stored.dtype and made[name].tobytes() == np.ascontiguousarray(stored).tobytes()
        for name, stored in samples.tensors.items()
    )


def _file(sealed: Sealed, name: str) -> bytes:
    if name not in sealed.files:
        raise InputError(sealed.path, f"must hold {name}", hint="Export the bundle again.")
    return sealed.files[name]


def _check_labels(sealed: Sealed) -> None:
    labels = sealed.manifest.signature.labels
    if "labels.txt" in sealed.files and sealed.files["labels.txt"] != "".join(f"{x}\n" for x in labels).encode():
        raise InputError(sealed.path / "labels.txt", "must hold the manifest's labels, one a line")


def _first_fault(report: Mapping[str, Any]) -> str:
    if not report["tensors_equal"]:
        return "input tensors that differ from the stored ones"
    found = next(artifact for artifact in report["artifacts"] if artifact["status"] == "failed")
    return f"{found['file']}: {found['reasons'][0]}"
'''

MODULES["dltk.edge.runtimes"] = r'''
"""One face for the runtimes: a model's bytes in, float32 tensors in and out, whatever the file holds inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError

__all__ = ["RUNTIMES", "Port", "Refused", "Session", "available", "open_session", "remedy", "stack", "to_port"]

RUNTIMES = {  # format -> modules that run it, in order of preference
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "onnx": ("onnxruntime",),
}

# First version built for NumPy 2; None: there is none. On NumPy 2 an older one fails, up to a segmentation fault.
_FOR_NUMPY_2 = {"ai_edge_litert": (1, 1), "onnxruntime": (1, 19), "tflite_runtime": None}
# Its interpreter raises AttributeError as soon as a number of threads is given, whatever the model and NumPy.
_BROKEN = {"ai_edge_litert": "1.1.0"}


@dataclass(frozen=True)
class Port:
    """One input or output as it stands in the file.

    Attributes:
        name: the signature's.
        dtype: NumPy's name; "int8" where the file takes or gives quantized numbers.
        shape: batch first, as None.
        scale, zero_point: real = scale * (stored - zero_point); None where the file holds plain numbers.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    scale: float | None = None
    zero_point: int = 0


class Session(Protocol):
    """A model that is ready to run. Safe to use from several threads at once."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch of any size n >= 1; quantized ports are converted here, so callers see float32.

        Raises:
            InputError: if names or shapes do not fit, or the model fails while it runs.
        """

    def operators(self) -> dict[str, int]:
        """Operator name -> how often it stands in the main graph of the file."""

    def float_operators(self) -> dict[str, int]:
        """Those that give float32 when run, conversions to and from integers aside: the part that is not integer."""

    def delegated_share(self) -> float | None:
        """Share of the file's operators that a delegate took (XNNPACK), or None where the runtime has none."""


class Refused:
    """Turns whatever a runtime throws over a damaged file (of no common class) into InputError."""

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, Exception) and not isinstance(fault, InputError):
            raise InputError("model", self._rule, str(fault)) from fault


def available() -> tuple[str, ...]:
    """The formats that a runtime is installed for. Nothing is imported."""
    return tuple(form for form, modules in RUNTIMES.items() if any(find_spec(module) for module in modules))


def remedy(formats: Collection[str] = RUNTIMES) -> str:
    """What to do where none of `formats` has a runtime; it helps with dltk and without."""
    names = [RUNTIMES[form][0].replace("_", "-") for form in RUNTIMES if form in formats]
    return f"Install one: {' or '.join(f'pip install {name}' for name in names)}."


def open_session(format: str, data: bytes, *, threads: int = 1) -> Session:
    """A session over the bytes of a "tflite" or "onnx" model, on the CPU with `threads` threads.

    Raises:
        EnvironmentFault: if the runtime is not installed, is broken, or was built for NumPy 1 and NumPy 2 is here.
        InputError: if the bytes are no model that it can load.
    """
    if format not in RUNTIMES:
        raise InputError(f"format {format!r}", f"must be one of {', '.join(RUNTIMES)}")
    if format not in available():
        raise EnvironmentFault(
            f"{format} models",
            f"need {' or '.join(RUNTIMES[format])}",
            hint=remedy([format]),
        )
    _require_usable(next(module for module in RUNTIMES[format] if find_spec(module)))
    if format == "tflite":
        from dltk.edge.tflite import TfliteSession

        return TfliteSession(data, threads=threads)
    from dltk.edge.onnx import OnnxSession

    return OnnxSession(data, threads=threads)


def _require_usable(module: str) -> None:
    name = module.replace("_", "-")
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:  # built from source, under another name: nothing is known about it
        return
    if found == _BROKEN.get(module):
        raise EnvironmentFault(
            f"{name} {found}", "fails when it is told how many threads to use", hint=f"Run `pip install -U {name}`."
        )
    if int(np.__version__.partition(".")[0]) < 2:
        return
    first = _FOR_NUMPY_2[module]
    if first is None or tuple(int(part) for part in found.split(".")[:3] if part.isdigit()) < first:
        newer = f" or `pip install -U {name}`" if first else ""
        raise EnvironmentFault(
            f"{name} {found}", "needs NumPy 1", f"NumPy {np.__version__}", f"Run `pip install 'numpy<2'`{newer}."
        )


def to_port(tensors: Mapping[str, NDArray[Any]], port: Port) -> NDArray[Any]:
    """The tensor for `port` out of `tensors`, checked, and quantized where the file wants that.

    Rounds halves to even; clips to the stored type's range.
    """
    if port.name not in tensors:
        raise InputError(f"input {port.name!r}", "must be given", sorted(tensors))
    found = np.asarray(tensors[port.name])
    fits = found.ndim == len(port.shape) and all(
        size in (None, there) for size, there in zip(port.shape, found.shape, strict=True)
    )
    if not fits or not len(found):
        raise InputError(f"input {port.name!r}", f"must have shape {_words(port.shape)}", found.shape)
    if port.scale is None:
        return np.ascontiguousarray(found, dtype=port.dtype)
    limits = np.iinfo(port.dtype)
    steps = np.rint(found / np.float32(port.scale)) + port.zero_point
    return np.ascontiguousarray(np.clip(steps, limits.min, limits.max).astype(port.dtype))


def from_port(stored: NDArray[Any], port: Port) -> NDArray[Any]:
    """What the model gave at `port`, as real numbers."""
    if port.scale is None:
        return stored
    return ((stored.astype(np.int32) - port.zero_point) * np.float32(port.scale)).astype(np.float32)


def stack(batches: list[list[NDArray[Any]]], ports: tuple[Port, ...]) -> dict[str, NDArray[Any]]:
    """Outputs of consecutive batches, in the order of `ports`, joined and made real."""
    columns = zip(*batches, strict=True)
    return {port.name: from_port(np.concatenate(column), port) for port, column in zip(ports, columns, strict=True)}


def _words(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('batch' if size is None else str(size) for size in shape)})"
'''

MODULES["dltk.edge.scoring"] = r'''
"""Score a model on a user's own labelled data."""

from __future__ import annotations

from typing import Any

import numpy as np

from dltk.edge.families import Labelled, family
from dltk.edge.runtimes import Session
from dltk.edge.signature import Signature

__all__ = ["score"]

_CHUNK = 64  # samples whose tensors are held at a time


def score(session: Session, signature: Signature, samples: Labelled) -> dict[str, Any]:
    """{"name", "value", "samples"} of the family's first metric."""
    raws, targets = samples.raws, samples.targets
    kind, scores = family(signature.family), []
    for start in range(0, len(raws), _CHUNK):
        piece = slice(start, start + _CHUNK)
        tensors = kind.tensors(raws[piece], signature)
        outputs = {**tensors, **session.run(tensors)}
        scores.append(kind.metrics[0].scores(outputs, targets[piece], signature))
    return {"name": kind.metrics[0].name, "value": float(np.concatenate(scores).mean()), "samples": len(raws)}
'''

MODULES["dltk.edge.seal"] = r'''
"""Ed25519 signatures of a manifest: who holds the private key vouches for every file that the manifest lists.

The manifest has a hash of each file, so a signature of its bytes covers them all. The signature is the bare 64 bytes
that `openssl pkeyutl -sign -rawin` writes, too. Keys are PEM files as `openssl genpkey -algorithm ed25519` writes them.
`cryptography` is imported only when a key is used.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Union

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import open_regular

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["SEAL_BYTES", "Key", "check_seal", "private_key", "sign"]

Key = Union[str, Path, bytes]  # path of a PEM file, or its bytes

SEAL_BYTES = 64
_LARGEST_KEY = 10_000  # bytes; an Ed25519 key in PEM has about 120
_MAKE = "Make one: openssl genpkey -algorithm ed25519 -out private.pem"
_PUBLIC = "Take the public half: openssl pkey -in private.pem -pubout -out public.pem"


def private_key(key: Key) -> Ed25519PrivateKey:
    """The private key to sign with.

    Raises:
        InputError: if it is missing, encrypted, no PEM, or of another kind.
        EnvironmentFault: if `cryptography` is not installed.
    """
    serialization, ed25519 = _library()
    where, data = _name(key), _read(key)
    try:
        found = serialization.load_pem_private_key(data, password=None)
    except TypeError as fault:  # what the library says of a key that has a password
        hint = "Decrypt it first: openssl pkey -in KEY -out private.pem"
        raise InputError(where, "must be a private key without a password", "an encrypted one", hint) from fault
    except (ValueError, _unsupported()) as fault:
        raise InputError(where, "must be an Ed25519 private key in PEM form", hint=_MAKE) from fault
    if not isinstance(found, ed25519.Ed25519PrivateKey):
        raise InputError(where, "must be an Ed25519 private key", type(found).__name__, _MAKE)
    return found


def sign(data: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of `data`, 64 bytes: of equal data and key always the same."""
    return bytes(key.sign(data))


def check_seal(data: bytes, seal: bytes, key: Key, where: object) -> None:
    """Raise InputError at `where` unless `seal` is the signature of `data` by the owner of the public `key`.

    Raises:
        InputError: also if the key is missing, no PEM, or of another kind.
        EnvironmentFault: if `cryptography` is not installed.
    """
    public = _public_key(key)
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(seal, data)
    except InvalidSignature as fault:
        rule = f"must be a signature of this manifest by {_name(key)}"
        hint = "Another key signed it, or the bundle was changed: get both again from their owner."
        raise InputError(where, rule, "one that is not", hint) from fault


def _public_key(key: Key) -> Any:
    serialization, ed25519 = _library()
    where, data = _name(key), _read(key)
    if b"PRIVATE KEY" in data:
        raise InputError(where, "must be a public key, which is all that a device needs", "a private one", _PUBLIC)
    try:
        found = serialization.load_pem_public_key(data)
    except (ValueError, _unsupported()) as fault:
        raise InputError(where, "must be an Ed25519 public key in PEM form", hint=_PUBLIC) from fault
    if not isinstance(found, ed25519.Ed25519PublicKey):
        raise InputError(where, "must be an Ed25519 public key", type(found).__name__, _PUBLIC)
    return found


def _name(key: Key) -> str:
    """What to call the key: never what is in it."""
    return "the key" if isinstance(key, bytes) else str(key)


def _read(key: Key) -> bytes:
    if isinstance(key, bytes):
        return key
    with open_regular(Path(key), follow_links=True) as stream:
        return stream.read(_LARGEST_KEY)


def _library() -> tuple[ModuleType, ModuleType]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as fault:
        hint = "Install it: pip install 'dltk[sign]'."
        raise EnvironmentFault("signatures", "need the package cryptography", hint=hint) from fault
    return serialization, ed25519


def _unsupported() -> type[Exception]:
    from cryptography.exceptions import UnsupportedAlgorithm

    return UnsupportedAlgorithm
'''

MODULES["dltk.edge.signature"] = r'''
"""What a model takes and gives, and what happens to a sample before and to an output after."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import sha256

__all__ = ["LONGEST_NAME", "Op", "Signature", "TensorSpec", "require_plain_name"]

LONGEST_NAME = 200  # bytes of UTF-8

Op = Mapping[str, Any]  # {"op": name, setting: JSON value ...}


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a model.

    Attributes:
        name: as the artifact and its user call it.
        dtype: NumPy's name, "float32" or "int32".
        shape: None stands for the batch, always first.
        axes: a name an axis, "batch" first.
        value_range: the lowest and highest value that may occur, or None where it is open.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    axes: tuple[str, ...]
    value_range: tuple[float, float] | None = None

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample, without the batch."""
        return tuple(size for size in self.shape[1:] if size is not None)

    @classmethod
    def from_dict(cls, found: Any, where: str) -> TensorSpec:
        """A spec out of parsed JSON; InputError names the key that does not fit."""
        _require_keys(found, {"name", "dtype", "shape", "axes", "value_range"}, where)
        shape, axes, value_range = found["shape"], found["axes"], found["value_range"]
        if not isinstance(found["name"], str) or found["dtype"] not in ("float32", "int32", "int8", "uint8"):
            raise InputError(where, "needs a name and a dtype", found)
        sizes_fit = isinstance(shape, list) and all(_is_size(size) for size in shape[1:]) and shape[:1] == [None]
        if not sizes_fit or not isinstance(axes, list) or len(axes) != len(shape):
            raise InputError(where, "shape must be null and then positive sizes, with a name an axis", found)
        if value_range is not None and not _is_range(value_range):
            raise InputError(where, "value_range must be null or two numbers", value_range)
        limits = None if value_range is None else (float(value_range[0]), float(value_range[1]))
        return cls(found["name"], found["dtype"], tuple(shape), tuple(map(str, axes)), limits)


@dataclass(frozen=True)
class Signature:
    """The device's view of a model: everything but its weights.

    Attributes:
        task, family: names; `dltk.edge.families` holds the family.
        inputs, outputs: in the order of the model.
        preprocess: raw sample -> input tensors, in order.
        postprocess: output tensors -> answers, in order.
        labels: one a class, or empty.
        assets: file name -> bytes of what the steps read beside the model, such as a tokenizer. A step that reads one
            names it as "file" and gives its hash as "sha256". They travel as files, not in `as_dict`.
    """

    task: str
    family: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    preprocess: tuple[Op, ...] = ()
    postprocess: tuple[Op, ...] = ()
    labels: tuple[str, ...] = ()
    assets: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: all but the assets."""
        found = asdict(replace(self, assets={}))
        del found["assets"]
        return found

    @property
    def asset_names(self) -> tuple[str, ...]:
        """Names of the files that the steps read."""
        named = (op["file"] for op in (*self.preprocess, *self.postprocess) if "file" in op)
        return tuple(dict.fromkeys(named))

    def with_assets(self, read: Callable[[str], bytes]) -> Signature:
        """The same signature with the assets it names, each as `read(name)` gives it.

        Raises:
            InputError: if the bytes are not those a step was made with.
        """
        found = {name: read(name) for name in self.asset_names}
        for op in (*self.preprocess, *self.postprocess):
            if "file" in op and sha256(found[op["file"]]) != op.get("sha256"):
                rule = f"must have SHA-256 {op.get('sha256')}, as step {op['op']!r} says"
                raise InputError(op["file"], rule, sha256(found[op["file"]]))
        return replace(self, assets=found)

    def step(self, name: str) -> Op:
        """The step `name` before the model.

        Raises:
            InputError: if there is none.
        """
        for op in self.preprocess:
            if op["op"] == name:
                return op
        raise InputError("preprocess", f"needs a step {name!r}", [op["op"] for op in self.preprocess])

    def with_postprocess(self, *ops: Op) -> Signature:
        """The same signature with other steps after the model."""
        return replace(self, postprocess=tuple(ops))

    @classmethod
    def from_dict(cls, found: Any, where: str) -> Signature:
        """A signature out of parsed JSON; InputError names the key that does not fit."""
        _require_keys(found, {"task", "family", "inputs", "outputs", "preprocess", "postprocess", "labels"}, where)
        for key in ("inputs", "outputs", "preprocess", "postprocess", "labels"):
            if not isinstance(found[key], list):
                raise InputError(f"{where}: {key}", "must be a list", found[key])
        for key in ("preprocess", "postprocess"):
            for op in found[key]:
                if not isinstance(op, dict) or not isinstance(op.get("op"), str):
                    raise InputError(f"{where}: {key}", 'each step must be {"op": name, ...}', op)
                if "file" in op:
                    require_plain_name(op["file"], f"{where}: {key}: file")
        if not all(isinstance(label, str) for label in found["labels"]):
            raise InputError(f"{where}: labels", "must be texts", found["labels"])
        specs = {
            key: tuple(TensorSpec.from_dict(spec, f"{where}: {key}[{i}]") for i, spec in enumerate(found[key]))
            for key in ("inputs", "outputs")
        }
        return cls(
            str(found["task"]),
            str(found["family"]),
            specs["inputs"],
            specs["outputs"],
            tuple(found["preprocess"]),
            tuple(found["postprocess"]),
            tuple(found["labels"]),
        )


def require_plain_name(name: Any, place: str) -> None:
    """Raise InputError at `place` unless `name` is a file name that every system takes and no path."""
    fits = isinstance(name, str) and 0 < len(name.encode()) <= LONGEST_NAME
    fits = fits and not name.startswith(".") and not set(name) & set('/\\:*?"<>|')
    controls = fits and any(unicodedata.category(letter).startswith("C") for letter in name)
    if not fits or controls or unicodedata.normalize("NFC", name) != name:
        raise InputError(place, "must be a plain file name: no folder, leading dot, control character or denormal text")


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_range(value: object) -> bool:
    """Whether these are two numbers that a float can hold: JSON has whole numbers of any length."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(isinstance(end, (int, float)) and not isinstance(end, bool) and abs(end) < 1e300 for end in value)


def _require_keys(found: Any, keys: set[str], where: str) -> None:
    if not isinstance(found, dict) or set(found) != keys:
        received = sorted(found) if isinstance(found, dict) else found
        raise InputError(where, f"must have exactly the keys {', '.join(sorted(keys))}", received)
'''

MODULES["dltk.edge.sound"] = r'''
"""From a recording to what a model hears: resampled, cut, and as a log-mel spectrogram.

A sample goes two steps, as a picture does. `read_sound` gives the raw sample that training caches, int16 (samples,) at
the model's rate; the ops here turn a batch of those into float32 tensors. All sums are taken in float64 and rounded
once, so that the device computes what training did.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.signature import Op
from dltk.edge.sources.wav import RATES, read_wav

__all__ = ["SoundSource", "frames_of", "log_mel", "peak", "read_sound", "resample", "sound_op"]

SoundSource = str | Path | bytes | NDArray[Any]

_FULL_SCALE = 2.0**15
_ZERO_CROSSINGS = 16  # of the resampling filter, each side, at the lower of the two rates
_PASS = 0.94  # where the filter starts to fall, as a share of the lower rate's half
_CHUNK = 1 << 19  # weights of the filter that are held at a time
_MAX_SAMPLES, _MAX_FFT, _MAX_BANDS = 4_000_000, 1 << 15, 512
_MAX_SPECTRUM = 20_000_000  # numbers in the spectrogram of one recording
_BEYOND = 0.1  # seconds that are read behind what is kept: the filter is shorter at every rate
_SILENCE = 1e-4  # below this peak, 80 dB under full scale, a recording is not made louder


def sound_op(ops: tuple[Op, ...]) -> tuple[int, int]:
    """(rate, samples) of the step "sound" among `ops`.

    Raises:
        InputError: if there is none, or its numbers cannot be.
    """
    for op in ops:
        if op["op"] == "sound":
            rate, count = op.get("rate", 0), op.get("samples", 0)
            if not _whole(rate, *RATES) or not _whole(count, 1, _MAX_SAMPLES):
                raise InputError("preprocess: sound", f"needs a rate and up to {_MAX_SAMPLES} samples", dict(op))
            return int(rate), int(count)
    raise InputError("preprocess", "needs a step 'sound'", [op["op"] for op in ops])


def read_sound(source: SoundSource, ops: tuple[Op, ...], *, where: str | None = None) -> NDArray[np.int16]:
    """One raw sample, int16 (samples,): the start of a recording, zeros behind its end.

    Args:
        source: path or bytes of a WAV file of any rate, or an array (n,) at the model's rate: int16, or floats with
            full scale at -1 and 1.
        where: how messages call `source`.

    Raises:
        InputError: if it cannot be read; see `dltk.edge.sources.wav`.
    """
    rate, count = sound_op(ops)
    if isinstance(source, np.ndarray):
        found = _checked(source, where or "array")
    else:
        sound = read_wav(source, where=where, seconds=count / rate + _BEYOND)
        found = resample(sound.samples, sound.rate, rate, count)
    raw = np.zeros(count, np.int16)
    kept = np.rint(found[:count].astype(np.float64) * _FULL_SCALE)
    raw[: len(kept)] = np.clip(kept, -_FULL_SCALE, _FULL_SCALE - 1)
    return raw


def resample(samples: NDArray[Any], rate: int, wanted: int, most: int) -> NDArray[np.float64]:
    """The first `most` samples at rate `wanted` of `samples` (n,) at `rate`, band-limited.

    A sinc under a Kaiser window (beta 9, about 90 dB), cut off below half of the lower rate: J. O. Smith, "Digital
    audio resampling" (ccrma.stanford.edu/~jos/resample).
    """
    values = np.asarray(samples, np.float64)
    if rate == wanted:
        return values[:most]
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    count = min(most, -(-len(values) * up // down))
    cutoff = _PASS * min(1.0, up / down)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    last = (count - 1) * down // up + half + 1
    padded = np.pad(values[:last], (half - 1, max(0, last - len(values)) + 1))
    windows, found = sliding_window_view(padded, 2 * half), np.empty(count)
    table = _filters(up, cutoff, half) if up * 2 * half <= _CHUNK else None
    step = max(1, _CHUNK // (2 * half))
    for start in range(0, count, step):
        times = np.arange(start, min(start + step, count), dtype=np.int64) * down
        # Rates without a large common divisor have as many places as samples: a table would take 100 MB.
        weights = _weights(times % up / up, cutoff, half) if table is None else table[times % up]
        found[start : start + step] = (windows[times // up] * weights).sum(axis=1)
    return found


@lru_cache(maxsize=8)
def _filters(up: int, cutoff: float, half: int) -> NDArray[np.float64]:
    """(up, 2 * half): the weights for each place between two input samples."""
    return _weights(np.arange(up) / up, cutoff, half)


def _weights(places: NDArray[np.float64], cutoff: float, half: int) -> NDArray[np.float64]:
    """(n, 2 * half): weights of the input samples around output samples that stand at `places` behind one of them."""
    distance = np.arange(1 - half, half + 1) - places[:, None]
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    weights = np.sinc(cutoff * distance) * np.i0(9.0 * np.sqrt(inside))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def peak(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """The op "peak": float32 (n, samples), each recording as loud as full scale allows."""
    values = _floats(batch)
    loudest = np.abs(values).max(axis=1, keepdims=True)
    return np.asarray(values / np.maximum(loudest, _SILENCE), np.float32)


def log_mel(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """The op "log_mel": (n, samples) -> float32 (n, frames, bands, 1), log(floor + energy in each mel band).

    Frames of `frame` samples, `hop` apart, under a periodic Hann window; power of the FFT of length `fft`; `bands`
    triangles that are even on the mel scale 2595 log10(1 + f / 700) between `low` and `high` Hz.
    """
    frame, hop, fft = int(op["frame"]), int(op["hop"]), int(op["fft"])
    frames_of(batch.shape[1], op)
    windows = sliding_window_view(_floats(batch), frame, axis=1)[:, ::hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    bank = _mel(int(op["rate"]), fft, int(op["bands"]), float(op["low"]), float(op["high"]))
    spectrum = np.fft.rfft(windows * hann, n=fft, axis=2)
    energy = (spectrum.real**2 + spectrum.imag**2) @ bank / (hann**2).sum()
    return np.log(energy + float(op["floor"])).astype(np.float32)[..., None]


def frames_of(samples: int, op: Op) -> int:
    """How many frames "log_mel" makes of `samples`.

    Raises:
        ValueError: if its numbers cannot be.
    """
    frame, hop, fft, bands = (op[name] for name in ("frame", "hop", "fft", "bands"))
    fits = _whole(fft, 2, _MAX_FFT) and _whole(frame, 1, min(fft, samples)) and _whole(hop, 1, samples)
    fits = fits and _whole(bands, 1, _MAX_BANDS) and 0 <= op["low"] < op["high"] <= op["rate"] / 2 and op["floor"] > 0
    if not fits:
        raise ValueError(f"log_mel cannot be {dict(op)}")
    frames = 1 + (samples - int(frame)) // int(hop)
    if frames * int(fft) > _MAX_SPECTRUM:
        raise ValueError(f"log_mel cannot have {frames} frames of {fft}")
    return frames


@lru_cache(maxsize=8)
def _mel(rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """(fft // 2 + 1, bands): weights of the bins in each band, a sum of 1 a band."""
    start, end = (2595 * math.log10(1 + frequency / 700) for frequency in (low, high))
    edges = 700 * (10 ** (np.linspace(start, end, bands + 2) / 2595) - 1)
    bins = np.arange(fft // 2 + 1)[:, None] * rate / fft
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    weights = np.clip(np.minimum(rising, falling), 0, None)
    # A band narrower than a bin may hold none: it takes the nearest one.
    nearest = np.rint(edges[1:-1] * fft / rate).astype(np.int64)
    empty = np.flatnonzero(weights.sum(axis=0) <= 0)
    weights[nearest[empty], empty] = 1.0
    return np.asarray(weights / weights.sum(axis=0))


def _checked(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Floats (n,), full scale at 1, of an array that a user gave."""
    if values.ndim != 1 or not len(values) or not (values.dtype == np.int16 or values.dtype.kind == "f"):
        raise InputError(where, "must be int16 or floats (samples,), at least one", f"{values.dtype} {values.shape}")
    found = _floats(values)
    if not np.isfinite(found).all():
        raise InputError(where, "must hold finite samples", "NaN or infinity")
    return found


def _floats(values: NDArray[Any]) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    return found / _FULL_SCALE if values.dtype == np.int16 else found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
'''

MODULES["dltk.edge.sources"] = r'''
"""Readers of what people keep data in: folders of files, CSV tables, WAV, npz archives. They know nothing of models."""

from __future__ import annotations

from dltk.edge.sources.arrays import ImageArrays, read_array, read_arrays, read_image_arrays
from dltk.edge.sources.kinds import PICTURES, SOUNDS, FileKind
from dltk.edge.sources.labels import check_labels
from dltk.edge.sources.listing import Listing, list_files
from dltk.edge.sources.table import Table, read_table
from dltk.edge.sources.times import Step, require_regular, step_of
from dltk.edge.sources.wav import Sound, read_wav

__all__ = [
    "PICTURES",
    "SOUNDS",
    "FileKind",
    "ImageArrays",
    "Listing",
    "Step",
    "Sound",
    "Table",
    "check_labels",
    "list_files",
    "read_array",
    "read_arrays",
    "read_image_arrays",
    "read_table",
    "require_regular",
    "step_of",
    "read_wav",
]
'''

MODULES["dltk.edge.sources.arrays"] = r'''
"""Reads npz archives and npy files without pickles, and without believing what their headers claim."""

from __future__ import annotations

import os
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.archives import ARCHIVE_FAULTS, require_modest_archive
from dltk.base.errors import InputError
from dltk.base.files import open_regular
from dltk.edge.sources.labels import check_labels

__all__ = ["ImageArrays", "read_array", "read_arrays", "read_image_arrays"]

_MAX_BYTES = 16_000_000_000
_MAX_CLASSES = 100_000
_SUFFIX_SPLITS = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class ImageArrays:
    """Images held in memory, with their labels.

    Attributes:
        images: split ("train", "validation", "test", or None where there is no split) -> uint8 (n, H, W[, channels]).
        targets: the same keys -> int64 (n,), or float32 (n, labels) of 0 and 1 for several labels a sample.
        labels: one a class.
    """

    images: Mapping[str | None, NDArray[np.uint8]]
    targets: Mapping[str | None, NDArray[Any]]
    labels: tuple[str, ...]


def read_arrays(path: str | Path, *, limit: int = _MAX_BYTES) -> dict[str, NDArray[Any]]:
    """Every array of the npz archive at `path`.

    Raises:
        InputError: naming the key, on objects (pickles), numbers that are not finite, a header that does not fit its
            data, a damaged archive, or more than `limit` bytes once unpacked.
    """
    with open_regular(Path(path), follow_links=True) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                require_modest_archive(archive, path, packed=os.fstat(stream.fileno()).st_size, limit=limit)
                return {_key(entry): _array(archive, entry, path) for entry in archive.infolist()}
        except ARCHIVE_FAULTS as fault:
            raise InputError(path, "must be an undamaged npz archive", str(fault)) from fault


def read_array(path: str | Path, *, limit: int = _MAX_BYTES) -> NDArray[Any]:
    """The array in the .npy file at `path`.

    Raises:
        InputError: on objects (pickles), a header that does not fit its data, or more than `limit` bytes.
    """
    with open_regular(Path(path), follow_links=True) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise InputError(path, f"must hold at most {limit} bytes", size)
        return _parsed(stream, size, path)


def read_image_arrays(path: str | Path) -> ImageArrays:
    """Images and labels out of an npz with `x`, `y`, or `x_train`, `y_train` and the same for `test` and `val`.

    Images are uint8 (n, H, W), (n, H, W, 1), (n, H, W, 3) or (n, H, W, 4). Targets are whole numbers from 0 (n,) or
    (n, 1), texts (n,), or 0 and 1 (n, labels). `labels`, texts, names the classes.

    Raises:
        InputError: naming the key that does not fit.
    """
    arrays = read_arrays(path)
    pairs = _pairs(set(arrays), path)
    images = {split: _images(arrays[x], f"{path}: {x}") for split, (x, _) in pairs.items()}
    raw = {split: _flat(arrays[y]) for split, (_, y) in pairs.items()}
    for split, (x, y) in pairs.items():
        if raw[split].ndim == 0 or len(raw[split]) != len(images[split]):
            raise InputError(
                f"{path}: {y}", f"must have one entry an image of {x}: {len(images[split])}", raw[split].shape
            )
    labels = _labels(arrays.get("labels"), raw, path)
    targets = {split: _targets(raw[split], labels, f"{path}: {y}") for split, (_, y) in pairs.items()}
    if len({target.ndim for target in targets.values()}) > 1:
        raise InputError(path, "every y must have the same number of axes", [t.shape for t in targets.values()])
    return ImageArrays(images, targets, labels)


def _key(entry: zipfile.ZipInfo) -> str:
    return entry.filename.removesuffix(".npy")


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str | Path) -> NDArray[Any]:
    where = f"{path}: {_key(entry)}"
    try:
        with archive.open(entry) as stream:
            array = _parsed(stream, entry.file_size, where)
    except RuntimeError as fault:  # an encrypted member
        raise InputError(where, "must be a NumPy array", str(fault)) from fault
    if array.dtype.kind in "fc" and not np.isfinite(array).all():
        raise InputError(where, "must hold finite numbers", "NaN or infinity")
    return array


def _parsed(stream: IO[bytes], size: int, where: object) -> NDArray[Any]:
    try:
        shape, fortran, dtype = _header(stream)
        if dtype.hasobject:
            raise InputError(where, "must not hold Python objects", str(dtype))
        # The header alone decides how much memory NumPy would take: it must agree with the file's own size.
        if size - stream.tell() != int(np.prod(shape, dtype=object)) * dtype.itemsize:
            raise InputError(where, "its header must fit its data", f"{dtype} {shape}")
        return np.frombuffer(stream.read(), dtype).reshape(shape, order="F" if fortran else "C")
    except ARCHIVE_FAULTS as fault:
        raise InputError(where, "must be a NumPy array", str(fault)) from fault


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"unknown npy version {version}")
    shape, fortran, dtype = read[version](stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"negative shape {shape}")
    return shape, fortran, dtype


def _pairs(keys: set[str], path: str | Path) -> dict[str | None, tuple[str, str]]:
    pairs: dict[str | None, tuple[str, str]] = {
        split: (f"x_{suffix}", f"y_{suffix}") for suffix, split in _SUFFIX_SPLITS.items()
    }
    present = {split: pair for split, pair in pairs.items() if keys & set(pair)}
    if not present:
        present = {None: ("x", "y")}
    needed = {key for pair in present.values() for key in pair} | ({"x_train"} if None not in present else set())
    if missing := sorted(needed - keys):
        raise InputError(f"{path}: {missing[0]}", "must be there", f"keys {', '.join(sorted(keys)) or 'none'}")
    if unknown := sorted(keys - needed - {"labels"}):
        raise InputError(f"{path}: {unknown[0]}", "is not a known key", hint="Known: x, y, x_train ... y_test, labels.")
    return present


def _images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3, 4))
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        hint = "Store pixels as whole numbers 0..255."
        raise InputError(where, "must be uint8 (n, H, W[, 1, 3 or 4])", f"{array.dtype} {array.shape}", hint)
    return array


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1) if array.shape[1:] == (1,) else array


def _labels(given: NDArray[Any] | None, raw: Mapping[Any, NDArray[Any]], path: str | Path) -> tuple[str, ...]:
    if given is not None:
        names = [str(name) for name in given.reshape(-1)]
        if given.dtype.kind != "U" or given.ndim != 1 or len(set(names)) != len(names):
            raise InputError(f"{path}: labels", "must be different texts (classes,)", f"{given.dtype} {given.shape}")
        if set(check_labels(names, f"{path}: labels")) != set(names):
            raise InputError(f"{path}: labels", "must be in Unicode form NFC")
        return tuple(names)
    if all(target.dtype.kind == "U" for target in raw.values()):
        return check_labels((str(name) for target in raw.values() for name in target.reshape(-1)), f"{path}: y")
    counts = [_count(target, path) for target in raw.values()]
    return _numbered(max(counts), path)


def _numbered(count: int, path: str | Path) -> tuple[str, ...]:
    """ "0", "1" ... for classes without names."""
    if not 2 <= count <= _MAX_CLASSES:
        raise InputError(f"{path}: y", f"must hold 2 to {_MAX_CLASSES} classes, numbered from 0", count)
    return tuple(str(number) for number in range(count))


def _count(target: NDArray[Any], path: str | Path) -> int:
    if target.ndim == 2:
        return int(target.shape[1])
    if target.dtype.kind not in "iub" or target.ndim != 1:
        raise InputError(
            f"{path}: y", "must be whole numbers (n,) or 0 and 1 (n, labels)", f"{target.dtype} {target.shape}"
        )
    return int(target.max(initial=-1)) + 1


def _targets(raw: NDArray[Any], labels: tuple[str, ...], where: str) -> NDArray[Any]:
    if raw.dtype.kind == "U" and raw.ndim == 1:
        index = {label: number for number, label in enumerate(labels)}
        names = [unicodedata.normalize("NFC", str(name)) for name in raw]
        if unknown := sorted(set(names) - set(labels)):
            raise InputError(where, "must hold names that `labels` has", unknown[0])
        return np.array([index[name] for name in names], np.int64)
    if raw.ndim == 1 and raw.dtype.kind in "iub":
        if raw.min(initial=0) < 0 or raw.max(initial=0) >= len(labels):
            raise InputError(where, f"must lie between 0 and {len(labels) - 1}", f"{raw.min()} to {raw.max()}")
        return raw.astype(np.int64)
    if raw.ndim == 2 and raw.shape[1] == len(labels) and raw.dtype.kind in "iubf" and np.isin(raw, (0, 1)).all():
        return raw.astype(np.float32)
    raise InputError(where, f"must be class numbers (n,) or 0 and 1 (n, {len(labels)})", f"{raw.dtype} {raw.shape}")
'''

MODULES["dltk.edge.sources.kinds"] = r'''
"""Which files of a folder are meant as samples, by what they are called and how they begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PICTURES", "SOUNDS", "FileKind"]


@dataclass(frozen=True)
class FileKind:
    """A kind of file.

    Attributes:
        noun: what messages call one.
        suffixes: in lower case, of the formats that are read and of others: files so called are meant as samples, too.
        beginnings: how the formats that are read begin, for files whose name has no suffix.
    """

    noun: str
    suffixes: Sequence[str]
    beginnings: tuple[bytes, ...]

    @property
    def ignored(self) -> str:
        """Why another file is passed over."""
        return f"ignored, not a {self.noun}"

    def may_be(self, path: Path) -> bool:
        """By its suffix; without one, by how it begins: downloaded files often have none, and neither has a LICENSE."""
        suffix = path.suffix.lower()
        if suffix or not path.is_file():
            return suffix in self.suffixes
        try:
            with path.open("rb") as stream:
                return stream.read(8).startswith(self.beginnings)
        except PermissionError:
            return True  # for the decoder to say so


PICTURES = FileKind(
    "picture",
    (
        ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".gif",
        ".tif", ".tiff", ".heic", ".heif", ".avif", ".jp2", ".j2k", ".jpf", ".jxl", ".ico", ".svg", ".psd", ".xcf",
        ".tga", ".pcx", ".dds", ".exr", ".hdr", ".ppm", ".pgm", ".pbm", ".pnm",
        ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf", ".raw", ".dcm",
    ),
    (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"BM"),
)  # fmt: skip
SOUNDS = FileKind(
    "sound",
    (
        ".wav", ".wave", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".wma", ".aif", ".aiff", ".au",
        ".snd", ".amr", ".caf", ".w64", ".rf64",
    ),
    (b"RIFF",),
)  # fmt: skip
'''

MODULES["dltk.edge.sources.labels"] = r'''
"""What a label may look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dltk.base.errors import InputError

__all__ = ["check_label", "check_labels", "split_name"]

_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
# They turn the direction of text: what is shown is not what is there.
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def split_name(text: str) -> str | None:
    """ "train", "validation" or "test" for any of the usual spellings, in any case; None for another word."""
    return _SPLIT_NAMES.get(text.casefold())


def check_labels(names: Iterable[str], where: object, *, least: int = 2) -> tuple[str, ...]:
    """The distinct labels in Unicode NFC, sorted by code point.

    Raises:
        InputError: if fewer than `least` remain, two differ only in how Unicode writes them, or one is empty, starts or
            ends with a space, holds a control character, or looks like a path.
    """
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        label = check_label(name, where)
        if label in found:
            rule = "labels must differ in more than their Unicode form (NFC)"
            raise InputError(where, rule, f"{found[label]!a} and {name!a}", "Give both the same spelling.")
        found[label] = name
    if len(found) < least:
        only = next(iter(found), None)
        wanted = "two classes" if least > 1 else "one class"
        raise InputError(where, f"needs at least {wanted}", "none" if only is None else f"only {only!r}")
    return tuple(sorted(found))


def check_label(name: str, where: object) -> str:
    """One label in Unicode NFC.

    Raises:
        InputError: naming `where`, if it is empty, starts or ends with a space, holds a control character or one that
            turns the direction of text, or looks like a path.
    """
    label = unicodedata.normalize("NFC", name)
    if not label or label != label.strip():
        raise InputError(where, "a label must not be empty, nor start or end with a space", repr(label))
    if "/" in label or "\\" in label or label in (".", ".."):
        raise InputError(where, "a label must not look like a path", label, "Are path and label the wrong way round?")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS for letter in label):
        raise InputError(where, "a label must not hold control characters or surrogates", ascii(label))
    return label
'''

MODULES["dltk.edge.sources.listing"] = r'''
"""Lists labelled files, from a folder a class or from a CSV; decodes none of them, writes nothing."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.sources.kinds import PICTURES, FileKind
from dltk.edge.sources.labels import check_label, check_labels, split_name
from dltk.edge.sources.table import Table, read_table

__all__ = ["Listing", "inside", "list_files", "side_of"]

_NO_SAMPLES = ("thumbs.db", "desktop.ini")  # what file managers leave behind; hidden files are passed over too
_GROUP = "{group}"  # stands in `group_pattern` for the part that names the group
_MAX_STARS = 4  # more would let a pattern take long on a long name


@dataclass(frozen=True)
class Listing:
    """Files with their labels, sorted by name.

    Attributes:
        names: how messages call each file: its path inside the folder, or as the CSV has it.
        paths: where each file lies.
        classes: the labels of each file as NFC text; one, unless several a sample were asked for.
        labels: all labels, sorted.
        splits: "train", "validation", "test", or None where the source does not say, a file.
        groups: the group of each file; None where none were asked for.
        skipped: (name, reason) of files that lie where no sample can lie, or are of another kind.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...]
    classes: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    splits: tuple[str | None, ...]
    groups: tuple[str, ...] | None = None
    skipped: tuple[tuple[str, str], ...] = ()


def list_files(
    source: str | Path, kind: FileKind = PICTURES, *, group: str | None = None, group_pattern: str | None = None,
    multi_label: bool = False, least_classes: int = 2
) -> Listing:  # fmt: skip
    """The files of `source`: a folder with one subfolder a class (also inside train/ val/ test/), or a CSV.

    In a folder, a file whose suffix is not one of `kind` is passed over and named; so is one without a suffix that does
    not begin like one. With fewer than two `least_classes`, class folders may be empty: a finished model is scored.

    The CSV has columns `path` and `label`, may have `split`, and a column called `group` if that is given. Its relative
    paths start at the CSV's folder and stay inside it; a file elsewhere is named by its absolute path. With
    `multi_label` a cell holds labels separated by `|`, or nothing.

    `group_pattern` takes a file's group from its name without the suffix: `{group}` stands for the group, `*` for
    anything, as little as possible: `*_{group}_*` finds "ann" in `yes_ann_03.wav`.

    Raises:
        InputError: if `source` has another layout, labels that cannot be (see `check_labels`), or a name that
            `group_pattern` does not fit.
    """
    path, names = Path(source), _group_names(group_pattern)
    if group and group_pattern:
        raise InputError("data.group", "must be none where data.group_pattern is given", group)
    if path.is_dir():
        for wish, name in ((group, "data.group"), (multi_label, "data.multi_label")):
            if wish:
                raise InputError(name, "needs a CSV", f"the folder {path}", "Give a CSV with columns path,label.")
        try:
            found = _list_folder(path, kind, least_classes)
        except OSError as fault:
            raise InputError(fault.filename or path, "must be a readable folder", fault.strerror) from fault
    elif not path.exists():
        raise InputError(path, "must exist", hint="Check the path.")
    else:
        found = _list_csv(read_table(path, required=("path", "label")), group, multi_label, least_classes)
    return found if names is None else replace(found, groups=tuple(_group(name, names) for name in found.names))


def _group_names(pattern: str | None) -> re.Pattern[str] | None:
    if not pattern:
        return None
    if pattern.count(_GROUP) != 1 or pattern.count("*") > _MAX_STARS:
        rule = f"must hold {_GROUP} once and at most {_MAX_STARS} *"
        raise InputError("setting data.group_pattern", rule, pattern, "For example *_{group}_* of yes_ann_03.wav.")
    words = (re.escape(word).replace(re.escape("*"), ".*?") for word in pattern.split(_GROUP))
    return re.compile("(.+?)".join(words), re.DOTALL)


def _group(name: str, names: re.Pattern[str]) -> str:
    found = names.fullmatch(Path(name).stem)
    if found is None:
        raise InputError(name, "its name must fit data.group_pattern", hint="Rename it, or change the pattern.")
    return found[1]


def _list_folder(root: Path, kind: FileKind, least_classes: int) -> Listing:
    found: list[tuple[str, Path, str, str | None]] = []  # name, path, class, split
    ignored: list[Path] = []
    for split, folder in _split_folders(root):
        for class_folder in _subfolders(folder):
            files = sorted(_files(class_folder))
            samples = [path for path in files if kind.may_be(path)]
            if not samples and least_classes > 1:
                received = f"no {kind.noun} among its files" if files else "an empty folder"
                raise InputError(class_folder, f"a class needs at least one {kind.noun}", received)
            ignored += sorted(set(files).difference(samples))
            found += [(_shown(path, root), path, class_folder.name, split) for path in samples]
    found.sort(key=lambda entry: entry[0])
    labels = check_labels((entry[2] for entry in found), root, least=least_classes)
    skipped = [(_shown(path, root), "outside every class folder") for path in _loose(root, kind)]
    return Listing(
        tuple(entry[0] for entry in found),
        tuple(entry[1] for entry in found),
        tuple((_nfc(entry[2]),) for entry in found),
        labels,
        tuple(entry[3] for entry in found),
        skipped=(*skipped, *((_shown(path, root), kind.ignored) for path in ignored)),
    )


def _split_folders(root: Path) -> list[tuple[str | None, Path]]:
    """The folders that hold class folders: `root` itself, or its train/ val/ test/."""
    folders = _subfolders(root)
    splits = {folder: split_name(folder.name) for folder in folders}
    nested = [folder for folder, split in splits.items() if split and _subfolders(folder)]
    if not folders or (not nested and all(splits.values())):
        raise InputError(root, "must hold one subfolder a class, or train/ and test/ with such", _shape(root))
    if not nested or not any(splits[folder] == "train" for folder in nested):
        return [(None, root)]
    others = [folder.name for folder in folders if folder not in nested]
    if others:
        raise InputError(root, "must not mix split folders with class folders", ", ".join(others[:5]))
    if len(set(splits.values())) != len(folders):
        raise InputError(root, "must hold each of train/ val/ test/ once", ", ".join(folder.name for folder in folders))
    return [(splits[folder], folder) for folder in folders]


def _subfolders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`; folders behind links inside it are not followed."""

    def stop(fault: OSError) -> None:
        raise fault  # os.walk would leave the folder out in silence

    for base, folders, names in os.walk(folder, onerror=stop):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in names:
            if not name.startswith(".") and name.casefold() not in _NO_SAMPLES:
                yield Path(base, name)


def _loose(root: Path, kind: FileKind) -> list[Path]:
    folders = {root, *(folder for _, folder in _split_folders(root))}
    return sorted(
        entry
        for folder in folders
        for entry in folder.iterdir()
        if entry.suffix.lower() in kind.suffixes and entry.is_file()
    )


def _shape(root: Path) -> str:
    entries = sorted(entry.name + "/" * entry.is_dir() for entry in root.iterdir())
    return ", ".join(entries[:5]) + (" ..." if len(entries) > 5 else "") if entries else "an empty folder"


def _list_csv(table: Table, group: str | None, multi_label: bool, least_classes: int) -> Listing:
    base = table.path.absolute().parent
    names = table.column("path")
    classes = [_classes(cell, multi_label, table.where(row)) for row, cell in enumerate(table.column("label"))]
    order = sorted(range(len(names)), key=lambda row: (names[row], row))
    paths = [inside(base, name, table.where(row)) for row, name in enumerate(names)]
    splits: list[str | None] = [None] * len(names)
    if "split" in table.header:
        splits = [side_of(cell, table.where(row)) for row, cell in enumerate(table.column("split"))]
    groups = table.column(group) if group else None
    return Listing(
        tuple(names[row] for row in order),
        tuple(paths[row] for row in order),
        tuple(tuple(_nfc(name) for name in classes[row]) for row in order),
        check_labels((name for row in classes for name in row), table.path, least=least_classes),
        tuple(splits[row] for row in order),
        None if groups is None else tuple(groups[row] for row in order),
    )


def _classes(cell: str, multi_label: bool, where: str) -> tuple[str, ...]:
    names = (cell,) if not multi_label else tuple(cell.split("|")) if cell else ()
    for name in names:  # here, where the line is known
        check_label(name, where)
    if len(set(names)) != len(names):
        raise InputError(where, "a label must stand once a sample", cell)
    return names


def inside(base: Path, name: str, where: str) -> Path:
    """The file that a CSV in folder `base` calls `name`.

    Raises:
        InputError: naming `where`, if it is empty, or relative and outside `base`.
    """
    if not name.strip():
        raise InputError(where, "path must not be empty")
    path = Path(name)
    if path.is_absolute():
        return path
    if ".." in path.parts and not Path(os.path.normpath(base / path)).is_relative_to(base):
        raise InputError(where, "a relative path must stay in the CSV's folder", name, "Write the absolute path.")
    return base / path


def side_of(cell: str, where: str) -> str:
    """ "train", "validation" or "test" that a cell of the column `split` means; InputError names `where`."""
    split = split_name(cell)
    if split is None:
        raise InputError(where, "split must be train, validation or test", cell)
    return split


def _shown(path: Path, root: Path) -> str:
    """The path inside `root`; bytes that are not UTF-8 escaped, so that it can stand in JSON."""
    return os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")


def _nfc(text: str) -> str:
    """`text` in Unicode NFC."""
    return unicodedata.normalize("NFC", text)
'''

MODULES["dltk.edge.sources.table"] = r'''
"""A strict CSV reader: what Python's csv module passes over in silence is an error here, with its line."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import read_capped

__all__ = ["Table", "read_table"]

_MAX_BYTES = 1_000_000_000  # its cells take several times as much memory
_LARGEST = float(np.finfo(np.float32).max)
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Table:
    """The rows of a CSV file.

    Attributes:
        path: the file, as the user wrote it.
        header: names of the columns, all different.
        rows: the cells of each row, as many as the header has.
        lines: the line each row stands in, counted from 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[str, ...]:
        """The cells of one column.

        Raises:
            InputError: if there is no such column.
        """
        if name not in self.header:
            raise InputError(f"{self.path}, line 1", f"needs a column {name!r}", hint=did_you_mean(name, self.header))
        index = self.header.index(name)
        return tuple(row[index] for row in self.rows)

    def numbers(self, names: Sequence[str]) -> NDArray[np.float32]:
        """float32 (rows, names): the columns `names` as finite numbers.

        Raises:
            InputError: naming the line of the first cell that is none.
        """
        found = np.empty((len(self.rows), len(names)), np.float32)
        for position, name in enumerate(names):
            for row, cell in enumerate(self.column(name)):
                found[row, position] = self._number(cell, row, name)
        return found

    def where(self, row: int) -> str:
        """ "FILE, line N" of a row."""
        return f"{self.path}, line {self.lines[row]}"

    def _number(self, cell: str, row: int, name: str) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not abs(number) <= _LARGEST:
            raise InputError(self.where(row), f"column {name!r} must hold a finite number", cell)
        return number


def read_table(path: str | Path, *, required: Sequence[str] = (), breaks: bool = False) -> Table:
    """The CSV file at `path`: UTF-8, comma-separated, a header line, every row as long as the header.

    Blank lines are passed over. `required` names columns that must be there; `breaks` allows line breaks in cells.

    Raises:
        InputError: naming file and line, on another encoding, a byte order mark, a NUL, another delimiter, a header
            name that is missing or stands twice, a short or long row, a line break in a cell, an unclosed quote.
    """
    text = _text(Path(path))
    records = list(_records(text, path, breaks))
    if not records:
        raise InputError(path, "must have a header line", "an empty file")
    line, header = records[0]
    _check_header(header, required, f"{path}, line {line}")
    for line, row in records[1:]:
        if len(row) != len(header):
            hint = "A cell that holds a comma must stand in double quotes."
            raise InputError(f"{path}, line {line}", f"must have {len(header)} cells", f"{len(row)}", hint)
    if len(records) == 1:
        raise InputError(path, "must have rows below the header", "none")
    rows = tuple(tuple(row) for _, row in records[1:])
    return Table(Path(path), tuple(header), rows, tuple(line for line, _ in records[1:]))


def _text(path: Path) -> str:
    data = read_capped(Path(os.path.realpath(path)), _MAX_BYTES)
    if data.startswith(b"\xef\xbb\xbf"):
        raise InputError(f"{path}, line 1", "must not start with a byte order mark", hint="Save it as plain UTF-8.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        byte = f"byte 0x{data[fault.start]:02x}"
        raise InputError(f"{path}, line {line}", "must be UTF-8", byte, "Save it as UTF-8.") from fault
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}, line {line}", "must not hold a NUL character")
    return text


def _records(text: str, path: str | Path, breaks: bool) -> Iterator[tuple[int, list[str]]]:
    """(line of its start, cells) of every record that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        start = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "must be valid CSV", str(fault), hint) from fault
        if not breaks and any("\n" in cell or "\r" in cell for cell in row):
            hint = "Is a double quote left open?"
            raise InputError(f"{path}, line {start}", "a cell must not hold a line break", hint=hint)
        if row:
            yield start, row


def _check_header(header: list[str], required: Sequence[str], where: str) -> None:
    missing = [name for name in required if name not in header]
    for sign, name in _OTHER_DELIMITERS.items():
        if (missing or len(header) == 1) and any(sign in cell for cell in header):
            raise InputError(where, "cells must be separated by commas", name, "Save it with commas.")
    if missing:
        raise InputError(where, f"needs a column {missing[0]!r}", ", ".join(header))
    for name in header:
        if not name.strip() or header.count(name) > 1:
            raise InputError(where, "every column needs a name of its own", repr(name))
'''

MODULES["dltk.edge.sources.times"] = r'''
"""The time column of a table: rows must follow each other at one step, or the model's window is not what it seems."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from dltk.base.errors import InputError
from dltk.edge.sources.table import Table

__all__ = ["Step", "moment", "require_regular", "step_of"]

_FORMS = "an ISO date or time, a year and month (2024-03), or a number"
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})")
_DAY = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})(.*)", re.DOTALL)
_EPOCH = datetime(1970, 1, 1)
_ROUNDING = 1e-6  # of a step: 0.1, 0.2, 0.30000000000000004 are evenly spaced
_LAST_BITS = 1e-15  # of a time: seconds since 1970 have no finer parts


@dataclass(frozen=True)
class Step:
    """How far apart rows are.

    Attributes:
        unit: "month", "second" (of dates and times) or "number".
        size: how many of them.
    """

    unit: str
    size: float

    def __str__(self) -> str:
        if self.unit == "second":
            return str(timedelta(seconds=self.size))
        return f"{self.size:g} months" if self.unit == "month" else f"{self.size:g}"


def step_of(table: Table, column: str) -> Step:
    """The one step at which the times in `column` rise.

    Raises:
        InputError: with the line, where a time cannot be read, is of another form than the first, does not come after
            the one before it, or comes later than the step says.
    """
    return _regular(table, column, 0)


def require_regular(table: Table, column: str, step: Step, *, last: int) -> None:
    """Hold the `last` rows of `table` to `step`, that of the rows a model was trained on.

    Raises:
        InputError: as `step_of`, or if the rows are at another step.
    """
    first = max(0, len(table.rows) - last)
    if len(table.column(column)) - first < 2:
        return
    found = _regular(table, column, first)
    same = found.unit == step.unit and math.isclose(found.size, step.size, rel_tol=_ROUNDING)
    if not same:
        raise InputError(
            table.where(first + 1), f"rows must be {step} apart, as those the model learnt from", str(found)
        )


def _regular(table: Table, column: str, first: int) -> Step:
    cells = table.column(column)[first:]
    form, places = _places(table, cells, column, first)
    for row in range(1, len(places)):
        if places[row] <= places[row - 1]:
            rule = "must be later than the line before it: sorted, each time once"
            raise InputError(table.where(first + row), f"column {column!r} {rule}", cells[row])
    if form == "local" and (months := _as_months(cells)) is not None:
        form, places = "month", months
    gaps = [after - before for before, after in zip(places, places[1:])]
    step = Step(_UNITS[form], _usual(gaps) if gaps else 0.0)
    for row, gap in enumerate(gaps, start=1):
        if abs(gap - step.size) > _ROUNDING * step.size + _LAST_BITS * abs(places[row]):
            hint = "Fill the gap, or cut the table there: the model takes rows for evenly spaced."
            received = f"{cells[row - 1]} and then {cells[row]}"
            raise InputError(table.where(first + row), f"column {column!r} must rise by {step} a row", received, hint)
    return step


def _places(table: Table, cells: Sequence[str], column: str, first: int) -> tuple[str, list[float]]:
    """Form and place in time of each cell; all are of the first one's form."""
    form = next((name for name, read in _READERS.items() if read(cells[0]) is not None), None)
    if form is None:
        raise InputError(table.where(first), f"column {column!r} must hold {_FORMS}", cells[0])
    found = []
    for row, cell in enumerate(cells):
        place = _READERS[form](cell)
        if place is None:
            rule = f"column {column!r} must hold times of one form, that of {cells[0]!r}"
            raise InputError(table.where(first + row), rule, cell)
        found.append(place)
    return form, found


def _usual(gaps: Sequence[float]) -> float:
    """The commonest gap; of several as common, the smallest."""
    counts = Counter(round(gap, 9) for gap in gaps)
    most = max(counts.values())
    return min(gap for gap, count in counts.items() if count == most)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _month(cell: str) -> float | None:
    found = _MONTH.fullmatch(cell.strip())
    if found is None or not 1 <= int(found[2]) <= 12:
        return None
    return int(found[1]) * 12 + int(found[2]) - 1


def moment(text: str) -> datetime:
    """The date and time in ISO 8601 form; ValueError for any other text. Before Python 3.11, "Z" was not understood."""
    return datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)


def _date(cell: str) -> datetime | None:
    text = cell.strip()
    slashed = _DAY.fullmatch(text)
    if slashed is not None:
        text = f"{slashed[1]}-{int(slashed[2]):02d}-{int(slashed[3]):02d}{slashed[4]}"
    try:
        return moment(text)
    except ValueError:
        return None


def _local(cell: str) -> float | None:
    found = _date(cell)
    return None if found is None or found.tzinfo is not None else (found - _EPOCH).total_seconds()


def _zoned(cell: str) -> float | None:
    found = _date(cell)
    if found is None or found.tzinfo is None:
        return None
    return (found.astimezone(timezone.utc).replace(tzinfo=None) - _EPOCH).total_seconds()


def _as_months(cells: Sequence[str]) -> list[float] | None:
    """Months of dates that all lie on one day of the month at one time, such as the first; else None."""
    dates = [date for date in map(_date, cells) if date is not None]
    alike = {(date.day, date.time()) for date in dates}
    return [date.year * 12.0 + date.month - 1 for date in dates] if len(alike) == 1 and len(dates) > 1 else None


# Numbers first: 2024 is one. Local and zoned times cannot be put in order together.
_READERS: dict[str, Callable[[str], float | None]] = {
    "number": _number,
    "month": _month,
    "local": _local,
    "zoned": _zoned,
}
_UNITS = {"number": "number", "month": "month", "local": "second", "zoned": "second"}
'''

MODULES["dltk.edge.sources.unreadable"] = r'''
"""Files that are no samples: a few that cannot be read are skipped and named, many stop the work."""

from __future__ import annotations

from collections.abc import Sequence

from dltk.base.errors import InputError, shorten

__all__ = ["MAX_UNREADABLE", "ignored", "is_ignored", "reason_of", "require_few_unreadable"]

MAX_UNREADABLE = 0.05  # share of the files; more says that something is wrong with all of them

_SHOWN = 5  # names in one message; reports have them all

Skipped = tuple[str, str]  # name, reason


def require_few_unreadable(
    where: str, faults: Sequence[Skipped], total: int, *, most: float = MAX_UNREADABLE, remedy: str
) -> str:
    """One line about `faults`, those of `total` files that could not be read; nothing where there are none.

    Raises:
        InputError: if they are more than the share `most`, or all.
    """
    if not faults:
        return ""
    listed = "; ".join(f"{name}: {reason}" for name, reason in faults[:_SHOWN])
    listed += " ..." if len(faults) > _SHOWN else ""
    if len(faults) > most * total or len(faults) == total:
        rule = f"at most {most:.0%} of the files may be unreadable"
        # The list is the help here: the message's own shortening would cut it.
        raise InputError(where, rule, f"{len(faults)} of {total}", f"{listed}. {remedy}")
    return f"skipped {len(faults)} of {total} files that cannot be read: {listed}"


def reason_of(fault: InputError) -> str:
    """Why a file could not be read, without its name."""
    return fault.rule if fault.received is None else f"{fault.rule}; received {shorten(fault.received)}"


def is_ignored(reason: str) -> bool:
    """Whether `reason` says that a file is of another kind, and not meant as a sample."""
    return reason.startswith("ignored, ")


def ignored(skipped: Sequence[Skipped]) -> str:
    """One line about the files in `skipped` that are of another kind; nothing where there are none."""
    found = [(name, reason) for name, reason in skipped if is_ignored(reason)]
    if not found:
        return ""
    names, more = [name for name, _ in found], " ..." if len(found) > _SHOWN else ""
    return f"{found[0][1]}: {len(names)} {'file' if len(names) == 1 else 'files'}: {'; '.join(names[:_SHOWN])}{more}"
'''

MODULES["dltk.edge.sources.wav"] = r'''
"""A strict reader of WAV files: PCM of 8, 16, 24 or 32 bits and 32-bit floats, one channel or two.

The format is Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" (1991), with the extensible
header of 2001. What it cannot be sure of it refuses: a truncated recording is an error, not a shorter one.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import read_capped

__all__ = ["RATES", "Sound", "read_wav"]

RATES = (1_000, 384_000)  # lowest and highest samples a second that are believed
_MAX_BYTES = 200_000_000
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # of every sub-format that is a plain format number
_BITS = {_PCM: (8, 16, 24, 32), _FLOAT: (32,)}
_HINT = "Save it as 16-bit PCM WAV, mono."


@dataclass(frozen=True)
class Sound:
    """A recording.

    Attributes:
        samples: float32 (n,), full scale at -1 and 1; two channels are averaged.
        rate: samples a second.
    """

    samples: NDArray[np.float32]
    rate: int


@dataclass(frozen=True)
class _Format:
    codec: int
    channels: int
    rate: int
    bits: int


def read_wav(source: str | Path | bytes, *, where: str | None = None, seconds: float = math.inf) -> Sound:
    """The recording in a WAV file, given by its path or as its bytes.

    Args:
        where: what errors name; the path when left out.
        seconds: of the recording's start that are wanted; the header must fit the whole of it all the same.

    Raises:
        InputError: if it is not a WAV file, truncated, without samples, over 200 MB, of another codec or of a rate
            outside `RATES`, or holds floats that are not finite.
    """
    place = where or ("bytes" if isinstance(source, bytes) else str(source))
    data = source if isinstance(source, bytes) else read_capped(Path(os.path.realpath(source)), _MAX_BYTES)
    if len(data) > _MAX_BYTES:
        raise InputError(place, f"must have at most {_MAX_BYTES} bytes", len(data))
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise InputError(place, "must be a WAV file (RIFF, WAVE)", data[:12], _HINT)
    shape: _Format | None = None
    for name, start, size in _chunks(data, place):
        if name == b"fmt ":
            shape = _format(data[start : start + size], place)
        elif name == b"data":
            if shape is None:
                raise InputError(place, "must hold the chunk 'fmt ' before 'data'", hint=_HINT)
            return Sound(_samples(data[start : start + size], shape, place, seconds), shape.rate)
    raise InputError(place, "must hold a chunk 'data'", hint=_HINT)


def _chunks(data: bytes, place: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, start, size) of each chunk; only the last one's padding may be missing."""
    position = 12
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int(struct.unpack_from("<I", data, position + 4)[0])
        if position + 8 + size > len(data):
            received = f"{len(data) - position - 8} of the {size} bytes of chunk {name!r}"
            raise InputError(place, "must not be truncated", received, "Record or copy it again.")
        yield name, position + 8, size
        position += 8 + size + size % 2


def _format(chunk: bytes, place: str) -> _Format:
    if len(chunk) < 16:
        raise InputError(place, "chunk 'fmt ' must have at least 16 bytes", len(chunk))
    codec, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", chunk)
    if codec == _EXTENSIBLE and len(chunk) >= 40 and chunk[26:40] == _GUID_TAIL:
        (codec,) = struct.unpack_from("<H", chunk, 24)
    if codec not in _BITS:
        raise InputError(place, "must hold PCM or float samples", f"codec 0x{codec:04x}", _HINT)
    if bits not in _BITS[codec]:
        rule = f"samples must have {' or '.join(map(str, _BITS[codec]))} bits"
        raise InputError(place, rule, bits, _HINT)
    if channels not in (1, 2):
        raise InputError(place, "must have one channel or two", channels, _HINT)
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(place, f"its rate must lie between {RATES[0]} and {RATES[1]} samples a second", rate)
    if block != channels * bits // 8:
        raise InputError(place, f"must have {channels * bits // 8} bytes for each time step", block, _HINT)
    return _Format(codec, channels, rate, bits)


def _samples(data: bytes, shape: _Format, place: str, seconds: float) -> NDArray[np.float32]:
    width = shape.channels * shape.bits // 8
    if not data:
        raise InputError(place, "must hold at least one sample", 0)
    if len(data) % width:
        raise InputError(place, f"must hold whole time steps of {width} bytes", len(data), "Record or copy it again.")
    kept = len(data) if math.isinf(seconds) else max(1, math.ceil(seconds * shape.rate)) * width
    found = _decoded(data[:kept], shape).reshape(-1, shape.channels).mean(axis=1)
    if not np.isfinite(found).all():
        raise InputError(place, "must hold finite samples", "NaN or infinity")
    return found.astype(np.float32)


def _decoded(data: bytes, shape: _Format) -> NDArray[np.float64]:
    """Full scale is 1: -128, -2**15 ... become -1."""
    if shape.codec == _FLOAT:
        return np.frombuffer(data, "<f4").astype(np.float64)
    if shape.bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128) / 128
    if shape.bits == 24:
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(parts), 4), np.uint8)
        wide[:, 1:] = parts  # as the upper bytes of 32 bits, so that the sign stands where it belongs
        return wide.view("<i4")[:, 0] / 2.0**31
    return np.frombuffer(data, f"<i{shape.bits // 8}") / 2.0 ** (shape.bits - 1)
'''

MODULES["dltk.edge.standalone"] = r'''
"""The command line of run.py, which every bundle carries: its model runs with it where dltk is not installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import DltkError, InputError, LimitError, UsageError
from dltk.base.files import canonical_json
from dltk.edge.answer import answer
from dltk.edge.arrays import save_npz
from dltk.edge.integrity import read_bundle
from dltk.edge.load import Model, choose, ready
from dltk.edge.replay import as_text, replay
from dltk.edge.sources.arrays import read_array

__all__ = ["main"]

_ABOUT = """Run the model of the bundle that this file stands in. Every file of it is held against its hash first.

INPUT is what `dltk predict` takes: the path of a picture, recording, CSV or text file, a text, a number, JSON.
With --tensor the model gets input tensors as they are, and its output tensors are printed."""


def main(folder: Path, words: Sequence[str] | None = None) -> int:
    """Do what `words` say (default: those of the process) with the bundle in `folder`; returns the exit code."""
    options = _parser().parse_args(words)
    try:
        if options.check:
            _check(folder, options)
        else:
            _predict(folder, options)
    except DltkError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run.py", description=_ABOUT, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("inputs", metavar="INPUT", nargs="*")
    add("--artifact", metavar="FILE", help="the model file of the bundle to run")
    add("--runtime", metavar="NAME", help="tflite or onnx; the first that is installed if not given")
    add("--top", type=int, default=5, metavar="K", help="labels a sample; 5 if not given")
    add("--tensor", action="append", default=[], metavar="[NAME=]FILE.npy", help="an input tensor, batch first")
    add("--out", type=Path, metavar="FILE", help="write what came out: pictures as .png, tensors as .npz")
    add("--check", action="store_true", help="replay the golden samples; exit code 4 if an answer differs")
    add("--json", action="store_true", help="print the result as JSON")
    return parser


def _check(folder: Path, options: argparse.Namespace) -> None:
    if options.inputs or options.tensor:
        raise UsageError("--check", "takes no INPUT: it replays the samples that the bundle carries")
    try:
        report = replay(folder, runtime=options.runtime)
    except LimitError as error:
        measured: Any = error.measured
        _show(measured, as_text(measured), options)
        raise
    _show(report, as_text(report), options)


def _predict(folder: Path, options: argparse.Namespace) -> None:
    if bool(options.inputs) == bool(options.tensor):
        raise UsageError("INPUT", "give what to run the model on, or --tensor, or --check", len(options.inputs))
    sealed = read_bundle(folder)
    chosen = choose(sealed.manifest, runtime=options.runtime, artifact=options.artifact)
    model = ready(sealed.manifest, chosen, lambda name: sealed.files[name])
    told = {"bundle": str(folder), "artifact": model.artifact.file}
    if options.tensor:
        found, text = _run(model, options.tensor, options.out)
        _show({**told, "outputs": found}, text, options)
        return
    rows, text = answer(model, options.inputs, top=options.top, out=options.out)
    _show({**told, "answers": rows}, text, options)


def _run(model: Model, named: Sequence[str], out: Path | None) -> tuple[dict[str, Any], str]:
    """The outputs for tensors out of files, as JSON and as a line a sample."""
    inputs = [spec.name for spec in model.signature.inputs]
    files = dict(_pair(text, inputs) for text in named)
    if set(files) != set(inputs) or len(files) != len(named):
        received = ", ".join(named)
        raise InputError("--tensor", f"must give each input once: {', '.join(inputs)}", received)
    outputs = model.run({name: read_array(file) for name, file in files.items()})
    if out is not None:
        if out.suffix != ".npz":
            raise UsageError("--out", "must end in .npz", str(out))
        save_npz(out, outputs)
    found = {name: array.tolist() for name, array in outputs.items()}
    lines = ([name, *(json.dumps(sample) for sample in samples)] for name, samples in found.items())
    return found, "\n\n".join("\n".join(block) for block in lines)


def _pair(text: str, inputs: Sequence[str]) -> tuple[str, str]:
    name, equals, file = text.partition("=")
    return (name, file) if equals else (inputs[0], text)


def _show(value: Any, text: str, options: argparse.Namespace) -> None:
    print(canonical_json(value).decode().rstrip("\n") if options.json else text)
'''

MODULES["dltk.edge.tflite"] = r'''
"""TFLite models in LiteRT, or in the older tflite-runtime: from bytes only, an interpreter a thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.runtimes import RUNTIMES, Port, Refused, stack, to_port

__all__ = ["TfliteSession"]

_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE")
_DELEGATE = "DELEGATE"


class TfliteSession:
    """A TFLite file. Interpreters are not thread-safe: each thread gets its own over the shared bytes."""

    def __init__(self, data: bytes, *, threads: int = 1) -> None:
        if data[4:8] != b"TFL3":  # a flatbuffer's identifier; without it the runtime would read anything
            raise InputError("model", "must be a TFLite file", data[:8])
        self._data, self._threads, self._local = data, threads, threading.local()
        interpreter = self._interpreter()
        with Refused("must have readable inputs and outputs"):  # a damaged name or number of a tensor
            inputs, outputs = _details(interpreter)
            self._slots = tuple(d["index"] for d in inputs.values()), tuple(d["index"] for d in outputs.values())
            self.inputs = tuple(_port(name, details) for name, details in inputs.items())
            self.outputs = tuple(_port(name, details) for name, details in outputs.items())

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch, computed one sample at a time: the file's batch is 1."""
        fed = [to_port(tensors, port) for port in self.inputs]
        if len({len(tensor) for tensor in fed}) != 1:
            raise InputError("inputs", "must all have the same batch", [len(tensor) for tensor in fed])
        interpreter = self._interpreter()
        with Refused("must run in the TFLite runtime"):
            found = [self._one(interpreter, [t[i : i + 1] for t in fed]) for i in range(len(fed[0]))]
        return stack(found, self.outputs)

    def _one(self, interpreter: Any, sample: list[NDArray[Any]]) -> list[NDArray[Any]]:
        interpreter.reset_all_variables()  # an LSTM keeps its state there: samples must not see each other
        for slot, tensor in zip(self._slots[0], sample, strict=True):
            interpreter.set_tensor(slot, tensor)
        interpreter.invoke()
        return [interpreter.get_tensor(slot) for slot in self._slots[1]]

    def operators(self) -> dict[str, int]:
        """Operator name -> count in the main graph."""
        names = (op["op_name"] for op in self._operations())
        return dict(sorted(Counter(name for name in names if name != _DELEGATE).items()))

    def float_operators(self) -> dict[str, int]:
        """Operators with a float32 output, conversions aside."""
        with Refused("its tensors must be readable"):
            dtypes = {tensor["index"]: tensor["dtype"] for tensor in self._interpreter().get_tensor_details()}
        found = Counter(
            op["op_name"]
            for op in self._operations()
            if op["op_name"] not in (*_CONVERSIONS, _DELEGATE)
            and any(dtypes.get(int(index)) == np.float32 for index in op["outputs"])
        )
        return dict(sorted(found.items()))

    def delegated_share(self) -> float | None:
        """Share of the main graph's operators that lie between the inputs and outputs of a delegate's node."""
        operations = self._operations()
        plain = [op for op in operations if op["op_name"] != _DELEGATE]
        makers = {int(index): op["index"] for op in plain for index in op["outputs"]}
        inputs_of = {op["index"]: [int(index) for index in op["inputs"]] for op in plain}
        taken: set[int] = set()
        for op in operations:
            if op["op_name"] == _DELEGATE:
                border, waiting = set(map(int, op["inputs"])), [int(index) for index in op["outputs"]]
                while waiting:
                    tensor = waiting.pop()
                    maker = makers.get(tensor)
                    if tensor not in border and maker is not None and maker not in taken:
                        taken.add(maker)
                        waiting += inputs_of[maker]
        return len(taken) / len(plain) if plain else 0.0

    def _operations(self) -> list[dict[str, Any]]:
        with Refused("its operators must be readable"):  # the runtime has no public way to list them
            found: list[dict[str, Any]] = self._interpreter()._get_ops_details()
        return found

    def _interpreter(self) -> Any:
        if not hasattr(self._local, "interpreter"):
            module = _module()
            with Refused("must load in the TFLite runtime"):
                interpreter = module.Interpreter(model_content=self._data, num_threads=self._threads)
                interpreter.allocate_tensors()
            self._local.interpreter = interpreter
        return self._local.interpreter


def _module() -> Any:
    (name, *_) = (name for name in RUNTIMES["tflite"] if find_spec(name))
    return import_module(f"{name}.interpreter")


def _details(interpreter: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name -> tensor details of inputs and outputs: the signature's names, else the tensors' own."""
    signatures = interpreter.get_signature_list()
    if len(signatures) == 1:
        runner = interpreter.get_signature_runner(next(iter(signatures)))
        return _in_order(runner.get_input_details(), interpreter.get_input_details()), _in_order(
            runner.get_output_details(), interpreter.get_output_details()
        )
    return dict(_by_tensor_name(interpreter.get_input_details())), dict(
        _by_tensor_name(interpreter.get_output_details())
    )


def _in_order(named: dict[str, Any], listed: list[Any]) -> dict[str, Any]:
    order = [details["index"] for details in listed]
    return dict(sorted(named.items(), key=lambda item: order.index(item[1]["index"])))


def _by_tensor_name(listed: list[Any]) -> Iterator[tuple[str, Any]]:
    for details in listed:
        yield details["name"].removeprefix("serving_default_").rpartition(":")[0] or details["name"], details


def _port(name: str, details: Any) -> Port:
    shape = tuple(int(size) for size in details["shape"])
    if not shape or shape[0] != 1:
        raise InputError(f"tensor {name!r}", "must have a batch of 1 first", shape)
    scale, zero_point = details["quantization"]
    dtype = np.dtype(details["dtype"]).name
    quantized = scale and dtype in ("int8", "uint8", "int16")
    return Port(name, dtype, (None, *shape[1:]), float(scale) if quantized else None, int(zero_point))
'''

MODULES["dltk.edge.worker"] = r'''
"""Run a model in a fresh process, where TensorFlow cannot be imported and a crash harms nobody.

This file is also the program of that process: `python -I worker.py FOLDER` reads a job from FOLDER and leaves the
result there. It starts with the standard library only, so that the blocker stands before anything else is imported.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dltk.edge.runtimes import Port
    from dltk.edge.signature import Signature

__all__ = ["BLOCKED", "WorkerResult", "run_worker"]

BLOCKED = ("tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "tf2onnx", "onnx", "sklearn", "pandas")
_CHUNK = 64  # samples whose tensors are held at a time
_WARM_UP, _FEWEST_RUNS, _MOST_RUNS, _SECONDS = 5, 20, 2000, 1.0


@dataclass(frozen=True)
class WorkerResult:
    """What a model did in its own process.

    Attributes:
        outputs: name -> float32 (n, ...).
        input_ports, output_ports: as they stand in the file.
        operators, float_operators, delegated_share: see `dltk.edge.runtimes.Session`.
        milliseconds: {"p50", "p90", "p99", "runs"} of one sample, or None where no time was taken.
        memory: bytes {"peak", "model"}: highest resident size of the process, anonymous memory that loading and
            running added; None where the system does not tell.
    """

    outputs: dict[str, NDArray[Any]]
    input_ports: tuple[Port, ...]
    output_ports: tuple[Port, ...]
    operators: dict[str, int]
    float_operators: dict[str, int]
    delegated_share: float | None
    milliseconds: dict[str, float] | None
    memory: dict[str, int] | None

    @property
    def p50_ms(self) -> float | None:
        """The median time of one sample, in milliseconds."""
        return None if self.milliseconds is None else self.milliseconds["p50"]


def run_worker(
    artifact: bytes,
    format: str,
    signature: Signature,
    raws: NDArray[Any],
    *,
    threads: int = 1,
    time: bool = False,
    timeout: float = 600.0,
) -> WorkerResult:
    """Run `artifact` on raw samples (n, ...) in a child process without TensorFlow.

    Args:
        time: also measure the latency of one sample (about a second).
        timeout: seconds after which the child is ended.

    Raises:
        InputError: if the file does not load or run, does not fit the signature, or crashes its runtime.
        LimitError: if it runs longer than `timeout`.
        EnvironmentFault: if the runtime is missing, or no process can be started.
    """
    import numpy as np

    from dltk.base.files import canonical_json

    job = {"format": format, "signature": signature.as_dict(), "threads": threads, "time": time}
    with tempfile.TemporaryDirectory(prefix="dltk-worker-") as name:
        folder = Path(name)
        (folder / "model").write_bytes(artifact)
        (folder / "job.json").write_bytes(canonical_json(job))
        for asset, data in signature.assets.items():
            (folder / "assets").mkdir(exist_ok=True)
            (folder / "assets" / asset).write_bytes(data)
        np.save(folder / "raws.npy", raws, allow_pickle=False)
        _run_child([sys.executable, "-I", __file__, name], timeout)
        return _result(folder)


def _run_child(command: Sequence[str], timeout: float) -> None:
    from dltk.base.errors import DltkError, EnvironmentFault, InputError, LimitError

    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as fault:
        raise LimitError("model", f"must run within {timeout:g} s") from fault
    except OSError as fault:  # a sandbox, an emulator, no memory
        raise EnvironmentFault("worker", "must start as a process of its own", fault.strerror) from fault
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise InputError(
            "model", "must not crash its runtime", name, "The file is damaged, or the runtime is at fault."
        )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no word"]
        raise DltkError("worker", "must end well", lines[-1])


def _result(folder: Path) -> WorkerResult:
    import numpy as np

    from dltk.base.errors import as_error
    from dltk.edge.runtimes import Port

    found: dict[str, Any] = json.loads((folder / "result.json").read_bytes())
    if "error" in found:
        raise as_error(found["error"])
    for key in ("input_ports", "output_ports"):
        found[key] = tuple(Port(**port | {"shape": tuple(port["shape"])}) for port in found[key])
    with np.load(folder / "outputs.npz", allow_pickle=False) as arrays:
        return WorkerResult(outputs={name: arrays[name] for name in arrays.files}, **found)


class _Blocker(MetaPathFinder):
    """Refuses the packages that a device does not have."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname.partition(".")[0] in BLOCKED:
            raise ImportError(f"{fullname} is not there on a device, and so not in this process")


def _main(folder: Path) -> None:
    sys.meta_path.insert(0, _Blocker())
    here = str(Path(__file__).resolve().parents[2])  # where dltk stands: -I ignores PYTHONPATH
    if here not in sys.path:  # before another dltk that may be installed; site-packages itself stays where it is
        sys.path.insert(0, here)
    from dltk.base.errors import DltkError

    try:
        result = _work(folder)
    except DltkError as error:
        result = {"error": error.as_dict()}
    (folder / "result.json").write_text(json.dumps(result))


def _work(folder: Path) -> dict[str, Any]:
    import numpy as np

    from dltk.edge.arrays import save_npz
    from dltk.edge.families import family
    from dltk.edge.load import require_ports
    from dltk.edge.runtimes import open_session
    from dltk.edge.signature import Signature

    job = json.loads((folder / "job.json").read_bytes())
    bare = Signature.from_dict(job["signature"], "signature")
    signature = bare.with_assets(lambda name: (folder / "assets" / name).read_bytes())
    tensors, raws = family(signature.family).tensors, np.load(folder / "raws.npy", mmap_mode="r", allow_pickle=False)
    data, first = (folder / "model").read_bytes(), tensors(np.array(raws[:1]), signature)
    before = _status()
    session = open_session(job["format"], data, threads=job["threads"])
    require_ports(session, signature, "model")
    session.run(first)
    after = _status()
    milliseconds = _time(session, first) if job["time"] else None
    pieces = [
        session.run(tensors(np.array(raws[start : start + _CHUNK]), signature)) for start in range(0, len(raws), _CHUNK)
    ]
    save_npz(folder / "outputs.npz", {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]})
    return {
        "input_ports": [asdict(port) for port in session.inputs],
        "output_ports": [asdict(port) for port in session.outputs],
        "operators": session.operators(),
        "float_operators": session.float_operators(),
        "delegated_share": session.delegated_share(),
        "milliseconds": milliseconds,
        "memory": {"peak": after["VmHWM"], "model": max(0, after["RssAnon"] - before["RssAnon"])} if after else None,
    }


def _time(session: Any, sample: Any) -> dict[str, float]:
    import numpy as np

    for _ in range(_WARM_UP):
        session.run(sample)
    taken: list[float] = []
    while len(taken) < _FEWEST_RUNS or (sum(taken) < _SECONDS and len(taken) < _MOST_RUNS):
        start = time.perf_counter()
        session.run(sample)
        taken.append(time.perf_counter() - start)
    p50, p90, p99 = (float(value) * 1000 for value in np.percentile(taken, [50, 90, 99]))
    return {"p50": p50, "p90": p90, "p99": p99, "runs": len(taken)}


def _status() -> dict[str, int]:
    """Bytes by name out of /proc/self/status; empty where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith(" kB"))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
'''

class Carried(MetaPathFinder, Loader):
    """Imports the modules above."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: object) -> None:
        name, source = module.__name__, MODULES[module.__name__]
        file = f"{__file__}: {name}"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # for tracebacks
        if sys.version_info < (3, 10):
            module.__dict__["zip"] = strict_zip
        exec(compile(source, file, "exec"), module.__dict__)


def strict_zip(*columns: object, strict: bool = False) -> object:
    """`zip` of Python 3.9, which does not know `strict` yet."""
    held = [list(column) for column in columns]
    if strict and len({len(column) for column in held}) > 1:
        raise ValueError("zip(): arguments must have the same length")
    return zip(*held)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]  # what lies beside this file is data
    try:
        import numpy  # noqa: F401
    except ImportError as fault:
        print(f"Error: run.py: needs NumPy; received {fault}. Install it: pip install numpy.", file=sys.stderr)
        sys.exit(5)
    sys.meta_path.insert(0, Carried())
    from dltk.edge.standalone import main

    sys.exit(main(here))
