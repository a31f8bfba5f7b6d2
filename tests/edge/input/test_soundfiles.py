"""FLAC and Ogg: read as WAV is with the extra `audio`, named with the remedy without it; streamed and companded WAV."""

from __future__ import annotations

import io
import struct
import sys

import numpy as np
import pytest

import sounds
from dltk.base.errors import EnvironmentFault, InputError
from dltk.edge.input import soundfiles
from dltk.edge.input.recording import length_of, read_recording
from dltk.edge.input.sound import read_sound
from dltk.edge.input.wav import read_wav
from dltk.edge.sources import SOUNDS, list_files

soundfile = pytest.importorskip("soundfile", reason="needs the extra audio")

TONE = sounds.tone(440, seconds=1.0)


def encoded(samples, form, subtype, rate=8000):
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=form, subtype=subtype)
    return stream.getvalue()


@pytest.mark.parametrize(("bits", "step"), [(16, 2.0**-15), (24, 2.0**-23)])
@pytest.mark.parametrize("channels", [1, 2])
def test_flac_gives_the_samples_of_the_wav(bits, step, channels):
    samples = TONE if channels == 1 else np.stack([TONE * 1.5, TONE * 0.5], axis=1)
    found = read_recording(encoded(samples, "FLAC", f"PCM_{bits}"))
    assert found.rate == 8000
    assert found.samples == pytest.approx(TONE, abs=step + 2.0**-25)


@pytest.mark.parametrize(("subtype", "rate"), [("VORBIS", 8000), ("OPUS", 16_000)])
def test_ogg_is_near_the_wav(subtype, rate):
    found = read_recording(encoded(sounds.tone(440, rate=rate, seconds=1.0), "OGG", subtype, rate))
    spectrum = np.abs(np.fft.rfft(found.samples))
    assert spectrum.argmax() * found.rate / len(found.samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_of_any_cut_nothing_is_read(form, subtype):
    whole = encoded(TONE, form, subtype)
    for end in (5, 40, len(whole) // 3, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        with pytest.raises(InputError):
            read_recording(whole[:end])
        with pytest.raises(InputError):
            read_recording(whole[:end], seconds=0.01)


@pytest.mark.parametrize(("form", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_damage_is_an_error_or_a_recording(form, subtype):
    """No traceback, whatever is changed."""
    whole, rng = encoded(TONE, form, subtype), np.random.default_rng(0)
    for _ in range(40):
        data = bytearray(whole)
        for place in rng.integers(4, len(data), 3):
            data[place] = rng.integers(256)
        try:
            assert np.isfinite(read_recording(bytes(data)).samples).all()
        except InputError:
            continue


def test_a_claim_of_many_samples_is_refused():
    data = bytearray(encoded(TONE, "FLAC", "PCM_16"))
    data[21] = (data[21] & 0xF0) | 0x0F  # 36 bits count the samples of a FLAC stream
    data[22:26] = b"\xff" * 4
    with pytest.raises(InputError, match="from 1 to 50000000 time steps"):
        read_recording(bytes(data))


def test_more_than_two_channels_are_refused():
    with pytest.raises(InputError, match="one channel or two"):
        read_recording(encoded(np.stack([TONE] * 3, axis=1), "FLAC", "PCM_16"))


def test_a_length_is_that_of_the_recording(tmp_path):
    files = {"b.flac": encoded(TONE, "FLAC", "PCM_16"), "c.ogg": encoded(TONE, "OGG", "VORBIS")}
    for name, data in ({"a.wav": sounds.wav(TONE)} | files).items():
        (tmp_path / name).write_bytes(data)
        assert length_of(tmp_path / name) == (8000, 1.0)
    (tmp_path / "d.wav").write_bytes(b"RIFF")
    assert length_of(tmp_path / "d.wav") is None
    assert length_of(tmp_path / "none.wav") is None


def test_without_soundfile_the_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "words" / "no").mkdir(parents=True)
    sounds.write(tmp_path / "words" / "yes" / "a.wav", TONE)
    (tmp_path / "words" / "no" / "b.flac").write_bytes(encoded(TONE, "FLAC", "PCM_16"))
    monkeypatch.setattr(soundfiles, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    rule = r"b\.flac: is a FLAC recording, which is read with the package soundfile.*\[audio\]"
    with pytest.raises(EnvironmentFault, match=rule):
        list_files(tmp_path / "words", SOUNDS)
    with pytest.raises(EnvironmentFault, match=rule):
        read_recording(tmp_path / "words" / "no" / "b.flac")


def streamed(riff, data, samples=TONE, cut=0):
    found = bytearray(sounds.wav(samples))
    struct.pack_into("<I", found, 4, riff)
    struct.pack_into("<I", found, 40, data)
    return bytes(found[: len(found) - cut])


@pytest.mark.parametrize(
    ("riff", "data"), [(0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0, 0xFFFFFFFF), (36, 0)]
)
def test_without_sizes_the_samples_reach_to_the_end(riff, data):
    whole = read_wav(sounds.wav(TONE)).samples
    assert np.array_equal(read_wav(streamed(riff, data)).samples, whole)
    assert np.array_equal(read_wav(streamed(riff, data, cut=1)).samples, whole[:-1])


@pytest.mark.parametrize(("riff", "data"), [(16036, 0xFFFFFFFF), (0xFFFFFFFF, 16002), (0, 20_000), (16036, 0)])
def test_sizes_that_contradict_each_other_are_refused(riff, data):
    with pytest.raises(InputError, match=r"must not be truncated|at least one sample"):
        read_wav(streamed(riff, data))


def test_the_loudest_part_is_the_same_for_a_file_and_an_array():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(40_000) * 1e-3
    samples[21_000:23_000] += np.sin(np.arange(2000))
    ops = ({"op": "sound", "rate": 8000, "samples": 4000, "part": "loudest"},)
    raw = np.rint(samples / 1.1 * 2**15).astype(np.int16)
    found = read_sound(raw, ops)
    assert np.array_equal(read_sound(sounds.wav(raw / 2**15), ops), found)
    assert (found.astype(np.float64) ** 2).sum() > 0.99 * (raw[21_000:23_000].astype(np.float64) ** 2).sum()
    assert np.array_equal(read_sound(raw[:4000], ops), raw[:4000])
    silent = np.zeros(9000, np.int16)
    assert not read_sound(silent, ops).any()
    start = ({"op": "sound", "rate": 8000, "samples": 4000},)
    assert np.array_equal(read_sound(raw, start), raw[:4000])


def test_the_loudest_part_of_another_rate():
    """0.1 s at 440 Hz inside two seconds at 44.1 kHz."""
    samples = np.zeros(88_200)
    samples[60_000:64_410] = np.sin(2 * np.pi * 440 * np.arange(4410) / 44_100)
    ops = ({"op": "sound", "rate": 8000, "samples": 1600, "part": "loudest"},)
    found = read_sound(sounds.wav(samples, rate=44_100), ops) / 2**15
    assert (found**2).sum() == pytest.approx(0.5 * 800, rel=0.02)
