"""Shares, strata, groups, seeds."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.data.split import assign_splits
from dltk.data.strata import stratified


def shares(targets, validation=0.1, test=0.2, groups=None, seed=0):
    return assign_splits(targets, validation=validation, test=test, groups=groups, seed=seed)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_split_in_the_shares(seed):
    targets = np.repeat(np.arange(3), (1000, 100, 10))
    sides = shares(targets, seed=seed)
    assert np.bincount(sides).tolist() == [777, 111, 222]
    for label, count in enumerate((1000, 100, 10)):
        found = np.bincount(sides[targets == label], minlength=3) / count
        # At even distances a class gets its share rounded up or down: one sample off, and one for what test took.
        assert np.abs(found - (0.7, 0.1, 0.2)).max() <= 2 / count


def test_the_seed_alone_decides():
    targets = np.arange(100) % 4
    assert np.array_equal(shares(targets), shares(targets))
    assert not np.array_equal(shares(targets), shares(targets, seed=1))


def test_rare_classes_keep_a_sample_in_train():
    for seed in range(20):
        targets = np.concatenate([np.zeros(50, int), np.arange(1, 30)])
        sides = shares(targets, validation=0.3, test=0.4, seed=seed)
        assert set(targets[sides == 0]) == set(targets)


def test_no_share_gives_no_side():
    assert not shares(np.arange(10) % 2, validation=0.0, test=0.0).any()


def test_combinations_of_labels_are_strata():
    targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 25, np.float32)
    sides = shares(targets)
    for side, count in ((1, 10), (2, 20)):
        found = targets[sides == side]
        assert len(found) == count
        assert (
            np.abs(found.mean(axis=0) - 0.5).max() <= 1 / count + 1e-6
        )  # one sample, and the rounding of a float32 mean


def test_groups_stay_together_near_the_shares():
    rng = np.random.default_rng(0)
    groups = [f"g{number}" for number in rng.integers(0, 60, 1000)]
    targets = rng.integers(0, 4, 1000)
    sides = shares(targets, groups=groups)
    for name in set(groups):
        assert len({int(side) for side, group in zip(sides, groups, strict=True) if group == name}) == 1
    found = np.bincount(sides) / 1000
    assert np.abs(found - (0.7, 0.1, 0.2)).max() < 0.03  # a group holds about 17 of 1000 samples
    for label in range(4):  # and no class is far off
        assert np.abs(np.bincount(sides[targets == label], minlength=3) / (targets == label).sum() - found).max() < 0.1


def test_a_side_without_a_share_gets_no_group():
    sides = shares(np.arange(40) % 2, validation=0.0, groups=[str(i // 4) for i in range(40)])
    assert set(sides) == {0, 2}


def test_stratified_takes_exactly_as_many():
    targets = np.repeat([0, 1], (90, 10))
    for count in (1, 7, 50, 100, 200):
        found = stratified(targets, count=count, seed=3)
        assert len(found) == len(set(found)) == min(count, 100)
        assert np.array_equal(found, np.sort(found))
    assert np.bincount(targets[stratified(targets, count=50, seed=3)]).tolist() == [45, 5]
    assert len(stratified(targets[:0], count=5, seed=3)) == 0


def test_mixed_samples_keep_the_shares_of_classes_in_every_first_part():
    targets = np.repeat([0, 1, 2], [60, 30, 10])
    drawn = stratified(targets, count=20, seed=3, mixed=True)
    assert list(np.bincount(targets[drawn], minlength=3)) == [12, 6, 2]
    assert list(np.bincount(targets[drawn[:10]], minlength=3)) == [6, 3, 1]
    assert sorted(stratified(targets, count=1000, seed=3, mixed=True)) == list(range(100))


def test_values_are_one_class():
    """A column of values has as many as it has rows: no share could be kept."""
    for mixed in (False, True):
        found = stratified(np.linspace(0.0, 1.0, 30)[:, None], count=7, seed=0, mixed=mixed)
        assert len(set(found)) == 7
