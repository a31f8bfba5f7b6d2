"""Families of labels whose samples are files: how a user's own data is read to score a model on."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Labelled
from dltk.edge.families.shared.labels import Labels, encode_targets, is_multi_label, require_known
from dltk.edge.sources.kinds import FileKind

if TYPE_CHECKING:
    from dltk.edge.sources.listing import Listing

__all__ = ["LabelledFiles", "read_listing"]


class LabelledFiles(Labels):
    """One label per file, or several."""

    files: ClassVar[FileKind]

    @abstractmethod
    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample (...) out of a file, of the family's shape and dtype; see `Family.read`."""

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of one folder per class or a CSV of path,label. A few files that cannot be read are left out."""
        from dltk.edge.sources.listing import Layout, list_files
        from dltk.edge.sources.tables import dialect_of

        layout = Layout(known=signature.labels, dialect=dialect_of(signature))
        listing = list_files(data, self.files, multi_label=is_multi_label(signature), least_classes=1, layout=layout)
        require_known(listing.labels, signature, data)
        raws, rows, skipped, notes = read_listing(listing, signature, self.read, data)
        return Labelled(raws, encode_targets([listing.classes[row] for row in rows], signature), skipped, notes)


@installed_only
def read_listing(
    listing: Listing, signature: Signature, read: Callable[[Any, Signature], NDArray[Any]], data: str | Path
) -> tuple[NDArray[Any], list[int], tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Raw samples (n, ...) of the files that can be read, their rows, what was left out and why, notes about it.

    Raises:
        InputError: if more than a few cannot be read.
    """
    from dltk.edge.sources.unreadable import ignored_text, reason_of, require_few_unreadable

    raws, rows, faults = [], [], []
    for row, path in enumerate(listing.paths):
        try:
            raws.append(read(path, signature))
            rows.append(row)
        except InputError as fault:
            faults.append((listing.names[row], reason_of(fault)))
    few = require_few_unreadable(str(data), faults, len(listing.names), remedy="Fix or remove them.")
    notes = tuple(filter(None, (*listing.notes, ignored_text(listing.skipped), few)))
    return np.stack(raws), rows, (*faults, *listing.skipped), notes
