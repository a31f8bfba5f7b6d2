"""`dltk cache` lists and clears what dltk made, asks first, and touches nothing else."""

from __future__ import annotations

import json
import os
import sys

import pytest

from dltk.base.cache.entries import keep
from dltk.base.cache.folder import cache_folder
from dltk.base.errors import EnvironmentFault
from dltk.cli.commands import cache as command
from small import invoke


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of the user's own, with dltk's cache and things that are called as dltk's are."""
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "mine"))
    for name in ("images/holiday.jpg", "weights/barbell.csv", "letters.txt", "datasets/x/entry.json"):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("the user's own")
    keep(cache_folder("images", "abc"), "images.npy", bytes(1500))
    keep(cache_folder("weights", "net.npz"), "net.npz", bytes(20))
    return tmp_path / "mine"


def theirs(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and cache_folder() not in path.parents
    }


def entries(*words):
    return json.loads(invoke("cache", *words, "--json").stdout)


def test_entries_are_listed_with_kind_size_and_day(folder):
    value = entries()
    assert [(entry["kind"], entry["name"]) for entry in value["entries"]] == [("images", "abc"), ("weights", "net.npz")]
    assert all(entry["bytes"] > 1500 or entry["kind"] == "weights" for entry in value["entries"])
    assert value["folder"] == str(cache_folder())
    assert "in all 2." in invoke("cache").stdout


def test_clear_frees_the_entries_and_leaves_the_users_files(folder):
    before = theirs(folder)
    found = invoke("cache", "--clear", "--yes")
    assert found.exit_code == 0, found.output
    assert "2 entries" in found.stdout
    assert entries()["entries"] == []
    assert theirs(folder) == before
    assert len(before) == 4


def test_without_a_terminal_nothing_is_cleared_unasked(folder):
    found = invoke("cache", "--clear")
    assert found.exit_code == 2
    assert "Give --yes to remove 2 entries (1 images, 1 weights), 2." in found.stderr
    assert len(entries()["entries"]) == 2
    assert invoke("cache", "--yes").exit_code == 2


@pytest.mark.parametrize(("word", "left"), [("y", 0), ("n", 2), ("", 2)])
def test_the_question_names_what_goes(folder, monkeypatch, word, left):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(command.click, "confirm", lambda text, err: asked.append(text) or word == "y")
    asked = []
    monkeypatch.setattr(command, "sys", type("tty", (), {"stdin": type("in", (), {"isatty": lambda: True})}))
    assert invoke("cache", "--clear").exit_code == (2 if left else 0)
    assert asked
    assert asked[0].startswith("Remove 2 entries (1 images, 1 weights), 2.")
    assert str(cache_folder()) in asked[0]
    assert len(entries()["entries"]) == left


def test_a_cache_that_is_not_there_is_empty(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "none"))
    value = entries()
    assert (value["bytes"], value["entries"], value["left"]) == (0, [], [])
    assert not (tmp_path / "none").exists()


def test_links_are_not_followed_and_not_removed(folder, tmp_path):
    """A link to an entry, a link in place of a kind, a file of an entry that has become a link."""
    outside = tmp_path / "outside"
    (outside / "real").mkdir(parents=True)
    keep(cache_folder("images", "def"), "images.npy", b"12")
    os.rename(cache_folder("images", "def"), outside / "def")
    os.symlink(outside / "def", cache_folder("images", "def"))
    os.symlink(outside, cache_folder("sounds"))
    keep(cache_folder("features", "ghi"), "features.npy", b"12")
    os.rename(cache_folder("features", "ghi", "features.npy"), outside / "features.npy")
    os.symlink(outside / "features.npy", cache_folder("features", "ghi", "features.npy"))
    before = sorted(outside.rglob("*"))
    value = entries("--clear", "--yes")
    assert [entry["name"] for entry in value["entries"]] == ["abc", "net.npz"]
    assert len(value["left"]) == 3
    assert sorted(outside.rglob("*")) == before


def test_what_is_no_entry_is_left(folder):
    """Other files in dltk's own folder, entries that are none, and what lies beside an entry's files."""
    (cache_folder() / "notes.txt").write_text("mine")
    (cache_folder() / "photos").mkdir()
    (cache_folder("images") / "plain").mkdir()
    (cache_folder("images") / "plain" / "images.npy").write_text("mine")
    (cache_folder("images", "abc") / "mine.txt").write_text("mine")
    keep(cache_folder("images", "one"), "images.npy", b"12")
    os.rename(cache_folder("images", "one"), cache_folder("images", "two"))  # not the name that it was made with
    value = entries("--clear", "--yes")
    left = {path.rsplit("dltk-cache/")[1] for path in value["left"]}
    assert left >= {"notes.txt", "photos", "images/plain", "images/two"}
    assert (cache_folder("images", "abc") / "mine.txt").read_text() == "mine"
    assert (cache_folder("images", "two") / "images.npy").exists()


@pytest.mark.parametrize("names", [["../../letters.txt"], ["/etc/hostname"], ["..", "."], ["a/b"], ["", "\0"]])
def test_an_entry_that_lists_files_elsewhere_is_none(folder, names):
    from dltk.base.files import canonical_json, sha256

    entry = cache_folder("images", "abc") / "entry.json"
    found = json.loads(entry.read_bytes())
    found["files"] = {key: {"bytes": 14, "blocks": []} for key in names}
    rest = {key: value for key, value in found.items() if key != "sha256"}
    entry.write_bytes(canonical_json(rest | {"sha256": sha256(canonical_json(rest))}))
    before = theirs(folder)
    value = entries("--clear", "--yes")
    assert [entry["name"] for entry in value["entries"]] == ["net.npz"]
    assert theirs(folder) == before


@pytest.mark.parametrize("kind", ["folder", "link", "file", "empty tag"])
def test_a_folder_of_that_name_that_dltk_did_not_mark_is_refused(tmp_path, monkeypatch, kind):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    other = tmp_path / "other"
    (other / "images").mkdir(parents=True)
    (other / "images" / "x").write_text("mine")
    if kind == "link":
        cache_folder().symlink_to(other)
    elif kind == "file":
        cache_folder().write_text("mine")
    else:
        os.rename(other, cache_folder())
        if kind == "empty tag":
            (cache_folder() / "CACHEDIR.TAG").touch()
    for words in (["cache"], ["cache", "--clear", "--yes"]):
        found = invoke(*words)
        assert found.exit_code == 5, found.output
        assert "must be a folder that dltk created" in found.stderr
    with pytest.raises(EnvironmentFault, match="must be a folder that dltk created"):
        keep(cache_folder("images", "abc"), "images.npy", b"12")


@pytest.mark.parametrize("command", ["cache", "doctor"])
def test_a_user_without_a_home(monkeypatch, command):
    from pathlib import Path

    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("DLTK_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    found = invoke(command)
    assert found.exit_code == (5 if command == "cache" else 0)
    assert "Set DLTK_CACHE to a writable folder" in found.output
