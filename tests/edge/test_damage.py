"""Seeded damage to a real bundle and to its model files: seen, refused, and never the end of the process.

A quick part stands here; all seeds are run by the slow tests. What the bare runtimes make of the same damage is
measured by `tests/benchmarks/damage.py`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import mutants

DIGITS = Path(__file__).parents[2] / "exported" / "digits"
# A mutation may hit a byte that no sample depends on. Of those that change answers by more than the tolerance, few pass
# the golden samples: over seeds 0..599 none or one an artifact was seen.
_MISSED = 0.01
_FILES = ("model.float32.tflite", "model.int8.tflite", "model.float32.onnx", "model.int8.onnx")


def _told(found, *bad):
    return [outcome for outcome in found if outcome["outcome"] in bad]


def _bundle_is_refused(tmp_path, first, count):
    """No mutation is accepted: by `read_bundle`, nor by `load` of whatever reads a damaged file."""
    import tiny

    other = tiny.bundle(tmp_path / "other")
    found = mutants.survey("bundle", DIGITS, count, str(other), first=first)
    assert not _told(found, "accepted", "crash", "hang", "unexpected")


def test_damage_to_a_bundle_is_refused(tmp_path):
    _bundle_is_refused(tmp_path, 0, 150)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_each_damage_to_a_bundle_is_refused(tmp_path):
    _bundle_is_refused(tmp_path, 150, 2850)


def _validate_survives(file, first, count):
    """Under a rebuilt, valid manifest only the runtime and the golden samples can tell."""
    found = mutants.survey("validate", DIGITS, count, file, first=first)
    assert not _told(found, "crash", "hang", "unexpected")
    counts = Counter(outcome["outcome"] for outcome in found)
    assert counts["missed"] <= max(1, _MISSED * count), _told(found, "missed")
    assert counts["mismatch"] + counts["error"] > count / 10  # most damage is seen; the rest changes little or nothing


@pytest.mark.parametrize("file", _FILES)
def test_validate_tells_a_damaged_artifact(file):
    _validate_survives(file, 0, 20)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("file", _FILES)
def test_validate_survives_each_damaged_artifact(file):
    _validate_survives(file, 20, 130)
