"""A recording out of a file of any format that is read, and how long it is without decoding it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import IO

from dltk.base.errors import InputError
from dltk.base.files import open_regular
from dltk.edge.input.given import bytes_of, name_of
from dltk.edge.input.soundfiles import compressed_length, is_compressed, read_compressed
from dltk.edge.input.wav import LARGEST_FILE, Sound, read_wav, wav_length

__all__ = ["length_of", "read_recording"]

_HEAD = 1 << 16  # bytes that hold the header of a WAV file; notes in front of the samples may be long


def read_recording(
    source: str | Path | bytes | IO[bytes], *, where: str | None = None, seconds: float = math.inf
) -> Sound:  # fmt: skip
    """The recording in a WAV, FLAC or Ogg file, given by its path, as its bytes or open.

    Args:
        where: what errors name; the path when left out.
        seconds: of the recording's start that are wanted; the whole must be intact all the same.

    Raises:
        InputError: if it cannot be read; see `read_wav` and `read_compressed`.
        EnvironmentFault: if it is FLAC or Ogg, and soundfile is missing.
    """
    place = where or name_of(source, "recording")
    data = bytes_of(source, "recording", LARGEST_FILE)
    if is_compressed(data):
        return read_compressed(data, place, seconds)
    return read_wav(data, where=place, seconds=seconds)


def length_of(path: Path) -> tuple[int, float] | None:
    """(samples per second, seconds) of the recording at `path`; None where its header does not give them.

    Raises:
        EnvironmentFault: if it is FLAC or Ogg, and soundfile is missing.
    """
    try:
        with open_regular(path, follow_links=True) as stream:
            data = stream.read(_HEAD)
            size = path.stat().st_size
            if not is_compressed(data):
                return wav_length(data, size, str(path))
            return compressed_length(data + stream.read(LARGEST_FILE - len(data)), str(path))
    except (InputError, OSError):
        return None
