"""Assemble a bundle beside its target, seal it with a manifest, and swap it in: as a folder or as one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dltk.base.errors import InputError
from dltk.base.files import building_folder, sweep, write_atomic
from dltk.edge.bundle.archive import Archive, pack
from dltk.edge.bundle.manifest import MANIFEST, SEAL, Artifact, Manifest, file_entry
from dltk.edge.bundle.seal import Key, sign
from dltk.edge.bundle.signature import Signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["BundleOptions", "Sealing", "publish", "require_replaceable"]


@dataclass(frozen=True)
class BundleOptions:
    """How a bundle is made.

    Attributes:
        golden: samples that the bundle carries to prove itself.
        synthetic: make those samples up instead of taking test samples.
        stateless: write LSTMs into TFLite files in a form that keeps no state from one sample to the next.
        archive: write one compressed file instead of a folder.
        sign: Ed25519 private key (a PEM file's path or bytes) to sign the manifest with.
    """

    golden: int = 8
    synthetic: bool = False
    stateless: bool = False
    archive: bool = False
    sign: Key | None = None


@dataclass(frozen=True)
class Sealing:
    """The contents of a bundle.

    Attributes:
        artifacts: entries of the manifest, in order of preference.
        files: name -> bytes of every file but the manifest.
        lineage: what the bundle was made from and with; no times, so that equal runs give equal bytes.
        gate: limits that the artifacts met.
    """

    name: str
    signature: Signature
    artifacts: Sequence[Artifact]
    files: Mapping[str, bytes]
    lineage: Mapping[str, Any]
    gate: Mapping[str, Any]

    def manifest(self) -> Manifest:
        """The manifest of these files."""
        entries = {name: file_entry(data) for name, data in self.files.items()}
        return Manifest(self.name, self.signature, tuple(self.artifacts), entries, self.lineage, self.gate)


def require_replaceable(target: Path, *, archive: bool = False) -> None:
    """Raise InputError unless `target` is free, or is an empty folder or a bundle, which may be replaced.

    With `archive`, an existing file must be the archive of a bundle.
    """
    if not os.path.lexists(target):
        return
    hint = "Give another --out."
    if archive:
        _require_archive(target, hint)
        return
    if target.is_symlink() or not target.is_dir():
        raise InputError(target, "must be a folder, not a link or a file", hint=hint)
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise InputError(target, "is not a bundle, and is not replaced", hint=hint)


def _require_archive(target: Path, hint: str) -> None:
    if target.is_symlink() or not target.is_file():
        raise InputError(target, "must be a file, not a link or a folder", hint=hint)
    try:
        sound = MANIFEST in Archive(target).names
    except InputError:
        sound = False
    if not sound:
        raise InputError(target, "is not the archive of a bundle, and is not replaced", hint=hint)


def publish(sealing: Sealing, target: Path, *, archive: bool = False, key: Ed25519PrivateKey | None = None) -> None:
    """Write the bundle to `target`; an existing bundle stays until the new one replaces it.

    Args:
        archive: write one file instead of a folder; the files in it are bit-identical.
        key: sign the manifest with it; the key itself is not written.

    Raises:
        InputError: as `require_replaceable`.
        EnvironmentFault: if the disk is full or not writable.
    """
    require_replaceable(target, archive=archive)
    files = {MANIFEST: sealing.manifest().to_bytes()}
    if key is not None:
        files[SEAL] = sign(files[MANIFEST], key)
    files |= {name: sealing.files[name] for name in sorted(sealing.files)}
    if archive:
        sweep(target.parent)
        write_atomic(target, pack(files))
        return
    with building_folder(Path(os.path.abspath(target)), replace=True) as folder:
        for name, data in files.items():
            (folder / name).write_bytes(data)
