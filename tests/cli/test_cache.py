"""`dltk cache` lists and clears, and touches nothing else."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from dltk.cli.cache import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    (tmp_path / "images/abc").mkdir(parents=True)
    (tmp_path / "images/abc/images.npy").write_bytes(bytes(1500))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/net.npz").write_bytes(bytes(20))
    (tmp_path / "letters.txt").write_text("the user's own", encoding="utf-8")
    return tmp_path


def test_entries_are_listed_with_kind_size_and_day(folder):
    found = CliRunner().invoke(cache, ["--json"])
    assert found.exit_code == 0
    value = json.loads(found.stdout)
    assert value["bytes"] == 1520
    assert [(entry["kind"], entry["name"], entry["bytes"]) for entry in value["entries"]] == [
        ("images", "abc", 1500),
        ("weights", "net.npz", 20),
    ]
    text = CliRunner().invoke(cache, []).stdout
    assert "1.5 KB" in text
    assert "in all 1.5 KB, 2 entries" in text


def test_clear_frees_the_entries_and_leaves_the_users_files(folder):
    found = CliRunner().invoke(cache, ["--clear"])
    assert found.exit_code == 0
    assert "freed 1.5 KB, 2 entries" in found.stdout
    assert not list((folder / "images").iterdir())
    assert not list((folder / "weights").iterdir())
    assert (folder / "letters.txt").exists()


def test_a_cache_that_is_not_there_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "none"))
    assert json.loads(CliRunner().invoke(cache, ["--json"]).stdout) == {"bytes": 0, "cleared": False, "entries": []}


def test_a_link_is_removed_not_followed(folder, tmp_path):
    (folder / "images/link").symlink_to(tmp_path / "letters.txt")
    CliRunner().invoke(cache, ["--clear"])
    assert (tmp_path / "letters.txt").exists()
