"""Views of images: mirrored, turned, shifted, zoomed, in another contrast, blended with others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Split
from dltk.models.backend import tf
from dltk.recipe.groups import Augment
from dltk.training.views.base import PARTNER, PLAIN, SHARE, Views, beta

__all__ = ["ImageViews"]

_FLIP, _ROTATE, _RIGHT, _DOWN, _ZOOM, _CONTRAST = range(6)  # slots; 7 and 8 are those of the base
_BOX_X, _BOX_Y = 9, 10


class ImageViews(Views):
    """Views of uint8 images (n, height, width, channels); other samples stay as they are."""

    def __init__(self, split: Split, augment: Augment, *, seed: int, classes: int = 0) -> None:
        super().__init__(split, augment, seed=seed, classes=classes)
        self._augment = augment

    @property
    def changes(self) -> bool:
        """Whether samples are images and any view is another than the sample itself."""
        return self._split.store.ndim == 4 and _changes(self._augment)

    @property
    def mixes(self) -> bool:
        """Whether views blend two images, or put a box of one into another, and their targets with them."""
        return self.changes and bool(self._augment.mixup or self._augment.cutmix)

    def take(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Images (n, height, width, channels), uint8, at `positions` of the split, as `view` shows them."""
        raws = self._warped(positions, view)
        if view == PLAIN or not self.mixes:
            return raws
        partners, shares, boxes = self._mixing(positions, view)
        others = self._warped(partners, view)
        if boxes is not None:
            return np.where(boxes, others, raws)
        weights = shares.reshape(-1, 1, 1, 1).astype(np.float32)
        return _to_uint8(raws * weights + others * (1 - weights))

    def _warped(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        raws, augment = self._split.take(positions), self._augment
        if view == PLAIN or not self.changes:
            return raws
        ids = self._split.ids[positions]
        raws = self._placed(raws, ids, view)
        if augment.contrast:
            factors = 1 + augment.contrast * (2 * self._draw(ids, view, _CONTRAST) - 1)
            raws = _contrast(raws, factors)
        return raws

    def _placed(
        self, values: NDArray[Any], ids: NDArray[np.int64], view: int, *, nearest: bool = False
    ) -> NDArray[Any]:  # fmt: skip
        """`values` (n, height, width, ...), a copy, where the view turns, shifts, zooms and mirrors them to."""
        augment = self._augment
        if augment.rotate or augment.translate or augment.zoom:
            height, width = values.shape[1:3]
            return _project(values, self._transforms(ids, view, height, width), nearest=nearest)
        if augment.flip:
            mirrored = self._mirrored(ids, view)
            values[mirrored] = values[mirrored, :, ::-1]
        return values

    def _mirrored(self, ids: NDArray[np.int64], view: int) -> NDArray[np.bool_]:
        """Every second view of a sample; half of the samples start with it."""
        starts = self._draw(ids, 0, _FLIP) < 0.5
        return np.asarray(starts ^ bool(view % 2))

    def _transforms(self, ids: NDArray[np.int64], view: int, height: int, width: int) -> NDArray[np.float32]:
        """Rows (n, 8) that map a pixel of the view to one of the sample: about the middle, then shifted."""
        augment = self._augment
        signed = {slot: 2 * self._draw(ids, view, slot) - 1 for slot in (_ROTATE, _RIGHT, _DOWN, _ZOOM)}
        angle = np.radians(augment.rotate) * signed[_ROTATE]
        scale = 1 / (1 + augment.zoom * signed[_ZOOM])
        mirror = np.where(self._mirrored(ids, view), -1.0, 1.0) if augment.flip else np.ones(len(ids))
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        rows = np.zeros((len(ids), 8))
        rows[:, 0], rows[:, 1], rows[:, 3], rows[:, 4] = mirror * cosine, -mirror * sine, sine, cosine
        shift_x = augment.translate * width * signed[_RIGHT]
        shift_y = augment.translate * height * signed[_DOWN]
        rows[:, 2] = middle_x - rows[:, 0] * middle_x - rows[:, 1] * middle_y + shift_x
        rows[:, 5] = middle_y - rows[:, 3] * middle_x - rows[:, 4] * middle_y + shift_y
        return rows.astype(np.float32)

    def _mixing(
        self, positions: NDArray[np.int64], view: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_] | None]:
        augment, ids = self._augment, self._split.ids[positions]
        partners = (self._draw(ids, view, PARTNER) * len(self._split)).astype(np.int64)
        # With both on, a view of the whole split is one or the other, so that a batch takes one path.
        cuts = bool(augment.cutmix) and (not augment.mixup or view % 2 == 1)
        shares = beta(self._draw(ids, view, SHARE), augment.cutmix if cuts else augment.mixup)
        if not cuts:
            return partners, shares, None
        height, width = self._split.store.shape[1:3]
        middles = self._draw(ids, view, _BOX_X), self._draw(ids, view, _BOX_Y)
        boxes = _boxes(shares, *middles, height, width)
        return partners, 1 - boxes.mean((1, 2, 3)), boxes


def _changes(augment: Augment) -> bool:
    return augment.flip or any(
        (augment.rotate, augment.translate, augment.zoom, augment.contrast, augment.mixup, augment.cutmix)
    )


def _project(raws: NDArray[Any], transforms: NDArray[np.float32], *, nearest: bool) -> NDArray[np.uint8]:
    """(n, height, width) or (n, height, width, channels)."""
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.constant(raws.reshape(*raws.shape[:3], -1), tf.float32),
        transforms=tf.constant(transforms),
        output_shape=tf.constant(raws.shape[1:3], tf.int32),
        fill_value=tf.constant(0.0),
        interpolation="NEAREST" if nearest else "BILINEAR",
        fill_mode="REFLECT",
    )
    return _to_uint8(moved.numpy()).reshape(raws.shape)


def _contrast(raws: NDArray[Any], factors: NDArray[np.float64]) -> NDArray[np.uint8]:
    # The mean is a sum of whole numbers, so no order of adding can change it.
    means = raws.sum((1, 2), dtype=np.int64) / (raws.shape[1] * raws.shape[2])
    middle = means[:, None, None].astype(np.float32)
    return _to_uint8((raws - middle) * factors.reshape(-1, 1, 1, 1).astype(np.float32) + middle)


def _boxes(
    shares: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], height: int, width: int
) -> NDArray[np.bool_]:
    """Where (n, height, width, 1) the partner shows: a box of area 1 - share, cut off at the border."""
    side = np.sqrt(1 - shares)[:, None]
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    inside_rows = np.abs(rows - y[:, None] * height) < side * height / 2
    inside_columns = np.abs(columns - x[:, None] * width) < side * width / 2
    return np.asarray((inside_rows[:, :, None] & inside_columns[:, None, :])[..., None])


def _to_uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
