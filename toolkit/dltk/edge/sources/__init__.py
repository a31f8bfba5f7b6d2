"""Readers of what people keep data in: folders of images, CSV tables, npz archives. They know nothing of models."""

from __future__ import annotations

from dltk.edge.sources.arrays import ImageArrays, read_array, read_arrays, read_image_arrays
from dltk.edge.sources.images import Listing, list_images
from dltk.edge.sources.labels import check_labels
from dltk.edge.sources.table import Table, read_table

__all__ = [
    "ImageArrays",
    "Listing",
    "Table",
    "check_labels",
    "list_images",
    "read_array",
    "read_arrays",
    "read_image_arrays",
    "read_table",
]
