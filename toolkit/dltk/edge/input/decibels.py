"""The front end of a pretrained speech model: a mel spectrogram in decibels, as librosa computes it.

Bands are even on Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above, and each has the
area 1. All sums are taken in float64 and rounded once, so that the device computes what training did.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.edge.bundle.shapes import frames_of
from dltk.edge.bundle.signature import Op

__all__ = ["decibel_mel"]

_FULL_SCALE = 2.0**15
# Hz per mel below the break, the break in Hz, log Hz per mel above it
_LINEAR, _BREAK, _STEP = 200 / 3, 1000.0, np.log(6.4) / 27


def decibel_mel(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """The op "decibel_mel": (n, samples) -> float32 (n, frames, bands, 1), decibels of the power in each mel band.

    Frames of `frame` samples, `hop` apart, under a periodic Hann window of `window` samples in their middle. Samples
    are taken as int16 counts: full scale is 32768. What is more than `range` below the loudest value is raised to that.
    """
    frame, window, hop, fft = (int(op[name]) for name in ("frame", "window", "hop", "fft"))
    shape, hann = batch.shape, np.zeros(frame)
    before = (frame - window) // 2
    hann[before : before + window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    bank = _bank(int(op["rate"]), fft, int(op["bands"]), float(op["low"]), float(op["high"]))
    found = np.empty((len(batch), frames_of(shape[1], op), bank.shape[1], 1), np.float32)
    scale = 1.0 if batch.dtype == np.int16 else _FULL_SCALE
    for row, recording in enumerate(batch):  # one at a time: a spectrum takes many times the samples
        windows = sliding_window_view(np.asarray(recording, np.float64) * scale, frame)[::hop]
        spectrum = np.fft.rfft(windows * hann, n=fft, axis=1)
        power = (spectrum.real**2 + spectrum.imag**2) @ bank
        decibels = 10 * np.log10(np.maximum(power, float(op["floor"])))
        found[row, ..., 0] = np.maximum(decibels, decibels.max() - float(op["range"]))
    return found


@lru_cache(maxsize=8)
def _bank(rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """(fft // 2 + 1, bands): weights of the bins in each band."""
    lowest, highest = _mels(np.array([low, high])).tolist()
    edges = _hertz(np.linspace(lowest, highest, bands + 2))
    bins = np.arange(fft // 2 + 1)[:, None] * rate / fft
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    return np.asarray(np.clip(np.minimum(rising, falling), 0, None) * 2 / (edges[2:] - edges[:-2]))


def _mels(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK / _LINEAR + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR, above)


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK * np.exp(_STEP * (mels - _BREAK / _LINEAR))
    return np.where(mels < _BREAK / _LINEAR, mels * _LINEAR, above)
