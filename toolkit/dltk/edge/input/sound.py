"""From a recording to the model's input: resampled, cut, and as a log-mel spectrogram.

A sample goes two steps, as an image does. `read_sound` gives the raw sample that training caches, int16 (samples,) at
the model's rate; the ops here turn a batch of those into float32 tensors. All sums are taken in float64 and rounded
once, so that the device computes what training did.
"""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Union

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.shapes import frames_of
from dltk.edge.bundle.signature import Op
from dltk.edge.input.given import RECORDING_INPUTS, is_file
from dltk.edge.input.recording import read_recording
from dltk.edge.input.wav import RATES

__all__ = ["SoundSource", "log_mel", "peak", "read_sound", "resample", "sound_op"]

SoundSource = Union[str, Path, bytes, IO[bytes], NDArray[Any]]

_FULL_SCALE = 2.0**15
_ZERO_CROSSINGS = 16  # of the resampling filter, each side, at the lower of the two rates
_PASS = 0.94  # where the filter starts to fall, as a share of the lower rate's half
_CHUNK = 1 << 19  # weights of the filter that are held at a time
_MAX_SAMPLES = 4_000_000
_MAX_PRODUCTS, _COMPUTED = 10_000_000_000, 100  # of one resampling; a weight that is in no table takes as long as 100
_BEYOND = 0.1  # seconds that are read behind what is kept: the filter is shorter at every rate
_PLACES = 100  # per second: where the loudest part of a recording may start
_SILENCE = 1e-4  # below this peak, 80 dB under full scale, a recording is not made louder


def sound_op(ops: tuple[Op, ...]) -> tuple[int, int]:
    """(rate, samples) of the step "sound" among `ops`.

    Raises:
        InputError: if there is none, or its numbers cannot be.
    """
    for op in ops:
        if op["op"] == "sound":
            rate, count = op.get("rate", 0), op.get("samples", 0)
            if not _whole(rate, *RATES) or not _whole(count, 1, _MAX_SAMPLES):
                raise InputError("preprocess: sound", f"needs a rate and up to {_MAX_SAMPLES} samples", dict(op))
            return int(rate), int(count)
    raise InputError("preprocess", "needs a step 'sound'", [op["op"] for op in ops])


def read_sound(source: SoundSource, ops: tuple[Op, ...], *, where: str | None = None) -> NDArray[np.int16]:
    """One raw sample, int16 (samples,): the part of a recording that the step "sound" asks for, zeros behind its end.

    That part is the start, or, with `"part": "loudest"`, the one of that length with the most energy.
    With `"place": "middle"` a shorter recording has as many zeros before as behind it.

    Args:
        source: path, bytes or file object of a WAV, FLAC or Ogg file of any rate, or an array (n,) at the model's rate:
            int16, or floats with full scale at -1 and 1.
        where: how messages call `source`.

    Raises:
        InputError: if it cannot be read; see `dltk.edge.input.recording`.
    """
    rate, count = sound_op(ops)
    step = next(op for op in ops if op["op"] == "sound")
    is_loudest = step.get("part") == "loudest"
    if isinstance(source, np.ndarray):
        found = _checked(source, where or "array")
        found = _loudest(found, count, rate) if is_loudest else found
    elif not is_file(source):
        raise InputError(where or "recording", f"must be {RECORDING_INPUTS}", source)
    else:
        seconds = math.inf if is_loudest else count / rate + _BEYOND
        sound = read_recording(source, where=where, seconds=seconds)
        samples, wanted = sound.samples, math.ceil(count * sound.rate / rate)
        samples = _loudest(samples, wanted, sound.rate, _BEYOND) if is_loudest else samples
        found = resample(samples, sound.rate, rate, count)
    raw = np.zeros(count, np.int16)
    kept = np.rint(found[:count].astype(np.float64) * _FULL_SCALE)
    before = (count - len(kept)) // 2 if step.get("place") == "middle" else 0
    raw[before : before + len(kept)] = np.clip(kept, -_FULL_SCALE, _FULL_SCALE - 1)
    return raw


