"""The file of a quantization plan."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.quantization.plan import Affine8, QuantizationPlan, affine8


def plan() -> QuantizationPlan:
    return QuantizationPlan(
        "int8",
        "shared",
        tensors={"image": affine8(-1, 1), "a/b:0": affine8(0, 6)},
        weights={"conv": np.array([0.1, 0.2], np.float32)},
        floats={"norm": "no kernel"},
        calibration={"method": "min-max", "samples": 3, "digest": "00"},
        samples={"image": np.zeros((2, 3), np.float32)},
    )


def test_a_plan_comes_back_as_it_was_saved(tmp_path):
    plan().save(tmp_path / "one.npz")
    found = QuantizationPlan.load(tmp_path / "one.npz")
    assert found.tensors == plan().tensors
    assert found.floats == plan().floats
    assert found.calibration == plan().calibration
    np.testing.assert_array_equal(found.weights["conv"], plan().weights["conv"])
    np.testing.assert_array_equal(found.samples["image"], plan().samples["image"])


def test_equal_plans_give_equal_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        plan().save(tmp_path / name)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


@pytest.mark.parametrize("damage", [b"", b"PK", b"not a zip at all"])
def test_a_damaged_plan_is_refused(tmp_path, damage):
    (tmp_path / "plan.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"plan\.npz"):
        QuantizationPlan.load(tmp_path / "plan.npz")


def test_a_truncated_plan_is_refused(tmp_path):
    path = tmp_path / "plan.npz"
    plan().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"plan\.npz"):
        QuantizationPlan.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "int4"}, r"precision: must be one of .*int8.*; received int4"),
        ({"precision": None}, "precision: must be one of"),
        ({"ranges": ["shared"]}, "ranges: must be one of shared, native, none"),
        ({"format": 2}, "must have format 1"),
        ({"tensors": []}, "must be a whole quantization plan"),
        ({"floats": 3}, "must be a whole quantization plan"),
    ],
)
def test_a_plan_that_says_what_no_plan_says_is_refused(tmp_path, change, message):
    path = tmp_path / "plan.npz"
    plan().save(path)
    with np.load(path) as found:
        arrays = dict(found)
    meta = json.loads(arrays["meta"].tobytes()) | change
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        QuantizationPlan.load(path)
    assert caught.value.exit_code == 3


def test_a_missing_plan_is_refused(tmp_path):
    with pytest.raises(InputError, match="must exist"):
        QuantizationPlan.load(tmp_path / "none.npz")


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 6), (0.5, 2), (-3, -1), (0, 0), (-1e-12, 1e-12), (-7, 0.01)])
def test_zero_lies_on_the_grid_and_the_range_inside_it(low, high):
    grid = affine8(low, high)
    assert 0 <= grid.zero_point <= 255
    assert grid.scale > 0
    # The zero point is rounded: the grid may fall short of the range by half a step.
    assert grid.low <= min(low, 0) + grid.scale / 2
    assert grid.high >= max(high, 0) - grid.scale / 2
    assert grid.low <= 0 <= grid.high


def test_affine8_says_what_it_holds():
    assert Affine8(0.5, 10).low == -5
    assert Affine8(0.5, 10).high == 122.5
