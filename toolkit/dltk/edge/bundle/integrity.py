"""Reads a bundle's files, each once, and checks them against the manifest before they are used."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dltk.base.archives import stored_bytes
from dltk.base.errors import InputError
from dltk.base.files import read_capped, sha256
from dltk.base.lazy import installed_only
from dltk.edge.bundle.manifest import LARGEST_MANIFEST, MANIFEST, SEAL, SEAL_BYTES, Manifest, parse
from dltk.edge.bundle.signature import Signature

if TYPE_CHECKING:
    from dltk.edge.bundle.seal import Key

__all__ = ["BUDGET", "BundleSource", "VerifiedBundle", "read_bundle", "read_file", "read_manifest"]

# Bytes of a bundle's files together. The largest that dltk's own recipes make, convnext-tiny (27.8 million weights) in
# every format and precision, has 0.42 GB; this is over twice that. `max_memory` lifts it.
BUDGET = 1_000_000_000
_SMALL = 64_000_000  # bytes that any bundle may unpack to
_MOST_EXPANSION = 30  # times what it takes on disk: a model of which 95% are zeros packs to a 16th

_DAMAGED = "The bundle is damaged or was changed: copy it again, or export it again."


class BundleSource(Protocol):
    """Where the files of a bundle are: what a folder and an archive have in common."""

    path: Path

    @property
    def names(self) -> Iterable[str]:
        """Of everything there, known or not."""

    def stored(self, names: Iterable[str]) -> int:
        """How many bytes these files take on disk, packed or with holes in them."""

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

    def stored(self, names: Iterable[str]) -> int:
        """How many bytes of these files are data; a file that is missing, or none, has none."""
        return sum(stored_bytes(self.path / name) for name in names)

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of one file; links are not followed."""
        return read_capped(self.path / name, limit)


@dataclass(frozen=True)
class VerifiedBundle:
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


def read_manifest(path: str | Path, *, verify: Key | None = None, max_memory: int = BUDGET) -> Manifest:
    """The manifest of the bundle in the folder or archive `path`.

    Args:
        verify: public key that the bundle must be signed with: checked before anything in the manifest is read.
        max_memory: bytes that its files may have together.

    Raises:
        InputError: if there is no bundle, no sound manifest in it, or no signature by the key that is asked for; if
            its files have over `max_memory` bytes, or over 64 MB and more than 30 times what they take on disk.
    """
    return _manifest(_open_source(path), verify, max_memory)


def read_file(path: str | Path, manifest: Manifest, name: str) -> bytes:
    """The bytes of one file of the bundle, read once, with the size and hash that the manifest gives it.

    Raises:
        InputError: if it is not listed, missing, a link, or differs.
    """
    return _file(_open_source(path), manifest, name)


def read_bundle(path: str | Path, *, verify: Key | None = None, max_memory: int = BUDGET) -> VerifiedBundle:
    """Every file of the bundle, each read once and checked; nothing else may stand in its folder or archive.

    Args:
        verify, max_memory: as for `read_manifest`.

    Raises:
        InputError: as `read_manifest`, and naming the first file that is missing, more, a link, or different.
    """
    place = _open_source(path)
    manifest = _manifest(place, verify, max_memory)
    for name in place.names:
        if name == SEAL:
            _seal(place)
        elif name != MANIFEST and name not in manifest.files:
            raise InputError(place.path / name, "is not listed in the manifest", hint="Remove it, or export again.")
    return VerifiedBundle(place.path, manifest, {name: _file(place, manifest, name) for name in sorted(manifest.files)})


def _open_source(path: str | Path) -> BundleSource:
    path = Path(path)
    try:
        is_folder, is_there = path.is_dir(), os.path.lexists(path)
    except (OSError, ValueError) as fault:  # too long a name
        raise InputError(path, "must be a path", getattr(fault, "strerror", "") or str(fault)) from fault
    if is_folder:
        return Folder(path)
    if not is_there:
        rule = "a bundle is a folder with a manifest.json, or an archive of one"
        raise InputError(path, rule, "nothing there", "Make one with `dltk export`.")
    return _archive(path)


@installed_only
def _archive(path: Path) -> BundleSource:
    from dltk.edge.bundle.archive import Archive

    return Archive(path)


def _manifest(place: BundleSource, verify: Key | None, max_memory: int) -> Manifest:
    if MANIFEST not in place.names:
        if {"recipe.json", "checkpoints"} & set(place.names):
            hint = f"Make a bundle from it: dltk export {shlex.quote(str(place.path))}."
            raise InputError(place.path, "a bundle has a manifest.json", "a run, which has none", hint)
        raise InputError(place.path, "a bundle has a manifest.json", "none", "Make a bundle with `dltk export RUN`.")
    data = place.read(MANIFEST, LARGEST_MANIFEST)
    if verify is not None:
        _check_seal(place, data, verify)
    manifest = parse(data, place.path / MANIFEST)
    _require_affordable(place, manifest, max_memory)
    return manifest


def _require_affordable(place: BundleSource, manifest: Manifest, max_memory: int) -> None:
    """Check the total size of all files against the limit, and against their size on disk, before reading one."""
    whole = sum(entry.bytes for entry in manifest.files.values())
    if whole > max_memory:
        hint = f"If you trust it, allow more: --max-memory {-(-whole // 1_000_000)}MB."
        raise InputError(place.path, f"its files must have at most {max_memory} bytes together", whole, hint)
    if whole > _SMALL and whole > _MOST_EXPANSION * (stored := place.stored(manifest.files)):
        rule = f"must not unpack to over {_MOST_EXPANSION} times what it takes on disk"
        raise InputError(place.path, rule, f"{whole} bytes out of {stored}", _DAMAGED)


@installed_only
def _check_seal(place: BundleSource, data: bytes, key: Key) -> None:
    from dltk.edge.bundle.seal import check_seal

    check_seal(data, _seal(place), key, place.path / SEAL)


def _seal(place: BundleSource) -> bytes:
    if SEAL not in place.names:
        hint = "Sign it: dltk export RUN --sign KEY."
        raise InputError(place.path, f"must be signed: hold a {SEAL}", "a bundle without one", hint)
    data = place.read(SEAL, SEAL_BYTES)
    if len(data) != SEAL_BYTES:
        raise InputError(place.path / SEAL, f"must have {SEAL_BYTES} bytes", f"{len(data)} bytes", _DAMAGED)
    return data


def _file(place: BundleSource, manifest: Manifest, name: str) -> bytes:
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
