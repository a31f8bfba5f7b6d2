"""From WAV files to a dataset: groups from names and columns, unreadable files, the cache, copies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import sounds
from dltk.base.errors import InputError
from dltk.data.kinds import sounds as data
from dltk.data.kinds.sounds import prepare_sounds
from dltk.recipe import SoundData

OP = {"op": "sound", "rate": 8000, "samples": 2400}
SPEAKERS = ("ann", "bob", "cid", "dee")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """20 recordings a word, five a speaker."""
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    for word, pitch in (("high", 900), ("low", 300)):
        for number in range(20):
            name = f"{word}_{SPEAKERS[number % 4]}_{number:02}.wav"
            sounds.write(tmp_path / "words" / word / name, sounds.tone(pitch + number, seed=number))
    return tmp_path / "words"


def prepare(source, **changes):
    return prepare_sounds(str(source), replace(SoundData(rate=8000), **changes), OP, seed=0)


def test_a_folder_a_word(folder):
    found = prepare(folder, validation=0.2, test=0.2)
    assert found.labels == ("high", "low")
    assert [len(side) for side in (found.train, found.validation, found.test)] == [24, 8, 8]
    assert found.train.take(slice(None)).dtype == np.int16
    assert found.train.store.shape == (40, 2400)


def test_groups_from_names_stay_on_one_side(folder):
    found = prepare(folder, validation=0.25, test=0.25, group_pattern="*_{group}_*")
    names = sorted(path.stem for path in folder.rglob("*.wav"))
    sides = [
        {names[row].split("_")[1] for row in side.rows} for side in (found.train, found.validation, found.test)
    ]  # fmt: skip
    assert [len(side) for side in sides] == [2, 1, 1]
    assert set.union(*sides) == set(SPEAKERS)


@pytest.mark.parametrize("pattern", ["", "speaker", "{group}{group}", "*{group}*****"])
def test_a_pattern_must_name_the_group_once(folder, pattern):
    if not pattern:
        assert prepare(folder, group_pattern=pattern).labels
        return
    with pytest.raises(InputError, match=r"data\.group_pattern: must hold \{group\} once"):
        prepare(folder, group_pattern=pattern)


def test_a_name_that_does_not_fit_is_named(folder):
    sounds.write(folder / "low" / "stray.wav", sounds.tone(300))
    with pytest.raises(InputError, match=r"low/stray\.wav: its name must fit data\.group_pattern"):
        prepare(folder, group_pattern="*_{group}_*")


def test_a_pattern_ends_soon_on_a_long_name(folder):
    """Four stars and a group over 250 letters that fit everywhere but at the end."""
    sounds.write(folder / "low" / f"{'_' * 240}.wav", sounds.tone(300))
    with pytest.raises(InputError, match="must fit"):
        prepare(folder, group_pattern="*_{group}_*_*_*x")


def test_a_csv_with_speakers_and_split(folder):
    rows = [
        f"{path.relative_to(folder)},{path.parent.name},{path.stem.split('_')[1]}" for path in folder.rglob("*.wav")
    ]
    lines = [f"{row},{'test' if row.endswith('ann') else 'train'}" for row in rows]
    (folder / "list.csv").write_text("\n".join(["path,label,speaker,split", *lines]))
    found = prepare(folder / "list.csv", validation=0.0)
    assert len(found.test) == 10
    by_group = prepare(folder / "list.csv", validation=0.3, group="speaker")
    assert len(by_group.validation) == 10
    with pytest.raises(InputError, match=r"data\.group: must be none where data\.group_pattern is given"):
        prepare(folder / "list.csv", group="speaker", group_pattern="{group}")


def test_files_that_cannot_be_read_are_left_out_and_named(folder):
    (folder / "low" / "low_ann_99.wav").write_bytes(sounds.wav(sounds.tone(300))[:-4])
    (folder / "low" / "song.mp3").write_bytes(b"ID3")
    (folder / "low" / "notes.txt").write_text("ignored")
    found = prepare(folder, max_unreadable=0.1)
    assert (found.report["unreadable"], found.report["ignored"]) == (2, 1)
    reasons = {entry["name"]: entry["reason"] for entry in found.report["skipped"]}
    assert reasons["low/notes.txt"] == "ignored, not a sound"
    assert reasons["low/low_ann_99.wav"].startswith("must not be truncated")
    assert reasons["low/song.mp3"].startswith("must be a WAV file")
    with pytest.raises(InputError, match="at most 1% of the files may be unreadable"):
        prepare(folder, max_unreadable=0.01)


def test_copies_stay_on_one_side(folder):
    (folder / "high" / "copy.wav").write_bytes((folder / "high" / "high_ann_00.wav").read_bytes())
    for seed in range(6):
        found = prepare_sounds(str(folder), SoundData(rate=8000, test=0.5), OP, seed=seed)
        places = [side for side in (found.train, found.validation, found.test) if {0, 1} & set(side.rows.tolist())]
        assert len(places) == 1


def test_the_second_time_nothing_is_read(folder, monkeypatch):
    first = prepare(folder)
    monkeypatch.setattr(data, "read_sound", None)
    again = prepare(folder)
    assert again.digest == first.digest
    assert np.array_equal(again.train.take(slice(None)), first.train.take(slice(None)))


def test_too_large_shares_are_refused_before_anything_is_read():
    with pytest.raises(InputError, match="must leave samples for training"):
        prepare("nowhere", validation=0.5, test=0.5)
