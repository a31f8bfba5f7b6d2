"""From recordings to spectrograms: resampling keeps what both rates can hold, mel bands lie where they should."""

from __future__ import annotations

import numpy as np
import pytest

import sounds
from dltk.base.errors import InputError
from dltk.edge.bundle.shapes import frames_of
from dltk.edge.input import preprocess
from dltk.edge.input.sound import log_mel, peak, read_sound, resample

OPS = ({"op": "sound", "rate": 8000, "samples": 4000},)
MEL = {
    "op": "log_mel", "rate": 8000, "frame": 256, "hop": 160, "fft": 256, "bands": 20, "low": 60.0, "high": 4000.0,
    "floor": 1e-6,
}  # fmt: skip


def test_16_bit_recordings_at_the_models_rate_stay_as_they_are():
    data = np.random.default_rng(0).integers(-(2**15), 2**15, 3000).astype(np.int16)
    raw = read_sound(sounds.wav(data / 2**15), OPS)
    assert raw.dtype == np.int16
    assert np.array_equal(raw, np.concatenate([data, np.zeros(1000, np.int16)]))
    assert np.array_equal(read_sound(data, OPS), raw)
    assert np.array_equal(read_sound(np.asarray(data / 2**15, np.float32), OPS), raw)


@pytest.mark.parametrize("rate", [4000, 6000, 11_025, 16_000, 22_050, 44_100, 48_000, 8_001, 96_001])
def test_resampling_keeps_a_tone(rate):
    """440 Hz lies far below half of every rate; the window's stop band is 90 dB down, 3e-5 of the amplitude."""
    samples = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
    found = resample(samples, rate, 8000, 10**6)
    assert len(found) == 8000
    wanted = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    assert found[500:-500] == pytest.approx(wanted[500:-500], abs=1e-4)


def test_resampling_takes_out_what_the_lower_rate_cannot_hold():
    """6 kHz at 16 kHz would come back as 2 kHz at 8 kHz."""
    samples = np.sin(2 * np.pi * 6000 * np.arange(16_000) / 16_000)
    assert np.abs(resample(samples, 16_000, 8000, 10**6)[500:-500]).max() < 1e-4


def test_resampling_depends_on_no_more_than_it_keeps():
    samples = np.random.default_rng(1).standard_normal(44_100)
    whole = resample(samples, 44_100, 8000, 10**6)
    assert np.array_equal(resample(samples, 44_100, 8000, 1000), whole[:1000])


@pytest.mark.parametrize("rate", [1000, 44_100, 383_999])
def test_of_a_long_recording_no_more_is_read_than_is_kept(rate):
    """What comes later changes nothing, even where it is no number."""
    samples = np.random.default_rng(4).uniform(-0.5, 0.5, 3 * rate)
    ops = ({"op": "sound", "rate": 1000, "samples": 1500},)
    found = read_sound(sounds.wav(samples, rate=rate, bits=32, codec=3), ops)
    samples[2 * rate :] = np.nan
    assert np.array_equal(read_sound(sounds.wav(samples, rate=rate, bits=32, codec=3), ops), found)
    whole = resample(samples[: 2 * rate].astype(np.float32), rate, 1000, 1500)
    assert np.array_equal(np.rint(whole * 2**15), found)


@pytest.mark.parametrize(("length", "before"), [(1000, 1500), (999, 1500), (4000, 0), (5000, 0)])
def test_a_short_recording_stands_in_the_middle(length, before):
    ops = ({"op": "sound", "rate": 8000, "samples": 4000, "place": "middle"},)
    raw = read_sound(np.full(length, 9, np.int16), ops)
    assert raw.sum() == 9 * min(length, 4000)
    assert np.flatnonzero(raw)[0] == before


@pytest.mark.parametrize("length", [1, 2, 7])
def test_the_shortest_recordings_are_padded(length):
    for rate in (1000, 8000, 384_000):
        raw = read_sound(sounds.wav(np.full(length, 0.5), rate=rate), OPS)
        assert raw.shape == (4000,)
        assert not raw[1000:].any()


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (np.zeros((2, 3), np.int16), "must be int16 or floats"),
        (np.zeros(0, np.int16), "must be int16 or floats"),
        (np.zeros(5, np.int64), "must be int16 or floats"),
        (np.array([0.0, np.nan]), "must hold finite samples"),
    ],
)
def test_arrays_that_are_no_recording(given, rule):
    with pytest.raises(InputError, match=rule):
        read_sound(given, OPS)


@pytest.mark.parametrize("op", [{"rate": 8000}, {"rate": 0, "samples": 5}, {"rate": 8000, "samples": 10**9}])
def test_the_step_sound_of_a_bundle_is_not_believed(op):
    with pytest.raises(InputError, match="preprocess: sound"):
        read_sound(np.zeros(5, np.int16), ({"op": "sound", **op},))
    with pytest.raises(InputError, match="needs a step 'sound'"):
        read_sound(np.zeros(5, np.int16), ())


def test_a_tone_is_loudest_in_its_band():
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22) / 2595) - 1)
    op = {**MEL, "low": 0.0}
    for band in (3, 10, 18):
        tone = np.sin(2 * np.pi * edges[band + 1] * np.arange(4000) / 8000)
        found = log_mel(tone[None], op)[0, :, :, 0]
        assert (found.argmax(axis=1) == band).all()


def test_energy_of_white_noise_is_its_variance_in_every_band():
    """Bands sum to 1 and the window's power is divided out; 24 x 8 frames leave about 7% a band."""
    noise = np.random.default_rng(2).standard_normal((8, 4000)) * 0.1
    found = np.exp(log_mel(noise, MEL)).mean(axis=(0, 1, 3))
    assert found == pytest.approx(np.full(20, 0.01), rel=0.35)


def test_a_spectrogram_does_not_depend_on_its_batch():
    raws = np.random.default_rng(3).integers(-9000, 9000, (5, 4000)).astype(np.int16)
    together = preprocess.apply_ops(raws, ({"op": "peak"}, MEL))
    assert together.dtype == np.float32
    assert together.shape == (5, frames_of(4000, MEL), 20, 1)
    alone = np.concatenate([preprocess.apply_ops(raws[i : i + 1], ({"op": "peak"}, MEL)) for i in range(5)])
    assert np.array_equal(together, alone)


def test_peak_makes_loudness_the_same_and_leaves_silence_silent():
    raws = np.array([[1000, -2000, 500], [0, 0, 0], [1, -1, 0]], np.int16)
    found = peak(raws, {"op": "peak"})
    assert found[0].tolist() == [0.5, -1.0, 0.25]
    assert not found[1].any()
    assert np.abs(found[2]).max() < 0.5  # one step of 16 bits is no speech


@pytest.mark.parametrize(
    "change",
    [
        {"frame": 0}, {"frame": 5000}, {"fft": 128}, {"fft": 10**9}, {"hop": 0}, {"hop": 1.5}, {"bands": 0},
        {"bands": 10**6}, {"low": 4000.0}, {"high": 9000.0}, {"floor": 0.0}, {"frame": "x"}, {"hop": 1, "fft": 2**15},
    ],
)  # fmt: skip
def test_the_step_log_mel_of_a_bundle_is_not_believed(change):
    with pytest.raises(InputError, match="preprocess: log_mel"):
        preprocess.apply_ops(np.zeros((1, 4000), np.int16), ({**MEL, **change},))
