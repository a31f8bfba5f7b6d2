"""The WAV reader: every codec it takes, and every way in which a file can be none of them."""

from __future__ import annotations

import struct

import numpy as np
import pytest

import sounds
from dltk.base.errors import InputError
from dltk.edge.input.wav import read_wav

TONE = sounds.tone(440)


@pytest.mark.parametrize(
    ("how", "step"),
    [
        ({"bits": 8}, 2.0**-7),
        ({"bits": 16}, 2.0**-15),
        ({"bits": 24}, 2.0**-23),
        ({"bits": 32}, 2.0**-24),  # float32 holds no finer steps near 0.5
        ({"bits": 32, "codec": 3}, 2.0**-24),
        ({"bits": 24, "extensible": True}, 2.0**-23),
        ({"bits": 32, "codec": 3, "extensible": True}, 2.0**-24),
    ],
)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_codec_gives_the_samples(how, step, channels, tmp_path):
    """To half a step of the file's numbers, and float32's own rounding."""
    samples = TONE if channels == 1 else np.stack([TONE * 1.5, TONE * 0.5], axis=1)
    found = read_wav(sounds.write(tmp_path / "a.wav", samples, rate=11_025, **how))
    assert found.rate == 11_025
    assert found.samples.dtype == np.float32
    assert found.samples == pytest.approx(TONE, abs=step / 2 + 2.0**-25)


def test_both_ends_of_the_scale():
    ends = np.array([-1.0, 0.0, 1.0])
    for bits in (8, 16, 24, 32):
        found = read_wav(sounds.wav(ends, bits=bits)).samples
        assert found[:2].tolist() == [-1.0, 0.0]
        assert found[2] == pytest.approx(1 - 2.0 ** (1 - bits), abs=1e-7)  # float32 near 1


def test_other_chunks_are_passed_over():
    plain = sounds.wav(TONE)
    odd = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + plain[12:] + b"id3 " + struct.pack("<I", 0)
    assert np.array_equal(read_wav(odd).samples, read_wav(plain).samples)


def patched(place, form, value):
    data = bytearray(sounds.wav(TONE))
    struct.pack_into(form, data, place, value)
    return bytes(data)


DATA = 36  # where the chunk "data" starts


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "must be a WAV file"),
        (b"ID3\x04" + bytes(100), "must be a WAV file"),
        (b"RIFX" + sounds.wav(TONE)[4:], "must be a WAV file"),
        (sounds.wav(TONE)[:-10], "must not be truncated; received 4790 of the 4800 bytes of chunk b'data'"),
        (patched(DATA + 4, "<I", 0xFFFFFFFF), "must not be truncated"),
        (sounds.wav(TONE)[:DATA], "must hold a chunk 'data'"),
        (sounds.wav(TONE)[:12] + sounds.wav(TONE)[DATA:], "'fmt ' before 'data'"),
        (patched(16, "<I", 14)[:34] + sounds.wav(TONE)[DATA:], "at least 16 bytes; received 14"),
        (sounds.wav(np.zeros(0)), "at least one sample; received 0"),
        (patched(DATA + 4, "<I", 4799), "whole time steps of 2 bytes; received 4799"),
        (patched(20, "<H", 2), "mu-law or A-law samples; received codec 0x0002"),
        (patched(20, "<H", 0xFFFE), "mu-law or A-law samples; received codec 0xfffe"),
        (patched(34, "<H", 12), "8 or 16 or 24 or 32 bits; received 12"),
        (patched(22, "<H", 6), "one channel or two; received 6"),
        (patched(22, "<H", 0), "one channel or two; received 0"),
        (patched(24, "<I", 0), "its rate must lie between 1000 and 384000 samples per second; received 0"),
        (patched(24, "<I", 4_000_000_000), "its rate must lie between"),
        (patched(32, "<H", 4), "2 bytes for each time step; received 4"),
        (sounds.wav(np.array([0.0, np.nan]), bits=32, codec=3), "finite samples"),
        (sounds.wav(np.array([0.0, np.inf]), bits=32, codec=3), "finite samples"),
    ],
)
def test_what_is_no_recording_is_said(data, rule, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_wav(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert rule in str(caught.value)


def test_no_cut_of_a_file_does_anything_but_raise():
    whole = sounds.wav(TONE[:40])
    for end in range(len(whole)):
        with pytest.raises(InputError):
            read_wav(whole[:end])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.wav"):
        read_wav(tmp_path / "none.wav")
