"""Views of recordings are functions of (sample, view, seed), and do what their settings say."""

from __future__ import annotations

import numpy as np
import pytest

import sounds
from dltk.data.dataset import Split
from dltk.recipe import SoundAugment
from dltk.training.views.base import PLAIN
from dltk.training.views.factory import views_of

ALL = SoundAugment(
    views=0, shift=0.2, speed=0.2, noise=0.1, tilt=12.0, time_mask=0.2, band_mask=0.2, mixup=0.3
)  # fmt: skip
COUNT, LENGTH = 30, 1600


def split() -> Split:
    tones = [sounds.tone(200 + 40 * number, seconds=0.2, seed=number) for number in range(COUNT)]
    store = np.rint(np.stack(tones) * 2**15).astype(np.int16)
    return Split(store, np.arange(COUNT), np.arange(COUNT) % 3)


def views(augment, seed=1):
    return views_of(split(), augment, seed=seed, classes=3)


def test_a_view_does_not_depend_on_its_batch():
    found, positions = views(ALL), np.arange(COUNT)
    shuffled = np.random.Generator(np.random.PCG64(0)).permutation(COUNT)
    for view in (0, 1):
        together, targets = found.take(positions, view), found.targets(positions, view)
        assert together.dtype == np.int16
        assert together.shape == (COUNT, LENGTH)
        assert np.array_equal(found.take(shuffled, view), together[shuffled])
        assert np.array_equal(found.targets(shuffled, view), targets[shuffled])
        alone = np.concatenate([found.take(np.array([place]), view) for place in (3, COUNT - 1)])
        assert np.array_equal(alone, together[[3, COUNT - 1]])


def test_a_view_depends_on_sample_view_and_seed():
    positions = np.arange(COUNT)
    shown = [views(ALL).take(positions, 0), views(ALL).take(positions, 1), views(ALL, seed=2).take(positions, 0)]
    assert all((one != other).any(axis=1).all() for one in shown for other in shown if one is not other)
    assert np.array_equal(shown[0], views(ALL).take(positions, 0))


@pytest.mark.parametrize("augment", [None, SoundAugment(views=0)])
def test_without_changes_samples_stay_as_they_are(augment):
    found = views(augment)
    assert found.of_epoch(5) == PLAIN
    assert np.array_equal(found.take(np.arange(COUNT), 0), split().store)
    assert np.array_equal(views(ALL).take(np.arange(COUNT), PLAIN), split().store)


def _shift(row, plain):
    """By how many samples `row` stands later than `plain`, silence in its place."""
    for shift in range(-LENGTH // 4, LENGTH // 4 + 1):
        moved = np.zeros(LENGTH, np.int16)
        moved[max(0, shift) : LENGTH + min(0, shift)] = plain[max(0, -shift) : LENGTH - max(0, shift)]
        if np.array_equal(row, moved):
            return shift
    raise AssertionError("not a shift")


def test_shift_moves_and_fills_with_silence():
    shown = views(SoundAugment(views=0, shift=0.25)).take(np.arange(COUNT), 0)
    shifts = [_shift(row, plain) for row, plain in zip(shown, split().store, strict=True)]
    assert min(shifts) < -LENGTH // 16
    assert max(shifts) > LENGTH // 16


def test_speed_changes_the_pitch_by_at_most_its_share():
    def pitches(raws):
        spectra = np.abs(np.fft.rfft(raws * np.hanning(LENGTH), n=8 * LENGTH))
        return spectra.argmax(axis=1)

    ratios = pitches(views(SoundAugment(views=0, speed=0.2)).take(np.arange(COUNT), 0)) / pitches(split().store)
    assert ratios.min() == pytest.approx(0.8, abs=0.1)  # the lowest of 30 uniform draws
    assert ratios.max() == pytest.approx(1.2, abs=0.1)
    assert 0.79 < ratios.min() < ratios.max() < 1.21  # a bin of the spectrum on each side


@pytest.mark.parametrize(("name", "share"), [("time_mask", 0.4), ("band_mask", 0.4)])
def test_masks_silence_one_stretch(name, share):
    noise = np.random.default_rng(0).integers(-9000, 9000, (COUNT, LENGTH)).astype(np.int16)
    part = Split(noise, np.arange(COUNT), np.zeros(COUNT, np.int64))
    shown = views_of(part, SoundAugment(views=0, **{name: share}), seed=0).take(np.arange(COUNT), 0)
    found = shown if name == "time_mask" else np.abs(np.fft.rfft(shown, axis=1))
    quiet = found == 0 if name == "time_mask" else found < 100  # rounding leaves a hundredth of the noise's level
    widths = [max(map(len, "".join("x" if dot else " " for dot in row).split()), default=0) for row in quiet]
    assert max(widths) <= share * found.shape[1] + 1
    assert max(widths) > share * found.shape[1] / 2


def test_tilt_stays_within_its_decibels():
    plain = split().store.astype(np.float64)
    shown = views(SoundAugment(views=0, tilt=6.0)).take(np.arange(COUNT), 0)
    gains = 20 * np.log10(np.std(shown, axis=1) / np.std(plain, axis=1))
    assert np.abs(gains).max() <= 6.01  # rounding to whole steps
    assert np.ptp(gains) > 1


def test_what_grows_louder_than_full_scale_is_made_softer_not_clipped():
    """A clipped sine holds overtones; this one must not."""
    tone = np.sin(2 * np.pi * 400 * np.arange(LENGTH) / 8000) * (2**15 - 1)
    part = Split(np.rint(np.tile(tone, (COUNT, 1))).astype(np.int16), np.arange(COUNT), np.zeros(COUNT, np.int64))
    shown = views_of(part, SoundAugment(views=0, tilt=12.0), seed=0).take(np.arange(COUNT), 0)
    spectra = np.abs(np.fft.rfft(shown, axis=1))
    pitch = LENGTH * 400 // 8000
    overtones = np.delete(spectra, pitch, axis=1).max(axis=1) / spectra[:, pitch]
    assert np.abs(shown.astype(int)).max(axis=1).max() == 2**15 - 1
    assert overtones.max() < 1e-3  # rounding to whole steps; clipped at 12 dB it would be 0.3


def test_noise_is_no_louder_than_its_share():
    plain = split().store.astype(np.float64)
    noise = views(SoundAugment(views=0, noise=0.1)).take(np.arange(COUNT), 0) - plain
    loud = noise.std(axis=1) / np.abs(plain).max(axis=1)
    assert loud.max() < 0.105  # deviation of 1600 draws: within 5%
    assert loud.max() > 0.03


def test_mixup_blends_targets_as_it_blends_recordings():
    found = views(SoundAugment(views=0, mixup=0.4))
    targets = found.targets(np.arange(COUNT), 0)
    assert targets.dtype == np.float32
    assert targets.sum(axis=1) == pytest.approx(np.ones(COUNT), abs=1e-6)
    assert (found.take(np.arange(COUNT), 0) != split().store).any(axis=1).sum() > COUNT // 2
