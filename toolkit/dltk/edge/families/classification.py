"""Images to labels: one label a sample, or several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge import preprocess
from dltk.edge.families.base import Family, Labelled, Tensors
from dltk.edge.families.labels import Labels, hot, is_multi_label, require_known
from dltk.edge.signature import Signature
from dltk.edge.sources import Listing, list_images
from dltk.edge.sources.unreadable import ignored, reason_of, require_few_unreadable

__all__ = ["FAMILY", "Classification", "read_listing"]


class Classification(Labels):
    """Raw sample: uint8 (height, width, 3)."""

    name = "classification"

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature says."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a folder a class or a CSV of path,label. A few pictures that cannot be read are left out."""
        listing = list_images(data, multi_label=is_multi_label(signature), least_classes=1)
        require_known(listing.labels, signature, data)
        raws, rows, skipped, notes = read_listing(listing, signature, self.read, data)
        return Labelled(raws, hot([listing.classes[row] for row in rows], signature), skipped, notes)

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes every answer the same."""
        height, width, channels = signature.inputs[0].sample_shape
        generator = np.random.Generator(np.random.PCG64(seed))
        patches = generator.integers(0, 256, (count, 4, 4, channels))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        noise = generator.integers(-32, 33, (count, height, width, channels))
        return np.asarray(np.clip(patches[:, rows][:, :, columns] + noise, 0, 255), np.uint8)


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


FAMILY: Family = Classification()
