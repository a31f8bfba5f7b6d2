"""The views that the settings ask for: which class shows the samples of a split."""

from __future__ import annotations

from dltk.base.errors import InputError
from dltk.data.dataset import Split
from dltk.recipe.groups import Augment, Augmentation, SoundAugment
from dltk.training.views.base import Views
from dltk.training.views.image import ImageViews
from dltk.training.views.noise import NoisyViews
from dltk.training.views.pair import PairViews
from dltk.training.views.pixel import PixelViews, has_pixels
from dltk.training.views.sound import SoundViews

__all__ = ["views_of"]


def views_of(split: Split, augment: Augmentation | None, *, seed: int, classes: int = 0) -> Views:
    """The views that `augment` asks for; see `Views` for the arguments.

    Raises:
        InputError: if samples of this kind cannot be changed so.
    """
    if augment is None:
        return Views(split, seed=seed, classes=classes)
    if isinstance(augment, Augment) and split.store.dtype.names:
        return PairViews(split, augment, seed=seed, classes=classes)
    if isinstance(augment, Augment):
        kind = PixelViews if has_pixels(split) else ImageViews
        shown = kind(split, augment, seed=seed, classes=classes)
        return NoisyViews(shown, split, augment, seed=seed) if augment.noise else shown
    if isinstance(augment, SoundAugment):
        return SoundViews(split, augment, seed=seed, classes=classes)
    raise InputError("settings augment", "must be a group that dltk knows", type(augment).__name__)
