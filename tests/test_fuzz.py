"""Nothing but dltk's own errors comes out of any reader, within its memory; see `fuzzing.py`."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("onnxruntime")

import fuzzing
from fuzz_values import tried

SECONDS = 300.0


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_a_round(name):
    target = fuzzing.TARGETS[name]
    assert tried(target) == target.round


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_minutes():
    """The same examples each time, as many as there is time for: a failure is found again by its target's name."""
    counts = {name: tried(target, SECONDS / len(fuzzing.TARGETS)) for name, target in fuzzing.TARGETS.items()}
    print(sum(counts.values()), "examples:", counts)
