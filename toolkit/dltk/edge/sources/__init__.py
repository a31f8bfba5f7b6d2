"""Readers of what people keep data in: folders of files, CSV tables, npz archives. They know nothing of models."""

from __future__ import annotations

from dltk.edge.sources.arrays import ImageArrays, read_array, read_arrays, read_image_arrays
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
