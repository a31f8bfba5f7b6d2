"""An example of recordings: short signals of four kinds by eight synthetic speakers."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["write_recordings"]

_RATE, _SECONDS = 8000, 0.8
_SPEAKERS = ("ann", "bob", "eva", "ian", "kim", "leo", "mia", "tom")
_EACH = 6  # recordings per class and speaker


def write_recordings(folder: Path) -> None:
    """One subfolder per signal: fall, hiss, pulse, rise; WAV files SPEAKER_NN.wav, 8 kHz, 16 bits, 0.8 seconds.

    A speaker has a pitch, a timbre and a pace of their own, which are the same for all signals.
    """
    rng = np.random.default_rng(21)
    voices = {name: (rng.uniform(250, 600), rng.dirichlet(np.ones(4)), rng.uniform(0.8, 1.2)) for name in _SPEAKERS}
    for kind in ("fall", "hiss", "pulse", "rise"):
        (folder / kind).mkdir()
        for speaker, voice in voices.items():
            for number in range(1, _EACH + 1):
                _save(_signal(rng, kind, *voice), folder / kind / f"{speaker}_{number:02}.wav")


def _signal(
    rng: np.random.Generator, kind: str, pitch: float, timbre: NDArray[np.float64], pace: float
) -> NDArray[np.float64]:
    """One recording, values from -1 to 1, with silence and noise around the signal."""
    count = int(_RATE * _SECONDS)
    length = int(_RATE * 0.45 * pace * rng.uniform(0.9, 1.1))
    t = np.arange(length) / length
    pitch *= rng.uniform(0.95, 1.05)
    bend = {"rise": 2.0**t, "fall": 2.0 ** (1 - t)}.get(kind, np.full(length, 1.4))
    phase = 2 * np.pi * np.cumsum(pitch * bend) / _RATE
    tone = sum(weight * np.sin((number + 1) * phase) for number, weight in enumerate(timbre))
    if kind == "hiss":
        tone = np.diff(rng.normal(0, 0.5, length + 1))
    if kind == "pulse":
        tone = tone * (np.sin(2 * np.pi * 4 * t) > 0)
    tone = tone * np.minimum(1, np.minimum(t, 1 - t) * 12)  # a soft start and end
    sound = rng.normal(0, 0.01, count)
    start = rng.integers(0, count - length)
    sound[start : start + length] += tone / np.abs(tone).max() * rng.uniform(0.3, 0.8)
    return np.clip(sound, -1, 1)


def _save(sound: NDArray[np.float64], path: Path) -> None:
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(_RATE)
        stream.writeframes((sound * 32767).round().astype("<i2").tobytes())
