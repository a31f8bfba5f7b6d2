"""Images to labels: one label a sample, or several."""

from __future__ import annotations

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

__all__ = ["FAMILY", "Classification"]


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
        raws, faults = self._read(listing, signature)
        total, remedy = len(listing.names), "Repair or remove them."
        found = [(listing.names[row], reason) for row, reason in faults.items()]
        notes = (ignored(listing.skipped), require_few_unreadable(str(data), found, total, remedy=remedy))
        targets = hot([listing.classes[row] for row in range(total) if row not in faults], signature)
        return Labelled(np.stack(raws), targets, (*found, *listing.skipped), tuple(filter(None, notes)))

    def _read(self, listing: Listing, signature: Signature) -> tuple[list[NDArray[Any]], dict[int, str]]:
        """Raw samples of the files that can be read; row -> reason of the others."""
        raws, faults = [], {}
        for row, path in enumerate(listing.paths):
            try:
                raws.append(self.read(path, signature))
            except InputError as fault:
                faults[row] = reason_of(fault)
        return raws, faults

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes every answer the same."""
        height, width, channels = signature.inputs[0].sample_shape
        generator = np.random.Generator(np.random.PCG64(seed))
        patches = generator.integers(0, 256, (count, 4, 4, channels))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        noise = generator.integers(-32, 33, (count, height, width, channels))
        return np.asarray(np.clip(patches[:, rows][:, :, columns] + noise, 0, 255), np.uint8)


FAMILY: Family = Classification()
