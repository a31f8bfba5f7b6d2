"""Views of recordings: shifted, faster or slower, through another microphone, in noise, with parts missing.

Everything is drawn by `dltk.training.views.counter`, so that a view is a function of (sample, view, seed) alone; see
`dltk.training.views.base`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.data.dataset import Split
from dltk.recipe.groups import SoundAugment
from dltk.training.views.base import PLAIN, Views
from dltk.training.views.counter import generator

__all__ = ["SoundViews"]

_SHIFT, _SPEED, _LOUD, _TIME, _TIME_WIDTH, _BAND, _BAND_WIDTH, _TILT = range(20, 28)  # slots
_WAVES = 4  # of the equalizer's curve: half waves over the spectrum, each with a gain of its own
_LOUDEST = 2**15 - 1


class SoundViews(Views):
    """Views of int16 recordings (n, samples)."""

    def __init__(self, split: Split, augment: SoundAugment, *, seed: int, classes: int = 0) -> None:
        super().__init__(split, augment, seed=seed, classes=classes)
        self._augment = augment

    @property
    def changes(self) -> bool:
        """Whether samples are recordings and any view is another than the sample itself."""
        found = self._augment
        return self._split.store.ndim == 2 and any(
            (found.shift, found.speed, found.noise, found.tilt, found.time_mask, found.band_mask, found.mixup)
        )

    def take(self, positions: NDArray[np.int64], view: int) -> NDArray[Any]:
        """Recordings (n, samples), int16, at `positions` of the split, as `view` shows them.

        One that would exceed int16 is made softer as a whole.
        """
        if view == PLAIN or not self.changes:
            return self._split.take(positions)
        found = self._augmented(positions, view)
        if self.mixes:
            partners, shares, _ = self._mixing(positions, view)
            weights = shares[:, None].astype(np.float32)
            found = found * weights + self._augmented(partners, view) * (1 - weights)
        # Softer as a whole rather than clipped: a clipped recording sounds like no microphone's.
        found *= np.minimum(1, _LOUDEST / np.maximum(np.abs(found).max(axis=1, keepdims=True), 1)).astype(np.float32)
        return np.asarray(np.rint(found), np.int16)

    def _augmented(self, positions: NDArray[np.int64], view: int) -> NDArray[np.float32]:
        """float32 (n, samples): each sample by itself, before any blending."""
        ids, augment = self._split.ids[positions], self._augment
        found = self._time_shifted(self._split.take(positions).astype(np.float32), ids, view)
        if augment.noise:
            loud = augment.noise * self._draw(ids, view, _LOUD) ** 2 * np.abs(found).max(axis=1)
            for row, number in enumerate(ids.tolist()):
                noise = generator(self._seed, "noise", view, number).standard_normal(found.shape[1], np.float32)
                found[row] += noise * np.float32(loud[row])
        # Behind the noise, so that it is not always white.
        if augment.tilt or augment.band_mask:
            gains = self._spectral_gains(ids, view, found.shape[1] // 2 + 1)
            found = np.fft.irfft(np.fft.rfft(found, axis=1) * gains, n=found.shape[1], axis=1).astype(np.float32)
        if augment.time_mask:
            found[self._masked(ids, view, found.shape[1], augment.time_mask, _TIME)] = 0
        return found

    def _time_shifted(self, raws: NDArray[np.float32], ids: NDArray[np.int64], view: int) -> NDArray[np.float32]:
        """Speed and shift in one linear interpolation; silence comes in at the ends."""
        augment, count = self._augment, raws.shape[1]
        if not augment.shift and not augment.speed:
            return raws
        speeds = 1 + augment.speed * (2 * self._draw(ids, view, _SPEED) - 1)
        shifts = np.rint(augment.shift * count * (2 * self._draw(ids, view, _SHIFT) - 1))
        places = np.arange(count, dtype=np.float64)
        moved = [
            np.interp((places - shift) * speed, places, raw, left=0.0, right=0.0)
            for raw, speed, shift in zip(raws, speeds, shifts, strict=True)
        ]
        return np.asarray(moved, np.float32)

    def _spectral_gains(self, ids: NDArray[np.int64], view: int, bins: int) -> NDArray[np.float32]:
        """(n, bins): a smooth random curve within `tilt` dB, and none in the masked band."""
        places, decibels = np.linspace(0, np.pi, bins), np.zeros((len(ids), bins))
        for wave in range(1, _WAVES + 1) if self._augment.tilt else ():
            height = self._augment.tilt / _WAVES * (2 * self._draw(ids, view, _TILT + wave) - 1)
            decibels += height[:, None] * np.cos(wave * places)
        gains = 10 ** (decibels / 20)
        if self._augment.band_mask:
            gains[self._masked(ids, view, bins, self._augment.band_mask, _BAND)] = 0
        return gains.astype(np.float32)

    def _masked(
        self, ids: NDArray[np.int64], view: int, count: int, widest: float, slot: int
    ) -> NDArray[np.bool_]:  # fmt: skip
        """(n, count): True in one stretch a row, of a random width up to the share `widest`."""
        width = widest * count * self._draw(ids, view, slot + 1)
        start = (count - width) * self._draw(ids, view, slot)
        places = np.arange(count)
        return np.asarray((places >= start[:, None]) & (places < (start + width)[:, None]))
