"""Checks of untrusted HDF5 files: no references out of the file, no sizes much larger than the file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from dltk.base.archives import require_modest
from dltk.base.errors import InputError

__all__ = ["HDF5_FAULTS", "require_plain_hdf5"]

HDF5_FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError)  # what h5py raises over damage

_LIMIT = 16_000_000_000  # bytes of all weights together
_MOST_OBJECTS = 1_000_000
_SMALL = 16_000_000  # bytes that any file may declare
_EXPANSION = 20  # times the file's own size; Keras writes weights as they are, gzip gains that with 19 zeros in 20


def require_plain_hdf5(source: Any, where: object) -> None:
    """Look at every group and dataset of a file, given by its path or as a binary stream; read none.

    Raises:
        InputError: on a link out of its place, data that lie in another file, weights that are declared and not
            there, or damage.
    """
    import h5py

    try:
        with h5py.File(source, "r") as opened:
            claimed = sum(_claimed(name, found, where) for name, found in _objects(opened, where))
            most = max(_SMALL, _EXPANSION * opened.id.get_filesize())
    except HDF5_FAULTS as fault:
        raise InputError(where, "must be a whole HDF5 file", str(fault)) from fault
    if claimed > _LIMIT:
        raise InputError(where, f"must hold at most {_LIMIT} bytes of weights", claimed)
    if claimed > most:  # chunks that were never written, or that lie on one another, are small in the file alone
        raise InputError(where, f"must declare at most {_EXPANSION} times the bytes it has", f"{claimed} bytes")


def _objects(root: Any, where: object) -> Iterator[tuple[str, Any]]:
    """(name, object) of everything below `root`; a stack, and each group once: hard links may form a circle."""
    import h5py

    waiting, seen = [root], {_address(root)}
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                raise InputError(where, "must not link to other files or places", f"{type(link).__name__} {name!r}")
            found = group[name]
            if _address(found) in seen:
                continue
            seen.add(_address(found))
            if len(seen) > _MOST_OBJECTS:
                raise InputError(where, f"must hold at most {_MOST_OBJECTS} groups and datasets")
            yield name, found
            if isinstance(found, h5py.Group):
                waiting.append(found)


def _address(found: Any) -> int:
    import h5py

    return int(h5py.h5o.get_info(found.id).addr)


def _claimed(name: str, found: Any, where: object) -> int:
    """Bytes that a dataset claims to have; 0 for anything else."""
    import h5py

    if not isinstance(found, h5py.Dataset):
        return 0
    if found.external or found.is_virtual:
        raise InputError(where, "must not read data out of other files", f"dataset {name!r}")
    claimed = math.prod(found.shape or ()) * found.dtype.itemsize
    require_modest(f"{where}: {name}", claimed, found.id.get_storage_size(), _LIMIT)
    return claimed
