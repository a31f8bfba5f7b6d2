"""Assemble a bundle beside its target, seal it with a manifest, swap it in whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import building_folder
from dltk.edge.arrays import npz_bytes
from dltk.edge.families import family
from dltk.edge.manifest import MANIFEST, Artifact, Manifest, file_entry
from dltk.edge.signature import Signature

__all__ = ["Sealing", "golden_bytes", "labels_bytes", "publish", "report_bytes", "require_replaceable"]


@dataclass(frozen=True)
class Sealing:
    """Everything a bundle is made of.

    Attributes:
        artifacts: what the manifest says of each, in order of preference.
        files: name -> bytes of every file but the manifest.
        lineage: what it was made from and with; no times, so that equal runs give equal bytes.
        gate: limits that the artifacts were held to.
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


def require_replaceable(target: Path) -> None:
    """Raise InputError unless `target` is free, an empty folder or a bundle: nothing else is ever replaced."""
    if not os.path.lexists(target):
        return
    hint = "Give another --out."
    if target.is_symlink() or not target.is_dir():
        raise InputError(target, "must be a folder, not a link or a file", hint=hint)
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise InputError(target, "holds something else than a bundle, and is left alone", hint=hint)


def publish(sealing: Sealing, target: Path) -> None:
    """Write the bundle to `target`; what stood there stays until the new one stands in its place.

    Raises:
        InputError: if `target` is a file, or a folder that holds something else than a bundle.
        EnvironmentFault: if the disk is full or not writable.
    """
    require_replaceable(target)
    manifest = sealing.manifest().to_bytes()
    with building_folder(Path(os.path.abspath(target)), replace=True) as folder:
        for name, data in sealing.files.items():
            (folder / name).write_bytes(data)
        (folder / MANIFEST).write_bytes(manifest)


def labels_bytes(labels: Sequence[str]) -> bytes:
    """`labels.txt`: one a line."""
    return "".join(f"{label}\n" for label in labels).encode()


def golden_bytes(
    raws: NDArray[Any], reference: Mapping[str, NDArray[Any]], signature: Signature, targets: NDArray[Any] | None
) -> bytes:
    """`golden.npz`: raw samples, their tensors, the float32 reference's outputs, and the targets if known."""
    tensors = family(signature.family).tensors(raws, signature)
    arrays = {"raw": raws} | {f"tensor:{name}": value for name, value in tensors.items()}
    arrays |= {f"output:{name}": np.asarray(value, np.float32) for name, value in reference.items()}
    if targets is not None:
        arrays["target"] = targets
    return npz_bytes(arrays)


def report_bytes(report: Mapping[str, Any]) -> bytes:
    """`report.json`, without indentation: curves have hundreds of points."""
    text = json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()
