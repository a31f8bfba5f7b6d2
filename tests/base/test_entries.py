"""Cache entries are believed as far as their digests agree, and made again where they do not."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest

from dltk.base.cache import entries
from dltk.base.cache.entries import entry_is_intact, keep, new_entry, using
from dltk.base.cache.folder import cache_folder

NAMES = ["large.npy", "small.json"]


@pytest.fixture
def entry(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    folder = cache_folder("images", "abc")
    with new_entry(folder) as building:
        (building / "large.npy").write_bytes(np.random.default_rng(0).bytes(3 * 2**20 + 17))
        (building / "small.json").write_bytes(b'{"a": 1}')
    return folder


def test_a_whole_entry_is_opened_without_a_word(entry):
    notes = []
    assert entry_is_intact(entry, NAMES, note=notes.append)
    assert notes == []
    assert not entry_is_intact(cache_folder("images", "none"), NAMES, note=notes.append)
    assert notes == []


def _flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def _reorder(path):
    data = path.read_bytes()
    path.write_bytes(data[2**20 : 2**21] + data[: 2**20] + data[2**21 :])


DAMAGE = {
    "reordered": lambda entry: _reorder(entry / "large.npy"),
    "a bit": lambda entry: _flip(entry / "large.npy", -1),
    "a bit of the small file": lambda entry: _flip(entry / "small.json", 3),
    "cut": lambda entry: os.truncate(entry / "large.npy", 2**20),
    "emptied": lambda entry: os.truncate(entry / "small.json", 0),
    "longer": lambda entry: (entry / "small.json").write_bytes(b'{"a": 1}  '),
    "a file gone": lambda entry: (entry / "large.npy").unlink(),
    "no list": lambda entry: (entry / "entry.json").unlink(),
    "list cut": lambda entry: os.truncate(entry / "entry.json", 50),
    "list altered": lambda entry: _flip(entry / "entry.json", 40),
    "a link": lambda entry: (os.rename(entry / "small.json", entry / "x"), os.symlink("x", entry / "small.json")),
    "a pipe": lambda entry: ((entry / "small.json").unlink(), os.mkfifo(entry / "small.json")),
    "a folder": lambda entry: ((entry / "small.json").unlink(), (entry / "small.json").mkdir()),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage_is_noticed_and_said(entry, how):
    DAMAGE[how](entry)
    notes = []
    assert not entry_is_intact(entry, NAMES, note=notes.append)
    assert len(notes) == 1
    assert str(entry) in notes[0]
    assert notes[0].endswith("it is created again")


def test_a_copy_under_another_name_is_no_entry(entry):
    os.rename(entry, entry.with_name("other"))
    assert not entry_is_intact(entry.with_name("other"), NAMES, note=[].append)
    assert not entry_is_intact(entry, NAMES)


def test_of_large_entries_some_blocks_are_read(entry, monkeypatch):
    monkeypatch.setattr(entries, "_WHOLE", 1)
    monkeypatch.setattr(entries, "_DRAWN", 2)
    read, digest = [], entries._digest_of
    monkeypatch.setattr(entries, "_digest_of", lambda path, number: read.append(path.name) or digest(path, number))
    assert entry_is_intact(entry, NAMES)
    assert sorted(read) == ["large.npy", "large.npy", "small.json"]
    _flip(entry / "large.npy", 5)
    assert not all(entry_is_intact(entry, NAMES, note=[].append) for _ in range(60)), "other blocks each time"
    assert not entry_is_intact(entry, NAMES, whole=True, note=[].append)
    with using(type("settings", (), {"cache": "verify"})):
        assert not entry_is_intact(entry, NAMES, note=[].append)


@pytest.mark.parametrize("seed", range(150))
def test_no_damage_raises(entry, seed):
    """Whatever becomes of the files of an entry, it is good, or it is not: never an exception."""
    draw = random.Random(seed)
    path = entry / draw.choice([*NAMES, "entry.json", "entry.json", "entry.json"])
    data = bytearray(path.read_bytes())
    before = bytes(data)
    for _ in range(draw.randint(1, 4)):
        kind, place = draw.randrange(5), draw.randrange(len(data) or 1)
        if kind == 0:
            del data[place:]
        elif kind == 1:
            data[place : place + 1] = draw.randbytes(draw.randint(1, 9))
        elif kind == 2:
            data[place:place] = draw.choice([b"[" * 5000, b'{"files":', b"NaN", b"1e999", b"\0", b'"..": 3,'])
        elif kind == 3:
            data[place : place + draw.randint(1, 60)] = b""
        else:
            data = bytearray(draw.choice([b"[]", b"3", b"null", b'{"files": {}}', b'{"files": {"a": 3}}', b"\xff"]))
    path.write_bytes(bytes(data))
    assert entry_is_intact(entry, NAMES, note=[].append) == (bytes(data) == before)
    entries.listed_files(entry, "images")


def test_one_file_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    path = keep(cache_folder("weights", "net"), "net.bin", b"123")
    assert path.read_bytes() == b"123"
    assert entry_is_intact(path.parent, ["net.bin"])
    assert not entry_is_intact(path.parent, ["other.bin"], note=[].append)
