"""Reads npz archives and npy files without pickles, and without believing what their headers claim."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.archives import ARCHIVE_FAULTS, require_modest_archive
from dltk.base.errors import InputError
from dltk.base.files import open_regular

__all__ = ["array_headers", "read_array", "read_arrays"]

_MAX_BYTES = 16_000_000_000


def read_arrays(path: str | Path, *, limit: int = _MAX_BYTES) -> dict[str, NDArray[Any]]:
    """Every array of the npz archive at `path`, key -> array of any shape and dtype.

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


def array_headers(path: str | Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Name -> dtype and shape of the arrays in an npz archive, or of the one in an npy file; their values stay unread.

    Raises:
        InputError: if it is damaged, or a header is none.
    """
    with open_regular(Path(path), follow_links=True) as stream:
        try:
            if not zipfile.is_zipfile(stream):
                stream.seek(0)
                return {Path(path).stem: _dtype_and_shape(stream)}
            stream.seek(0)
            found = {}
            with zipfile.ZipFile(stream) as archive:
                for entry in archive.infolist():
                    with archive.open(entry) as member:
                        found[_key(entry)] = _dtype_and_shape(member)
            return found
        except (RuntimeError, *ARCHIVE_FAULTS) as fault:
            raise InputError(path, "must be an undamaged npz or npy file", str(fault)) from fault


def _dtype_and_shape(stream: IO[bytes]) -> tuple[str, tuple[int, ...]]:
    shape, _, dtype = _header(stream)
    return str(dtype), tuple(shape)


def read_array(path: str | Path) -> NDArray[Any]:
    """The array in the .npy file at `path`, of any shape and dtype.

    Raises:
        InputError: on objects (pickles), a header that does not fit its data, or more than 16 GB.
    """
    with open_regular(Path(path), follow_links=True) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > _MAX_BYTES:
            raise InputError(path, f"must hold at most {_MAX_BYTES} bytes", size)
        return _parsed(stream, size, path)


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
