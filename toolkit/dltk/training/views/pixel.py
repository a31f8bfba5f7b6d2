"""Views of images whose targets are one class per pixel: what moves an image moves its mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.data.dataset import Split
from dltk.recipe.groups import Augment
from dltk.training.views.base import PLAIN
from dltk.training.views.image import ImageViews

__all__ = ["PixelViews", "has_pixels"]


def has_pixels(split: Split) -> bool:
    """Whether the targets of `split` are one class per pixel of its images."""
    return split.store.ndim == 4 and split.targets.shape[1:] == split.store.shape[1:3]


class PixelViews(ImageViews):
    """Targets (n, height, width) of whole numbers; see `Views` for the arguments.

    Raises:
        InputError: if mixup is to blend them.
    """

    def __init__(self, split: Split, augment: Augment, *, seed: int, classes: int = 0) -> None:
        super().__init__(split, augment, seed=seed, classes=classes)
        if augment.mixup:
            hint = "Set it to 0; cutmix blends whole pixels."
            raise InputError("setting augment.mixup", "needs one label per image", augment.mixup, hint)

    def targets(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Class numbers (n, height, width) at `positions`, moved as `take` moves the images, and cut where it cuts."""
        targets = self._split.targets[positions]
        if view == PLAIN or not self.changes:
            return np.asarray(targets)
        targets = self._placed(targets, self._split.ids[positions], view, nearest=True)
        if not self.mixes:
            return targets
        partners, _, boxes = self._mixing(positions, view)
        others = self._placed(self._split.targets[partners], self._split.ids[partners], view, nearest=True)
        return targets if boxes is None else np.where(boxes[..., 0], others, targets)