def _loudest(samples: NDArray[Any], count: int, rate: int, beyond: float = 0.0) -> NDArray[Any]:
    """The `count` of `samples` (n,) with the most energy, and up to `beyond` seconds after them; all if n is smaller.

    Parts start every 10 ms; of equal ones it is the first. Energies are whole numbers of 2**-30, whose sums are exact.
    """
    step = max(1, rate // _PLACES)
    if len(samples) <= count:
        return samples
    blocks = np.add.reduceat(np.asarray(samples, np.float64) ** 2, np.arange(0, len(samples), step))
    energy = np.concatenate([[0.0], np.cumsum(np.rint(blocks * 2.0**30))])
    width = min(-(-count // step), len(blocks))
    start = int(np.argmax(energy[width:] - energy[:-width])) * step
    start = min(start, len(samples) - count)
    return samples[start : start + count + math.ceil(beyond * rate)]


def resample(samples: NDArray[Any], rate: int, wanted: int, most: int) -> NDArray[np.float64]:
    """The first `most` samples at rate `wanted` of `samples` (n,) at `rate`, band-limited.

    A sinc under a Kaiser window (beta 9, about 90 dB), cut off below half of the lower rate: J. O. Smith, "Digital
    audio resampling" (ccrma.stanford.edu/~jos/resample).

    Args:
        rate, wanted: samples per second.

    Raises:
        InputError: if the two rates ask for too many products.
    """
    values = np.asarray(samples)  # float32 ones are widened piece by piece, below
    if rate == wanted:
        return np.asarray(values[:most], np.float64)
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    count = min(most, -(-len(values) * up // down))
    cutoff = _PASS * min(1.0, up / down)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    has_table = up * 2 * half <= _CHUNK
    products = count * 2 * half * (1 if has_table else _COMPUTED)
    if products > _MAX_PRODUCTS:
        rule = f"must be resampled to {wanted} samples per second in at most {_MAX_PRODUCTS} products"
        raise InputError("recording", rule, f"{products}, from {rate}", "Save it at that rate.")
    last = (count - 1) * down // up + half + 1
    padded = np.pad(values[:last], (half - 1, max(0, last - len(values)) + 1))
    windows, found = sliding_window_view(padded, 2 * half), np.empty(count)
    table = _filters(up, cutoff, half) if has_table else None
    step = max(1, _CHUNK // (2 * half))
    for start in range(0, count, step):
        times = np.arange(start, min(start + step, count), dtype=np.int64) * down
        # Rates without a large common divisor have as many places as samples: a table would take 100 MB.
        weights = _weights(times % up / up, cutoff, half) if table is None else table[times % up]
        found[start : start + step] = (windows[times // up] * weights).sum(axis=1)
    return found


@lru_cache(maxsize=8)
def _filters(up: int, cutoff: float, half: int) -> NDArray[np.float64]:
    """(up, 2 * half): the weights for each place between two input samples."""
    return _weights(np.arange(up) / up, cutoff, half)


def _weights(places: NDArray[np.float64], cutoff: float, half: int) -> NDArray[np.float64]:
    """(n, 2 * half): weights of the input samples around output samples that stand at `places` behind one of them."""
    distance = np.arange(1 - half, half + 1) - places[:, None]
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    weights = np.sinc(cutoff * distance) * np.i0(9.0 * np.sqrt(inside))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def peak(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """The op "peak": float32 (n, samples), each recording as loud as full scale allows."""
    values = _floats(batch)
    loudest = np.abs(values).max(axis=1, keepdims=True)
    return np.asarray(values / np.maximum(loudest, _SILENCE), np.float32)


def log_mel(batch: NDArray[Any], op: Op) -> NDArray[np.float32]:
    """The op "log_mel": (n, samples) -> float32 (n, frames, bands, 1), log(floor + energy in each mel band).

    Frames of `frame` samples, `hop` apart, under a periodic Hann window; power of the FFT of length `fft`; `bands`
    triangles that are even on the mel scale 2595 log10(1 + f / 700) between `low` and `high` Hz.
    """
    frame, hop, fft = int(op["frame"]), int(op["hop"]), int(op["fft"])
    frames = frames_of(batch.shape[1], op)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    bank = _mel(int(op["rate"]), fft, int(op["bands"]), float(op["low"]), float(op["high"]))
    found = np.empty((len(batch), frames, bank.shape[1], 1), np.float32)
    for row, recording in enumerate(batch):  # one at a time: a spectrum takes many times the samples
        windows = sliding_window_view(_floats(recording), frame)[::hop]
        spectrum = np.fft.rfft(windows * hann, n=fft, axis=1)
        energy = (spectrum.real**2 + spectrum.imag**2) @ bank / (hann**2).sum()
        found[row, ..., 0] = np.log(energy + float(op["floor"]))
    return found


@lru_cache(maxsize=8)
def _mel(rate: int, fft: int, bands: int, low: float, high: float) -> NDArray[np.float64]:
    """(fft // 2 + 1, bands): weights of the bins in each band, a sum of 1 a band."""
    start, end = (2595 * math.log10(1 + frequency / 700) for frequency in (low, high))
    edges = 700 * (10 ** (np.linspace(start, end, bands + 2) / 2595) - 1)
    bins = np.arange(fft // 2 + 1)[:, None] * rate / fft
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    weights = np.clip(np.minimum(rising, falling), 0, None)
    # A band narrower than a bin may hold none: it takes the nearest one.
    nearest = np.rint(edges[1:-1] * fft / rate).astype(np.int64)
    empty = np.flatnonzero(weights.sum(axis=0) <= 0)
    weights[nearest[empty], empty] = 1.0
    return np.asarray(weights / weights.sum(axis=0))


def _checked(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """Floats (n,), full scale at 1, of an array that a user gave."""
    if values.ndim != 1 or not len(values) or not (values.dtype == np.int16 or values.dtype.kind == "f"):
        received = f"{values.dtype} {values.shape}"
        raise InputError(where, "must be int16 or floats (samples,), at least one", received, _remedy(values))
    found = _floats(values)
    if not np.isfinite(found).all():
        raise InputError(where, "must hold finite samples", "NaN or infinity")
    return found


def _remedy(values: NDArray[Any]) -> str:
    if values.ndim == 2 and 0 not in values.shape:
        axis = 1 if values.shape[0] >= values.shape[1] else 0
        return f"Several recordings go to predict_many; the channels of one become one: recording.mean(axis={axis})."
    if values.dtype.kind == "i":
        return f"Bring it to -1..1: recording / {2 ** (8 * values.dtype.itemsize - 1)}."
    if values.dtype == np.uint8:
        return "Bring it to -1..1: (recording.astype(np.float32) - 128) / 128."
    return ""


def _floats(values: NDArray[Any]) -> NDArray[np.float64]:
    found = np.asarray(values, np.float64)
    return found / _FULL_SCALE if values.dtype == np.int16 else found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
