"""Nothing but dltk's own errors comes out of any reader; see `fuzzing.py`."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("onnxruntime")

import fuzzing

SECONDS = 60.0


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_a_round(name):
    assert fuzzing.tried(fuzzing.TARGETS[name]) == fuzzing.ROUND


@pytest.mark.slow
def test_a_minute():
    for target in fuzzing.TARGETS.values():
        fuzzing.tried(target, SECONDS / len(fuzzing.TARGETS))
