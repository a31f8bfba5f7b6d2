"""Views of images with texts: the image changes, its text stays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.data.dataset import Split
from dltk.recipe.groups import Augment
from dltk.training.views.base import PLAIN, Views
from dltk.training.views.image import ImageViews

__all__ = ["PairViews"]


class PairViews(Views):
    """Views of records with the fields "image" (height, width, 3) and others, which stay as they are.

    Raises:
        InputError: if samples are to be blended: two texts have no middle.
    """

    def __init__(self, split: Split, augment: Augment, *, seed: int, classes: int = 0) -> None:
        for name in ("mixup", "cutmix"):
            if getattr(augment, name):
                hint = "Texts cannot be blended."
                raise InputError(
                    f"setting augment.{name}", "must be 0 for images with texts", getattr(augment, name), hint
                )
        super().__init__(split, augment, seed=seed, classes=classes)
        images = Split(split.store["image"], split.rows, split.targets)
        self._images = ImageViews(images, augment, seed=seed, classes=classes)

    @property
    def changes(self) -> bool:
        """Whether any view has another image than the sample itself."""
        return self._images.changes

    def take(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Records (n,) at `positions` of the split: images as `view` shows them, other fields as they are."""
        raws = self._split.take(positions)
        if view != PLAIN and self.changes:
            raws["image"] = self._images.take(positions, view)
        return raws
