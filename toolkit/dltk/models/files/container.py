"""The file of an untrusted Keras model, .keras or HDF5: nothing in it leads out of it, or is much larger than it."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dltk.base.archives import ARCHIVE_FAULTS, require_modest, require_modest_archive
from dltk.base.errors import InputError
from dltk.base.files import parse_json

__all__ = ["Contents", "contents", "require_plain_hdf5"]

_HDF5_FAULTS = (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError)  # what h5py raises over damage

_LIMIT = 4_000_000_000  # bytes of all members of a .keras file, unpacked
_CONFIG_LIMIT = 64_000_000
_METADATA = 100_000  # bytes; Keras writes about 80
_WEIGHTS = "model.weights.h5"
_WEIGHTS_LIMIT = 16_000_000_000  # bytes of all weights together
_MOST_OBJECTS = 1_000_000
_SMALL = 16_000_000  # bytes that any file may declare
_EXPANSION = 20  # times the file's own size; Keras writes weights as they are, gzip gains that with 19 zeros in 20


@dataclass(frozen=True)
class Contents:
    """What the file of a model contains besides its weights.

    Attributes:
        config: the model's configuration, as Keras will read it.
        keras: the version of Keras that the file records; "" if it records none.
    """

    config: Any
    keras: str


def contents(data: bytes, path: Path) -> Contents:
    """The configuration in the bytes of a .keras or .h5 file, once the whole file has been looked through.

    Raises:
        InputError: if the file is damaged, leads out of itself, or unpacks to much more than it is.
    """
    return _of_hdf5(data, path) if path.suffix != ".keras" else _of_archive(data, path)


def _of_archive(data: bytes, path: Path) -> Contents:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_modest_archive(archive, path, packed=len(data), limit=_LIMIT)
            member = archive.getinfo("config.json")
            if member.file_size > _CONFIG_LIMIT:
                raise InputError(f"{path}: config.json", f"must be at most {_CONFIG_LIMIT} bytes", member.file_size)
            config = json.loads(archive.read(member))
            if _WEIGHTS in archive.namelist():
                require_plain_hdf5(io.BytesIO(archive.read(_WEIGHTS)), f"{path}: {_WEIGHTS}")
            return Contents(config, _version_in_archive(archive))
    except ARCHIVE_FAULTS as fault:
        raise InputError(path, "must be a whole .keras file", str(fault)) from fault


def _version_in_archive(archive: zipfile.ZipFile) -> str:
    try:
        is_small = archive.getinfo("metadata.json").file_size <= _METADATA
        found = parse_json(archive.read("metadata.json"), "metadata.json") if is_small else None
    except (InputError, *ARCHIVE_FAULTS):
        return ""
    return str(found.get("keras_version", "")) if isinstance(found, dict) else ""


def _of_hdf5(data: bytes, path: Path) -> Contents:
    import h5py

    require_plain_hdf5(io.BytesIO(data), path)
    try:
        with h5py.File(io.BytesIO(data), "r") as opened:
            text = opened.attrs.get("model_config")
            if text is None:
                hint = "It may hold weights only: save the whole model with model.save()."
                raise InputError(path, "must hold a whole model", "no model_config", hint)
            return Contents(json.loads(text), _version_in_attributes(opened.attrs))
    except _HDF5_FAULTS as fault:
        raise InputError(path, "must be a whole HDF5 file", str(fault)) from fault


def _version_in_attributes(attributes: Any) -> str:
    try:
        version = attributes.get("keras_version", "")
        return version.decode() if isinstance(version, bytes) else str(version)
    except _HDF5_FAULTS:
        return ""


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
    except _HDF5_FAULTS as fault:
        raise InputError(where, "must be a whole HDF5 file", str(fault)) from fault
    if claimed > _WEIGHTS_LIMIT:
        raise InputError(where, f"must hold at most {_WEIGHTS_LIMIT} bytes of weights", claimed)
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
    require_modest(f"{where}: {name}", claimed, found.id.get_storage_size(), _WEIGHTS_LIMIT)
    return claimed
