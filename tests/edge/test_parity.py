"""What is said of how far apart two files' answers are agrees with the verdict."""

from __future__ import annotations

import numpy as np
import pytest

import tiny
from dltk.edge.parity import COSINE, MAX_ABS, compare, parity_text

REFERENCE = {"logits": np.array([[400.0, 0.0, 0.0], [0.0, 400.0, 0.0]], np.float32)}


@pytest.mark.parametrize(("off", "passed"), [(0.003, True), (0.005, False)])
def test_a_difference_stands_beside_the_limit_that_it_is_held_to(off, passed):
    found = compare(REFERENCE, {"logits": REFERENCE["logits"] + off}, tiny.SIGNATURE, measure=MAX_ABS, tolerance=1e-5)
    assert found["passed"] is passed
    # 1e-5 of the largest reference, 400; three digits are shown, and float32 keeps more of 400.003.
    assert parity_text(found) == f"differs from the reference by {off} (at most 0.004)"


def test_a_cosine_stands_beside_the_least_that_passes():
    other = {"logits": REFERENCE["logits"][:, [1, 0, 2]]}
    found = compare(REFERENCE, other, tiny.SIGNATURE, measure=COSINE, tolerance=0.99, top1_tolerance=0.95)
    assert found["passed"] is False
    assert parity_text(found) == (
        "mean cosine with the reference is 0.0000 (at least 0.99), top-1 agreement 0.0000 (at least 0.95)"
    )
