"""Families of labels whose samples are files: how a user's own data is read to score a model on."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.families.base import Labelled
from dltk.edge.families.labels import Labels, hot, is_multi_label, require_known
from dltk.edge.signature import Signature
from dltk.edge.sources import FileKind, Listing, list_files
from dltk.edge.sources.unreadable import ignored, reason_of, require_few_unreadable

__all__ = ["LabelledFiles"]


class LabelledFiles(Labels):
    """One label a file, or several."""

    files: ClassVar[FileKind]

    @abstractmethod
    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample out of a file; see `Family.read`."""

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a folder a class or a CSV of path,label. A few files that cannot be read are left out."""
        listing = list_files(data, self.files, multi_label=is_multi_label(signature), least_classes=1)
        require_known(listing.labels, signature, data)
        raws, faults = self._read_all(listing, signature)
        total, remedy = len(listing.names), "Repair or remove them."
        found = [(listing.names[row], reason) for row, reason in faults.items()]
        notes = (ignored(listing.skipped), require_few_unreadable(str(data), found, total, remedy=remedy))
        targets = hot([listing.classes[row] for row in range(total) if row not in faults], signature)
        return Labelled(np.stack(raws), targets, (*found, *listing.skipped), tuple(filter(None, notes)))

    def _read_all(self, listing: Listing, signature: Signature) -> tuple[list[NDArray[Any]], dict[int, str]]:
        """Raw samples of the files that can be read; row -> reason of the others."""
        raws, faults = [], {}
        for row, path in enumerate(listing.paths):
            try:
                raws.append(self.read(path, signature))
            except InputError as fault:
                faults[row] = reason_of(fault)
        return raws, faults
