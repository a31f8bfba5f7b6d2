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

__all__ = ["load_intact_array", "npz_bytes", "parse_npz", "read_npz", "save_npz"]

_LIMIT = 4_000_000_000  # bytes
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows: equal arrays give equal bytes


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """`arrays`, of any shape, without objects, as an uncompressed .npz in order of their names, with a fixed date."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _DATE), member.getvalue())
    return stream.getvalue()


def save_npz(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `npz_bytes(arrays)`, of arrays of any shape, to `path`, whole or not at all."""
    write_atomic(path, npz_bytes(arrays))


def parse_npz(
    data: bytes, where: object, keys: Iterable[str] | None = None, *, limit: int = _LIMIT
) -> dict[str, NDArray[Any]]:
    """The arrays in `data`, name -> array of any shape and dtype.

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
    """The arrays of the file at `path`, name -> array of any shape and dtype.

    Raises:
        InputError: as `parse_npz`, or if there is no such file.
    """
    return parse_npz(read_capped(path, _LIMIT), path, keys)


def load_intact_array(path: Path, shape: tuple[int, ...], dtype: Any, *, mapped: bool = True) -> NDArray[Any] | None:
    """The array in a .npy that dltk keeps, read only where it is `mapped`.

    None unless the file is whole and the array has this `shape` and `dtype`.
    """
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (InputError, *ARCHIVE_FAULTS):
        return None
    return found if found.shape == shape and found.dtype == dtype else None
