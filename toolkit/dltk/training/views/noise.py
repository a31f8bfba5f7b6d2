"""Views with noise on top: a model that restores samples is shown noisy ones and asked for the clean ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Split
from dltk.edge.input.noise import PIXELS, add_noise, column_deviations
from dltk.recipe.groups import Augment
from dltk.training.views.base import PLAIN, Views
from dltk.training.views.counter import derive

__all__ = ["NoisyViews"]


class NoisyViews(Views):
    """Other views with `augment.noise` on each; samples may be images or rows of numbers.

    Args:
        inner: the views without noise.
    """

    def __init__(self, inner: Views, split: Split, augment: Augment, *, seed: int) -> None:
        super().__init__(split, augment, seed=seed)
        self._inner, self._noise, self._views = inner, augment.noise, augment.views
        images = np.issubdtype(split.store.dtype, np.integer)
        self._scale = PIXELS if images else column_deviations(split.take(slice(None)))

    def of_epoch(self, epoch: int) -> int:
        """`epoch` itself, or in turn the few views that there are."""
        return epoch % self._views if self._views else epoch

    @property
    def count(self) -> int:
        """How many views there are; 0: a new one every epoch."""
        return self._views

    def take(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Raw samples (n, ...) as `view` shows them, with noise; the plain view has none."""
        raws = self.clean(positions, view)
        if view == PLAIN:
            return raws
        seed = derive(self._seed, "noise", view)
        return add_noise(raws, self._split.ids[positions], deviation=self._noise, seed=seed, scale=self._scale)

    def clean(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Raw samples (n, ...) as `view` shows them, but for noise."""
        return self._inner.take(positions, PLAIN if view == PLAIN else self._inner.of_epoch(view))

    def targets(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Targets (n, ...) at `positions`, as the inner views give them: noise changes none."""
        return self._inner.targets(positions, PLAIN if view == PLAIN else self._inner.of_epoch(view))
