"""How recordings are heard: the sample rate, and how much of each, from what the recordings themselves are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.pool import Pool
from dltk.edge.input.recording import length_of
from dltk.edge.input.wav import RATES
from dltk.recipe import SoundData

__all__ = ["Hearing", "hear"]

_MEASURED = 2000  # recordings whose headers are read
_HIGHEST = 16_000  # samples per second, unless set: speech has little above 8 kHz
_QUANTILE = 0.95  # of the lengths
_ROOM = 1.15  # around words of many lengths: views shift and stretch them
_CUT = 0.98  # median over that quantile: recordings that were cut to one length have their room already
_STEP = 0.05  # seconds: a length is a multiple of it
_SECONDS = (0.25, 10.0)  # shortest and longest, unless set
_LEAST = 0.05  # seconds that may be set


@dataclass(frozen=True)
class Hearing:
    """What the model hears of a recording.

    Attributes:
        rate: samples per second.
        seconds: the length of a sample.
    """

    rate: int
    seconds: float


def hear(pool: Pool, settings: SoundData, *, least: float = 0.0, progress: Progress) -> Hearing:
    """The rate and the length of `settings`; what is 0 there comes from the headers of the recordings.

    The rate is the commonest one, of equally common ones the higher, and at most 16,000: a lower one stays as it is.
    The length holds 95% of the recordings whole, with 15% of room unless all have one length, and lies between 0.25
    and 10 s, a multiple of 0.05 s. What was taken from the data is logged.

    Args:
        least: seconds that the model needs.

    Raises:
        InputError: if `settings.rate` or `settings.seconds` cannot be.
        EnvironmentFault: if a FLAC or Ogg file is among them, and soundfile is missing.
    """
    if settings.rate and settings.rate < RATES[0]:
        raise InputError("setting data.rate", f"must be 0 or at least {RATES[0]}", settings.rate)
    if settings.seconds and settings.seconds < _LEAST:
        raise InputError("setting data.seconds", f"must be 0 or at least {_LEAST:g}", settings.seconds)
    if settings.rate and settings.seconds:
        return Hearing(settings.rate, settings.seconds)
    rows = np.unique(np.linspace(0, len(pool) - 1, min(len(pool), _MEASURED)).astype(np.int64))
    read = (pool.read(row) for row in rows.tolist())
    found = [length for path in read if isinstance(path, Path) and (length := length_of(path)) is not None]
    if not found:  # nothing can be read: the decoder reports why, file by file
        return Hearing(settings.rate or _HIGHEST, settings.seconds or max(least, 1.0))
    rates, lengths = [rate for rate, _ in found], [seconds for _, seconds in found]
    heard = Hearing(settings.rate or _rate(rates), settings.seconds or max(least, _seconds(lengths)))
    progress.log(f"data {pool.source}: {_words(heard, settings, rates, lengths)}")
    return heard


def _rate(rates: Sequence[int]) -> int:
    counts = Counter(rates)
    return min(_HIGHEST, max(counts, key=lambda rate: (counts[rate], rate)))


def _seconds(lengths: Sequence[float]) -> float:
    most = float(np.quantile(lengths, _QUANTILE, method="higher"))
    room = 1.0 if np.median(lengths) >= _CUT * most else _ROOM
    steps = math.ceil(room * most / _STEP - 1e-9)
    return round(min(max(steps * _STEP, _SECONDS[0]), _SECONDS[1]), 2)


def _words(heard: Hearing, settings: SoundData, rates: Sequence[int], lengths: Sequence[float]) -> str:
    """One line: what the recordings are, what was made of it, and the settings that change it."""
    kinds = Counter(rates).most_common(3)
    listed = ", ".join(f"{count:,} of {rate} Hz" for rate, count in kinds) + (" ..." if len(set(rates)) > 3 else "")
    middle, longest = float(np.median(lengths)), max(lengths)
    chosen: list[str] = [] if settings.rate else [f"data.rate={heard.rate}"]
    chosen += [] if settings.seconds else [f"data.seconds={heard.seconds:g}"]
    longer = sum(length > heard.seconds for length in lengths)
    cut = f"; of {longer:,} longer ones the {_part(settings)} is used" if longer else ""
    lower = 0 if settings.rate else sum(rate < heard.rate for rate in rates)
    thin = f"; {lower:,} of a lower rate hold less of the spectrum, and set data.rate={min(rates)} to use no more" if (
        lower
    ) else ""  # fmt: skip
    lasts = f"{middle:.2f} s in the middle and {longest:.2f} s at most"
    return f"{len(rates):,} recordings measured ({listed}; {lasts}): {' '.join(chosen)}{cut}{thin}"


def _part(settings: Any) -> str:
    return "loudest part" if settings.part == "loudest" else "start"
