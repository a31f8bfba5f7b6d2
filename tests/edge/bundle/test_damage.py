"""Seeded damage to a real bundle and to its model files: seen, refused, and never the end of the process.

A quick part stands here; the slow tests do the rest. What the bare runtimes make of such damage is measured by
`tests/benchmarks/damage.py`.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import mutants
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.recorded_errors import KEY
from mutations import damage_bundle, damage_bytes

DIGITS = Path(__file__).parents[3] / "exported" / "digits"
FILES = ("model.float32.tflite", "model.int8.tflite", "model.float32.onnx", "model.int8.onnx")
BUNDLE_SEEDS, ARTIFACT_SEEDS = 3000, 150  # of all files together; of each artifact
QUICK_BUNDLE, QUICK_ARTIFACT, MORE_ARTIFACT = 150, 20, 40

# Damage that the eight golden samples do not show, but 32 others do: a weight that only those depend on. Of 600 seeds
# an artifact that was 2 (float32) or 3 (int8, whose tolerance is a cosine); the bound leaves room for another model.
MISSED = 0.02


def told(found, *outcomes):
    return [each for each in found if each["outcome"] in outcomes]


def refused(other, first, count):
    """By `read_bundle`, and by `load` of whatever reads a damaged file."""
    found = mutants.survey("bundle", DIGITS, count, str(other), first=first)
    assert not told(found, "accepted", "crash", "hang", "unexpected")
    assert len(told(found, "refused")) == count


def survived(file, first, count):
    """Under a rebuilt, valid manifest only the runtime and the golden samples can tell; the rate is printed (-s)."""
    found = mutants.survey("validate", DIGITS, count, file, first=first)
    counts = Counter(each["outcome"] for each in found)
    print(f"\n{file}: {dict(counts)}")
    assert not told(found, "crash", "hang", "unexpected")
    assert counts["missed"] <= max(1, MISSED * count), told(found, "missed")
    # What is not told changes little or nothing: every bit and byte counts alike here, and many are padding.
    assert counts["error"] + counts["contained"] + counts["mismatch"] >= count / 3


def test_damage_to_a_bundle_is_refused(bundle):
    refused(bundle, 0, QUICK_BUNDLE)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_all_damage_to_a_bundle_is_refused(bundle):
    refused(bundle, QUICK_BUNDLE, BUNDLE_SEEDS - QUICK_BUNDLE)


@pytest.mark.parametrize("file", FILES)
def test_validate_tells_a_damaged_artifact(file):
    survived(file, 0, QUICK_ARTIFACT)


@pytest.fixture(scope="module")
def unmeasured(tmp_path_factory):
    """The kept bundle without what its golden samples gave, as version 0.1.0 wrote it."""
    sealed = read_bundle(DIGITS)
    artifacts = []
    for artifact in sealed.manifest.artifacts:
        assert KEY in artifact.parity
        parity = {key: value for key, value in artifact.parity.items() if key != KEY}
        artifacts.append(replace(artifact, parity=parity))
    folder = tmp_path_factory.mktemp("unmeasured") / "digits"
    shutil.copytree(DIGITS, folder)
    manifest = replace(sealed.manifest, artifacts=tuple(artifacts))
    (folder / "manifest.json").write_bytes(manifest.to_bytes())
    return folder


@pytest.mark.parametrize("file", ["model.int8.tflite", "model.int8.onnx"])
def test_what_was_measured_tells_more_damage_than_a_limit_on_the_mean(unmeasured, file):
    """Of equal damage; the same damage that a limit lets through as close enough changes what was measured."""
    before, after = (mutants.survey("validate", path, MORE_ARTIFACT, file) for path in (unmeasured, DIGITS))
    told_of = [{each["seed"] for each in told(found, "error", "contained", "mismatch")} for found in (before, after)]
    print(f"\n{file}: {[dict(Counter(each['outcome'] for each in found)) for found in (before, after)]}")
    assert told_of[0] < told_of[1]
    assert not told(after, "crash", "hang", "unexpected")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("file", FILES)
def test_validate_tells_every_damaged_artifact(file):
    survived(file, 0, ARTIFACT_SEEDS)


def test_damage_is_drawn_again_from_its_seed_and_always_damages(bundle):
    files = {path.name: path.read_bytes() for path in DIGITS.iterdir()}
    other = {path.name: path.read_bytes() for path in bundle.iterdir()}
    kinds = Counter()
    for seed in range(20 * len(files)):
        damaged = damage_bundle(files, other, seed)
        assert damaged == damage_bundle(files, other, seed)
        assert damaged.touched == tuple(
            name for name in sorted({*files, *damaged.files}) if files.get(name) != damaged.files.get(name)
        )
        assert damaged.touched
        kinds[damaged.kind] += 1
    assert len(kinds) == 13
    assert damage_bytes(b"\0" * 9, 5) == damage_bytes(b"\0" * 9, 5) != ("zero", b"\0" * 9)


@pytest.mark.parametrize(
    ("trial", "outcome", "words"),
    [("sound", "fine", "0"), ("crash", "crash", "SIGSEGV"), ("hang", "hang", "within"), ("fault", "unexpected", "odd")],
)
def test_the_survey_tells_what_befalls_a_trial(trial, outcome, words):
    """A sound one needs a hundredth of the two seconds."""
    (found,) = mutants.survey("pretend", DIGITS, 1, trial, seconds=2.0)
    assert (found["outcome"], words in found["words"]) == (outcome, True)
