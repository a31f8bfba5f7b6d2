"""Data: from the user's files to decoded arrays in a cache, split into train, validation and test (floor 1)."""

from __future__ import annotations

from dltk.data.dataset import Dataset, Split
from dltk.data.kinds.images import prepare_images
from dltk.data.strata import stratified

__all__ = ["Dataset", "Split", "prepare_images", "stratified"]
