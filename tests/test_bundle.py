"""A bundle is written whole or not at all, and nothing but a bundle is ever replaced."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import killed_publish
import small
import tiny
from dltk.base.errors import EnvironmentFault, InputError
from dltk.bundle import BundleOptions, publish
from dltk.edge.bundle.arrays import parse_npz
from dltk.edge.bundle.integrity import read_bundle
from dltk.edge.replay import read_golden, replay
from dltk.workflows.exporting.contents import labels_bytes
from dltk.workflows.exporting.rehearse import golden_of
from dltk.workflows.measure import Evaluation
from edge import archives

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def model():
    return tiny.tflite()


def test_what_is_published_replays(model, tmp_path):
    target = tmp_path / "deep" / "bundle"
    publish(killed_publish.sealing("one", model), target)
    assert {artifact["status"] for artifact in replay(target)["artifacts"]} == {"passed"}
    assert [path.name for path in target.parent.iterdir()] == ["bundle"]


def test_equal_sealings_are_equal_to_the_bit(model, tmp_path):
    for name in ("one", "two"):
        publish(killed_publish.sealing("same", model), tmp_path / name)
    assert small.files(tmp_path / "one") == small.files(tmp_path / "two")


def test_the_old_one_is_replaced_whole(model, tmp_path):
    publish(killed_publish.sealing("old", model), tmp_path / "bundle")
    (tmp_path / "bundle" / "notes of mine.txt").write_text("stays with the old one")
    publish(killed_publish.sealing("new", model), tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").manifest.name == "new"
    assert not (tmp_path / "bundle" / "notes of mine.txt").exists()


def test_the_folder_one_stands_in_may_be_named_by_a_dot(model, tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    folder.mkdir()
    monkeypatch.chdir(folder)
    publish(killed_publish.sealing("here", model), Path())
    assert read_bundle(folder).manifest.name == "here"


def test_what_is_no_bundle_is_left_alone(model, tmp_path):
    """`--out ~/photos` must not cost the photos."""
    photos, file, link = tmp_path / "photos", tmp_path / "file", tmp_path / "link"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"a cat")
    file.write_bytes(b"a file")
    link.symlink_to(photos)
    for target, rule in ((photos, "is not a bundle"), (file, "must be a folder"), (link, "not a link")):
        with pytest.raises(InputError, match=rule):
            publish(killed_publish.sealing("new", model), target)
    assert small.files(photos) == {"cat.jpg": b"a cat"}
    assert file.read_bytes() == b"a file"
    assert link.is_symlink()
    assert len(list(tmp_path.iterdir())) == 3


def test_an_archive_holds_the_folders_files(model, tmp_path):
    publish(killed_publish.sealing("same", model), tmp_path / "folder")
    for name in ("one.zip", "two.zip"):
        publish(killed_publish.sealing("same", model), tmp_path / "deep" / name, archive=True)
    data = (tmp_path / "deep" / "one.zip").read_bytes()
    assert archives.members(data) == small.files(tmp_path / "folder")
    assert next(iter(archives.members(data))) == "manifest.json"
    assert data == (tmp_path / "deep" / "two.zip").read_bytes()
    assert replay(tmp_path / "deep" / "one.zip")["passed"]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["one.zip", "two.zip"]


def test_a_signature_stands_beside_the_manifest_in_both_forms(model, tmp_path):
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    for archive in (False, True):
        target = tmp_path / f"bundle{archive}"
        publish(killed_publish.sealing("signed", model), target, archive=archive, key=key)
        found = archives.members(target.read_bytes()) if archive else small.files(target)
        key.public_key().verify(found["manifest.sig"], found["manifest.json"])
        assert "manifest.sig" not in read_bundle(target).manifest.files
        assert not any(key.private_bytes_raw() in data for data in found.values())


def test_an_archive_is_replaced_whole_or_not_at_all(model, tmp_path, monkeypatch):
    target = tmp_path / "bundle.zip"
    publish(killed_publish.sealing("old", model), target, archive=True)
    old = target.read_bytes()

    def full(source, into):
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(EnvironmentFault, match="full disk"):
            publish(killed_publish.sealing("new", model), target, archive=True)
    assert small.files(tmp_path) == {"bundle.zip": old}
    publish(killed_publish.sealing("new", model), target, archive=True)
    assert read_bundle(target).manifest.name == "new"


def test_only_an_archive_of_a_bundle_is_replaced_by_one(model, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "photos.zip").write_bytes(archives.zipped({"cat.jpg": b"a cat"}))
    (tmp_path / "notes.zip").write_bytes(b"notes")
    publish(killed_publish.sealing("old", model), tmp_path / "bundle.zip", archive=True)
    (tmp_path / "link.zip").symlink_to(tmp_path / "bundle.zip")
    before = small.files(tmp_path)
    for name in ("folder", "photos.zip", "notes.zip", "link.zip"):
        with pytest.raises(InputError, match=name):
            publish(killed_publish.sealing("new", model), tmp_path / name, archive=True)
    with pytest.raises(InputError, match="must be a folder"):
        publish(killed_publish.sealing("new", model), tmp_path / "bundle.zip")
    assert small.files(tmp_path) == before


def test_golden_holds_what_replay_reads():
    raws = tiny.raws(3)
    doubles = {name: value.astype(np.float64) for name, value in tiny.reference(raws).items()}
    samples = Evaluation(raws, np.array([0, 1, 2]), doubles, doubles, None, {})
    data = golden_of(None, samples, tiny.SIGNATURE, BundleOptions(golden=2))
    found = read_golden(data, tiny.SIGNATURE)
    assert np.array_equal(found.raws, raws[:2])
    assert found.outputs["logits"].dtype == np.float32
    assert parse_npz(data, "golden")["target"].tolist() == [0, 1]
    assert labels_bytes(("größe", "猫")).decode() == "größe\n猫\n"


def _killed(folder, seed, count):
    command = [sys.executable, killed_publish.__file__, str(folder), str(seed), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=small.environment(), check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def _check(rows):
    assert {row["stands"] for row in rows} <= {"old", "new"}
    assert sum(row["killed"] for row in rows) >= len(rows) - 1  # the last call may come after the last moment
    assert any(row["left"] for row in rows), "some must have died with a half-built folder beside the target"


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_a_kill_leaves_the_old_or_the_new_one(tmp_path):
    _check(_killed(tmp_path, seed=1, count=12))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
def test_many_kills_leave_the_old_or_the_new_one(tmp_path):
    rows = _killed(tmp_path, seed=2, count=200)
    _check(rows)
    assert {row["stands"] for row in rows} == {"old", "new"}
