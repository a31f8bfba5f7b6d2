"""Readers of what people keep data in: folders of files, CSV tables, npz archives. They know nothing of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dltk.base.lazy import lazy_names

if TYPE_CHECKING:
    from dltk.edge.sources.arrays import read_array, read_arrays
    from dltk.edge.sources.image_arrays import ImageArrays, read_image_arrays
    from dltk.edge.sources.kinds import IMAGES, SOUNDS, FileKind
    from dltk.edge.sources.labels import check_labels
    from dltk.edge.sources.listing import Layout, Listing, list_files
    from dltk.edge.sources.tables import Dialect, Table, read_table

__all__ = [
    "IMAGES",
    "SOUNDS",
    "Dialect",
    "FileKind",
    "ImageArrays",
    "Layout",
    "Listing",
    "Table",
    "check_labels",
    "list_files",
    "read_array",
    "read_arrays",
    "read_image_arrays",
    "read_table",
]

_MODULES = {  # imported when a name is first asked for: a device needs few of them
    "arrays": ("read_array", "read_arrays"),
    "image_arrays": ("ImageArrays", "read_image_arrays"),
    "kinds": ("IMAGES", "SOUNDS", "FileKind"),
    "labels": ("check_labels",),
    "listing": ("Layout", "Listing", "list_files"),
    "tables": ("Dialect", "Table", "read_table"),
}
__getattr__ = lazy_names({name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names})
