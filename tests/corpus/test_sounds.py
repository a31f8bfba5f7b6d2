"""Recordings as phones, pipes, exchanges and speech corpora leave them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import sounds
from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_WORDS = {"high": 900.0, "low": 300.0}
_SPEAKERS = ("ann", "bob", "cid", "dee")
_KEEP = ("data.part=start",)  # the samples are compared from the first one on


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))


def _recordings(count: int = 24, seconds: float = 0.3, rate: int = 8000) -> Iterator[tuple[str, int, NDArray[Any]]]:
    """(word, number, samples) of each recording."""
    for word, pitch in _WORDS.items():
        for number in range(count):
            yield word, number, sounds.tone(pitch + number, rate=rate, seconds=seconds, seed=number)


def _write(folder: Path, encode: Callable[[NDArray[Any]], bytes], *, suffix: str = ".wav", name: str = "{1}") -> Path:
    for word, number, samples in _recordings():
        path = folder / "words" / word / (name.format(word, number, _SPEAKERS[number % 4]) + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(samples))
    return folder / "words"


def _require(dataset: Dataset, *, rate: int = 8000, seconds: float = 0.3, near: float = 1e-3, last: int = 0) -> None:
    """Every recording is there, at the rate and of the length, with the samples that were written but the `last`."""
    assert dataset.labels == ("high", "low")
    assert (dataset.report["rate"], dataset.report["seconds"]) == (rate, seconds)
    assert dataset.report["unreadable"] == 0
    splits = (dataset.train, dataset.validation, dataset.test)
    assert sum(map(len, splits)) == 48
    assert min(map(len, splits)) > 0
    found = np.concatenate([split.take(slice(None)) for split in splits]) / 2**15
    wanted = [samples for _, _, samples in _recordings()]
    unmatched = [_nearest(row[: len(wanted[0]) - last], wanted) for row in found] if rate == 8000 else []
    assert all(distance <= near for distance in unmatched)


def _nearest(row: NDArray[Any], wanted: list[NDArray[Any]]) -> float:
    return min(float(np.abs(row - each[: len(row)]).max()) for each in wanted)


def _streamed(samples: NDArray[Any], *, riff: int, data: int, cut: int = 0) -> bytes:
    found = bytearray(sounds.wav(samples))
    struct.pack_into("<I", found, 4, riff)
    struct.pack_into("<I", found, 40, data)
    return bytes(found[: len(found) - cut])


def _companded(samples: NDArray[Any], *, codec: int) -> bytes:
    """mu-law (7) or A-law (6), by the nearest of the 256 values."""
    from dltk.edge.input.wav import _companded as table

    values = table(codec == 6)
    codes = np.abs(samples[:, None] - values[None]).argmin(axis=1).astype(np.uint8)
    header = struct.pack("<HHIIHHH", codec, 1, 8000, 8000, 1, 8, 0)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header
    chunks += b"fact" + struct.pack("<II", 4, len(codes))
    chunks += b"data" + struct.pack("<I", len(codes)) + codes.tobytes() + b"\0" * (len(codes) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _doubles(samples: NDArray[Any]) -> bytes:
    body = samples.astype("<f8").tobytes()
    header = struct.pack("<HHIIHH", 3, 1, 8000, 64_000, 8, 64)
    chunks = b"fmt " + struct.pack("<I", 16) + header + b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def _encoded(samples: NDArray[Any], *, format: str, subtype: str) -> bytes:
    soundfile = pytest.importorskip("soundfile")
    stream = io.BytesIO()
    soundfile.write(stream, samples, 8000, format=format, subtype=subtype)
    return stream.getvalue()


def _mixed_rates(folder: Path) -> Path:
    for word, number, samples in _recordings(rate=48_000):
        rate = 48_000 if number % 4 else 24_000
        sounds.write(folder / "words" / word / f"{number}.wav", samples[:: 48_000 // rate], rate=rate)
    return folder / "words"


def _long_ones(folder: Path) -> Path:
    """A word of 0.3 s somewhere in 20 s of near silence."""
    for word, number, samples in _recordings():
        whole = np.random.default_rng(number).standard_normal(160_000) * 1e-4
        start = 8000 + 5000 * number
        whole[start : start + len(samples)] += samples
        sounds.write(folder / "words" / word / f"{number}.wav", whole)
    return folder / "words"


def _require_loud(dataset: Dataset) -> None:
    assert (dataset.report["rate"], dataset.report["seconds"]) == (8000, 10.0)
    for split in (dataset.train, dataset.validation, dataset.test):
        assert (np.abs(split.take(slice(None)).astype(np.int32)).max(axis=1) > 10_000).all()


def _require_speakers(dataset: Dataset, place: Callable[[int], int]) -> None:
    """No speaker in two splits; rows are sorted by name, the words one after the other."""
    _require(dataset)
    splits = [{place(int(row)) for row in split.rows} for split in (dataset.train, dataset.validation, dataset.test)]
    assert sum(map(len, splits)) == len(set.union(*splits)) == 4


def _by_name(row: int) -> int:
    """The speaker of a row whose name begins with the speaker: six recordings of each, word by word."""
    return row % 24 // 6


def _pipe(riff: int, data: int, cut: int = 0) -> Callable[[Path], Path]:
    return partial(_write, encode=partial(_streamed, riff=riff, data=data, cut=cut))


_FLAC = partial(_encoded, format="FLAC", subtype="PCM_16")
_OGG = partial(_encoded, format="OGG", subtype="VORBIS")
_NAMES = "{2}_{1:02}"
CASES = (
    Case("telephone: 8 kHz and a third of a second", "audio-keyword", partial(_write, encode=sounds.wav), _require,
         said=("data.rate=8000 data.seconds=0.3",), settings=_KEEP),
    Case("a pipe of ffmpeg: all sizes 0xFFFFFFFF", "audio-keyword", _pipe(0xFFFFFFFF, 0xFFFFFFFF), _require),
    Case("a pipe of SoX", "audio-keyword", _pipe(0x7FFFF024, 0x7FFFF000), _require),
    Case("a pipe that was closed within a sample", "audio-keyword", _pipe(0, 0, cut=1),
         partial(_require, last=1)),
    Case("a recorder that lost power: sizes of an empty file", "audio-keyword", _pipe(36, 0), _require),
    Case("mu-law of a telephone exchange", "audio-keyword", partial(_write, encode=partial(_companded, codec=7)),
         partial(_require, near=0.02)),
    Case("A-law of a telephone exchange", "audio-keyword", partial(_write, encode=partial(_companded, codec=6)),
         partial(_require, near=0.02)),
    Case("floats of 64 bits", "audio-keyword", partial(_write, encode=_doubles), _require),
    Case("FLAC", "audio-keyword", partial(_write, encode=_FLAC, suffix=".flac"), _require),
    Case("Ogg Vorbis", "audio-keyword", partial(_write, encode=_OGG, suffix=".ogg"), partial(_require, near=0.2)),
    Case("48 kHz and 24 kHz side by side", "audio-keyword", _mixed_rates, partial(_require, rate=16_000),
         said=("36 of 48000 Hz, 12 of 24000 Hz", "data.rate=16000")),
    Case("a word somewhere in 20 seconds", "audio-keyword", _long_ones, _require_loud,
         said=("the loudest part is used",)),
    Case("speakers in the names", "audio-keyword", partial(_write, encode=sounds.wav, name=_NAMES), _require,
         said=("data.group=name:0 (ann, bob, cid, dee)",)),
    Case("four speakers for three splits", "audio-keyword", partial(_write, encode=sounds.wav, name=_NAMES),
         partial(_require_speakers, place=_by_name), settings=("data.group=name:0",), flag="data.validation=0.25"),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_recordings_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
