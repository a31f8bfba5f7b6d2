"""FLAC and Ogg (Vorbis, Opus) recordings, decoded by soundfile (the extra `audio`), on a device, too.

What is truncated is refused: of a FLAC file all samples that its header counts must be there, and an Ogg stream must
come to its end (RFC 3533).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import open_regular
from dltk.base.install import pip_extra
from dltk.edge.input.formats import BEGINNING, format_of
from dltk.edge.input.wav import MOST_STEPS, RATES, Sound

__all__ = ["decoder_version", "is_compressed", "read_compressed", "require_decoder", "compressed_length"]

_MAGIC = (b"fLaC", b"OggS")
_SUFFIXES = (".flac", ".ogg", ".oga", ".opus")
_LAST = 4  # flag of the last page of an Ogg stream
_PIECE = 1 << 18  # time steps that are decoded at a time
_HINT = "Save it as 16-bit PCM WAV, mono."


def is_compressed(data: bytes) -> bool:
    """Whether a file that begins with `data` is FLAC or Ogg."""
    return data[:4] in _MAGIC


def read_compressed(data: bytes, place: str, seconds: float) -> Sound:
    """The recording in the FLAC or Ogg file `data`; `place` is what errors name.

    Args:
        seconds: of its start that are wanted; the whole must be intact all the same.

    Raises:
        InputError: if it cannot be decoded, is truncated, has more than two channels, another rate than `RATES`
            allows, or over 50 million time steps.
        EnvironmentFault: if soundfile is missing.
    """
    _require_last_page(data, place)
    found: list[np.ndarray[Any, Any]] = []
    with _opened(data, place) as opened:
        rate, there, left = opened.samplerate, opened.frames, opened.frames
        kept = there if math.isinf(seconds) else min(there, max(1, math.ceil(seconds * rate)))
        try:
            while left and len(piece := opened.read(min(left, _PIECE), dtype="float32", always_2d=True)):
                if there - left < kept:
                    found.append(piece[: kept - (there - left)].mean(axis=1))
                left -= len(piece)
        except RuntimeError as fault:
            raise InputError(place, "must be a recording that can be decoded", str(fault), _HINT) from fault
    if left:
        received = f"{there - left} of its {there} samples"
        raise InputError(place, "must not be truncated", received, "Record or copy it again.")
    samples = np.concatenate(found).astype(np.float32)
    if not np.isfinite(samples).all():
        raise InputError(place, "must hold finite samples", "NaN or infinity")
    return Sound(samples, rate)


def compressed_length(data: bytes, place: str) -> tuple[int, float]:
    """(samples per second, seconds) of the FLAC or Ogg file `data`.

    Raises:
        InputError: if it cannot be opened, or as `read_compressed`.
        EnvironmentFault: if soundfile is missing.
    """
    with _opened(data, place) as opened:
        return int(opened.samplerate), opened.frames / opened.samplerate


def require_decoder(paths: Iterable[Path]) -> None:
    """Raise EnvironmentFault if a FLAC or Ogg file is among `paths`, by name and content, and soundfile is missing."""
    if find_spec("soundfile") is not None:
        return
    for path in paths:
        if path.suffix.lower() in _SUFFIXES and path.is_file():
            with open_regular(path, follow_links=True) as stream:
                if is_compressed(data := stream.read(BEGINNING)):
                    raise _missing(str(path), data)


def decoder_version() -> str | None:
    """Of soundfile; None where it is not installed."""
    try:
        return metadata.version("soundfile")
    except metadata.PackageNotFoundError:
        return None


def _opened(data: bytes, place: str) -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as fault:  # OSError: without the library that it calls
        raise _missing(place, data) from fault
    try:
        opened = soundfile.SoundFile(io.BytesIO(data))
    except (RuntimeError, TypeError, ValueError) as fault:
        raise InputError(place, "must be a recording that can be decoded", str(fault), _HINT) from fault
    if opened.channels not in (1, 2):
        raise InputError(place, "must have one channel or two", opened.channels, _HINT)
    if not RATES[0] <= opened.samplerate <= RATES[1]:
        rule = f"its rate must lie between {RATES[0]} and {RATES[1]} samples per second"
        raise InputError(place, rule, opened.samplerate)
    if not 0 < opened.frames <= MOST_STEPS:
        rule = f"must have from 1 to {MOST_STEPS} time steps"
        raise InputError(place, rule, opened.frames, "Cut it into shorter ones.")
    return opened


def _require_last_page(data: bytes, place: str) -> None:
    """Raise InputError unless an Ogg stream ends with a whole page that is marked as the last one."""
    if data[:4] != b"OggS":
        return
    at = data.rfind(b"OggS")
    count = data[at + 26] if at + 26 < len(data) else 256
    sizes = data[at + 27 : at + 27 + count]
    is_whole = len(sizes) == count and at + 27 + count + sum(sizes) <= len(data)
    if not is_whole or not data[at + 5] & _LAST:
        received = "an Ogg stream without its last page"
        raise InputError(place, "must not be truncated", received, "Record or copy it again.")


def _missing(where: str, data: bytes) -> EnvironmentFault:
    found = format_of(data[:BEGINNING])
    name = found.name if found is not None else "a compressed recording"
    hint = f"Run `{pip_extra('audio')}`, or save it as 16-bit PCM WAV."
    return EnvironmentFault(where, f"is {name}, which is read with the package soundfile", hint=hint)
