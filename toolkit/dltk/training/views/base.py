"""What a view provides: augmentation, where each view of a sample is a pure function of (sample, view, seed).

Views are made from the cached raw samples and are raw samples again, before the family turns them into tensors: the
device sees the same kind of input. Because a view has a number, outputs of a frozen model for it (features, a
(features, a teacher's logits) can be cached. `dltk.training.views.factory` picks the views of a split.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Split
from dltk.recipe.groups import Augmentation
from dltk.training.views.counter import uniform

__all__ = ["PARTNER", "PLAIN", "SHARE", "Views", "beta"]

PLAIN = -1  # the view that is the sample itself
PARTNER, SHARE = 7, 8  # slots of the random numbers that blend; those of other changes stand in their own files


class Views:
    """The views of one split; this class shows every sample as it is.

    Args:
        split: whose samples are shown; its `ids` name them.
        augment: what may be changed; None: nothing.
        seed: of the run.
        classes: width of one-hot targets, needed where samples are blended and their labels with them.
    """

    def __init__(self, split: Split, augment: Augmentation | None = None, *, seed: int, classes: int = 0) -> None:
        self._split, self._settings, self._seed, self._classes = split, augment, seed, classes

    @property
    def changes(self) -> bool:
        """Whether any view is another than the sample itself."""
        return False

    @property
    def mixes(self) -> bool:
        """Whether views blend two samples, and their targets."""
        return self.changes and self._settings is not None and self._settings.mixup > 0

    def of_epoch(self, epoch: int) -> int:
        """The view that `epoch` shows: `epoch` itself, or in turn the few that there are."""
        if not self.changes or self._settings is None:
            return PLAIN
        return epoch % self._settings.views if self._settings.views else epoch

    @property
    def count(self) -> int:
        """How many views there are; 0: a new one every epoch."""
        return self._settings.views if self.changes and self._settings is not None else 1

    @property
    def countable(self) -> bool:
        """Whether views come again, so that it pays to cache what is computed from them."""
        return self.count > 0

    def key(self, view: int) -> dict[str, Any]:
        """What the view depends on, besides the samples."""
        if view == PLAIN or self._settings is None:
            return {"view": PLAIN}
        return {"view": view, "seed": self._seed, "augment": asdict(self._settings)}

    def take(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Raw samples (n, ...) at `positions` of the split, as `view` shows them."""
        return self._split.take(positions)

    def clean(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Raw samples (n, ...) as `view` shows them, but for noise."""
        return self.take(positions, view)

    def targets(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Targets at `positions`: as they are, or float32 (n, classes) where views are blended."""
        targets = self._split.targets[positions]
        if view == PLAIN or not self.mixes:
            return np.asarray(targets)
        partners, shares, _ = self._mixing(positions, view)
        ours, theirs = self._as_soft_targets(targets), self._as_soft_targets(self._split.targets[partners])
        weights = shares.reshape(-1, 1).astype(np.float32)
        return np.asarray(ours * weights + theirs * (1 - weights))

    def _as_soft_targets(self, targets: NDArray[Any]) -> NDArray[np.float32]:
        if targets.ndim > 1:
            return targets.astype(np.float32)
        return np.asarray(np.eye(self._classes, dtype=np.float32)[targets])

    def _draw(self, ids: NDArray[np.int64], view: int, slot: int) -> NDArray[np.float64]:
        return uniform(self._seed, ids, view, slot)

    def _mixing(
        self, positions: NDArray[np.int64], view: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_] | None]:
        """Partners' positions, the share that stays of each sample, and the boxes of cutmix (None: mixup)."""
        ids, alpha = self._split.ids[positions], 0.0 if self._settings is None else self._settings.mixup
        partners = (self._draw(ids, view, PARTNER) * len(self._split)).astype(np.int64)
        return partners, beta(self._draw(ids, view, SHARE), alpha), None


def beta(uniforms: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Shares (n,) of a symmetric beta distribution, one for each uniform number (n,) in [0, 1)."""
    from scipy.special import betaincinv  # the inverse distribution: one uniform number is enough

    return np.asarray(betaincinv(alpha, alpha, uniforms))
