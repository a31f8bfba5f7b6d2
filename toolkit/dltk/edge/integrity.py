"""Bytes of a bundle that are what its manifest says: each file read once, checked, then handed on as bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped, sha256
from dltk.edge.manifest import LARGEST_MANIFEST, MANIFEST, Manifest, parse
from dltk.edge.signature import Signature

__all__ = ["Sealed", "read_bundle", "read_file", "read_manifest"]

_DAMAGED = "The bundle is damaged or was changed: copy it again, or export it again."


@dataclass(frozen=True)
class Sealed:
    """A bundle whose every file was read and checked.

    Attributes:
        path: its folder.
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


def read_manifest(path: str | Path) -> Manifest:
    """The manifest of the bundle in folder `path`.

    Raises:
        InputError: if there is no such folder, or no sound manifest in it.
    """
    path = Path(path)
    if not path.is_dir():
        received = "a file" if path.exists() else "nothing there"
        raise InputError(path, "a bundle is a folder with a manifest.json", received, "Make one with `dltk export`.")
    if not os.path.lexists(path / MANIFEST):
        raise InputError(path, "a bundle holds a manifest.json", "none", "Make a bundle with `dltk export RUN`.")
    return parse(read_capped(path / MANIFEST, LARGEST_MANIFEST), path / MANIFEST)


def read_file(path: str | Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of one file of the bundle, read once, with the size and hash that the manifest gives it.

    Raises:
        InputError: if it is not listed, missing, a link, or differs.
    """
    place = Path(path) / name
    if name not in manifest.files:
        raise InputError(place, "is not a file of this bundle", hint=f"It has: {', '.join(sorted(manifest.files))}.")
    entry = manifest.files[name]
    data = read_capped(place, entry.bytes)
    if len(data) != entry.bytes:
        raise InputError(place, f"must have {entry.bytes} bytes", f"{len(data)} bytes", _DAMAGED)
    if sha256(data) != entry.sha256:
        raise InputError(place, f"must have SHA-256 {entry.sha256}", sha256(data), _DAMAGED)
    return data


def read_bundle(path: str | Path) -> Sealed:
    """Every file of the bundle, each read once and checked; nothing else may stand in the folder.

    Raises:
        InputError: naming the first file that is missing, more, a link, or different.
    """
    path = Path(path)
    manifest = read_manifest(path)
    with os.scandir(path) as entries:
        there = {entry.name: entry.is_file(follow_symlinks=False) for entry in entries}
    for name in sorted(there):
        if name != MANIFEST and name not in manifest.files:
            raise InputError(path / name, "is not listed in the manifest", hint="Remove it, or export again.")
        if not there[name]:
            raise InputError(path / name, "must be a regular file, no link and no folder", hint=_DAMAGED)
    return Sealed(path, manifest, {name: read_file(path, manifest, name) for name in sorted(manifest.files)})
