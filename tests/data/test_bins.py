"""Bins of numbers: where they lie, what a number becomes, on the workstation and on the device alike."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.data.bins import bins_of
from dltk.edge.bundle.shapes import tensor_shape
from dltk.edge.input.preprocess import apply_ops

RNG = np.random.default_rng(0)


def encoded(numbers, most=16):
    """The bins of `numbers` (n, columns) alone, and the step; nothing is standardized."""
    columns = numbers.shape[1]
    op = {"op": "bins", **bins_of(numbers, [0.0] * columns, [1.0] * columns, most)}
    return apply_ops(np.asarray(numbers, np.float32), [op])[:, columns:], op


def test_a_straight_line_and_a_bent_one_are_sums_of_bins():
    numbers = np.sort(RNG.lognormal(size=(800, 1)), axis=0)
    found, op = encoded(numbers)
    assert found.shape == (800, 16)
    assert found.min() == 0.0
    assert found.max() == 1.0
    line = op["low"][0] + found @ np.asarray(op["width"])
    assert line == pytest.approx(numbers[:, 0], abs=1e-4)  # float32 sums
    bent = np.abs(numbers[:, 0] - op["low"][7])  # bends where a bin ends
    signed = np.asarray(op["width"]) * np.where(np.arange(16) < 7, -1, 1)
    assert found @ signed + op["low"][7] - op["low"][0] == pytest.approx(bent, abs=1e-4)


def test_each_bin_has_its_share_of_the_rows_and_few_numbers_have_one_bin_between_two():
    _, op = encoded(RNG.lognormal(size=(1600, 1)))
    assert len(op["low"]) == 16
    counted = np.concatenate([RNG.integers(0, 4, (300, 1)), RNG.integers(0, 2, (300, 1)), np.ones((300, 1))], axis=1)
    found, op = encoded(counted)
    assert op["column"] == [0, 0, 0]  # a bin between each two numbers; one of two numbers is the number itself
    assert set(np.unique(found)) == {0.0, 1.0}


def test_many_columns_have_fewer_bins_and_none_at_the_end():
    assert len(encoded(RNG.normal(size=(800, 10)))[1]["low"]) == 160
    assert len(encoded(RNG.normal(size=(800, 100)))[1]["low"]) == 400
    assert len(encoded(RNG.normal(size=(200, 10)))[1]["low"]) == 40  # fifty rows a bin
    assert bins_of(RNG.normal(size=(50, 400)), [0.0] * 400, [1.0] * 400, 16) == {}
    assert bins_of(RNG.normal(size=(50, 2)), [0.0] * 2, [1.0] * 2, 0) == {}


def test_an_empty_number_has_the_bins_of_the_mean_and_a_far_one_those_of_the_end():
    numbers = RNG.normal(size=(400, 1))
    _, op = encoded(numbers)
    given = np.array([[np.nan], [0.0], [1e30], [-1e30]], np.float32)
    empty, mean, high, low = apply_ops(given, [op])[:, 1:]
    assert (empty == mean).all()
    assert (high == 1).all()
    assert (low == 0).all()
    with_empty = np.where(RNG.random(numbers.shape) < 0.2, np.nan, numbers)
    assert np.isfinite(encoded(with_empty)[1]["low"]).all()


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"column": [0, 2]}, "must be one of a sample"),
        ({"column": [0]}, "must have one number a bin"),
        ({"width": [1.0]}, "must have one number a bin"),
    ],
)
def test_a_step_that_does_not_fit_the_columns_is_refused(changed, rule):
    op = {"op": "bins", "column": [0, 1], "low": [0.0, 0.0], "width": [1.0, 1.0]} | changed
    with pytest.raises(InputError, match=rule):
        tensor_shape((2,), (op,))
    with pytest.raises(InputError, match="must fit samples"):
        apply_ops(np.zeros((3, 2), np.float32), [op])
