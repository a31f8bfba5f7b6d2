"""From WAV files to a dataset: groups from names and columns, unreadable files, the cache, copies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sounds
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data.kinds import sounds as data
from dltk.data.kinds.sounds import prepare_sounds
from dltk.data.sizes import recordings as hearing
from dltk.data.sizes.recordings import Hearing
from dltk.edge.sources.groups import likely_groups
from dltk.recipe import SoundData

SPEAKERS = ("ann", "bob", "cid", "dee")


class _Forty:
    source = "x"

    def __len__(self):
        return 40

    def read(self, row):
        return Path("a.wav")


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
    return prepare_sounds(str(source), replace(SoundData(rate=8000, seconds=0.3), **changes), seed=0)


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
        found = prepare_sounds(str(folder), SoundData(rate=8000, seconds=0.3, test=0.5), seed=seed)
        places = [side for side in (found.train, found.validation, found.test) if {0, 1} & set(side.rows.tolist())]
        assert len(places) == 1


def test_rate_and_length_come_from_the_recordings(folder):
    progress = Silent()
    found = prepare_sounds(str(folder), SoundData(), seed=0, progress=progress)
    assert (found.report["rate"], found.report["seconds"], found.train.store.shape) == (8000, 0.3, (40, 2400))
    (line,) = [line for line in progress.said if "measured" in line]
    assert line.endswith("40 recordings measured (40 of 8000 Hz; 0.30 s in the middle and 0.30 s at most): "
                         "data.rate=8000 data.seconds=0.3")  # fmt: skip
    set_by_hand = prepare_sounds(str(folder), SoundData(rate=16_000, seconds=0.5), seed=0, progress=progress)
    assert set_by_hand.train.store.shape == (40, 8000)
    assert len([line for line in progress.said if "measured" in line]) == 1


@pytest.mark.parametrize(
    ("lengths", "rates", "heard"),
    [
        ([1.0] * 40, [16_000] * 40, Hearing(16_000, 1.0)),
        ([0.3, 0.5] * 20, [8000] * 40, Hearing(8000, 0.6)),  # 0.5 s and 15% of room
        ([0.4] * 39 + [9.0], [44_100] * 40, Hearing(16_000, 0.4)),  # one odd recording decides nothing
        ([30.0] * 40, [22_050] * 40, Hearing(16_000, 10.0)),
        ([0.05] * 40, [4000] * 30 + [8000] * 10, Hearing(4000, 0.25)),
        ([1.0] * 40, [8000, 16_000] * 20, Hearing(16_000, 1.0)),
    ],
)
def test_what_is_heard(lengths, rates, heard, monkeypatch):
    found = iter(zip(rates, lengths, strict=True))
    monkeypatch.setattr(hearing, "length_of", lambda path: next(found))
    assert hearing.hear(_Forty(), SoundData(), progress=Silent()) == heard


@pytest.mark.parametrize(("changes", "rule"), [({"rate": 999}, "at least 1000"), ({"seconds": 0.01}, "at least 0.05")])
def test_rates_and_lengths_that_cannot_be(folder, changes, rule):
    with pytest.raises(InputError, match=rule):
        prepare_sounds(str(folder), SoundData(**changes), seed=0)


def test_a_part_of_the_name_is_the_group(folder):
    found = prepare(folder, validation=0.25, test=0.25, group="name:1")
    by_pattern = prepare(folder, validation=0.25, test=0.25, group_pattern="*_{group}_*")
    assert found.digest == by_pattern.digest
    with pytest.raises(InputError, match=r"must have a part 3 for data\.group.*received high, ann, 00"):
        prepare(folder, group="name:3")
    with pytest.raises(InputError, match=r"needs a CSV.*or name a part of the file names: name:0"):
        prepare(folder, group="speaker")


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_groups_for_three_splits_are_refused(folder, count):
    for path in folder.rglob("*.wav"):
        word, speaker, number = path.stem.split("_")
        path.rename(path.with_name(f"{word}_{SPEAKERS[SPEAKERS.index(speaker) % count]}_{speaker}{number}.wav"))
    with pytest.raises(InputError, match=f"must give its split at least one whole group; received {count} groups"):
        prepare(folder, group="name:1")


def test_two_groups_do_without_a_validation_split(folder):
    for path in folder.rglob("*.wav"):
        word, speaker, number = path.stem.split("_")
        path.rename(path.with_name(f"{word}_{'ab'[SPEAKERS.index(speaker) % 2]}_{number}.wav"))
    with pytest.raises(InputError, match=r"data\.validation=0 data\.test=0\.5"):
        prepare(folder, group="name:1")
    found = prepare(folder, group="name:1", validation=0.0, test=0.5)
    assert [len(split) for split in (found.train, found.validation, found.test)] == [20, 0, 20]


@pytest.mark.parametrize(
    ("names", "suggested"),
    [
        (["yes/yes_ann_1.wav", "yes/yes_bob_2.wav", "no/no_ann_1.wav", "no/no_bob_2.wav"], ["name:1 (ann, bob)"]),
        (["yes/0a7c_nohash_0.wav", "yes/ff12_nohash_0.wav", "no/0a7c_nohash_1.wav", "no/ff12_nohash_1.wav"],
         ["name:0 (0a7c, ff12)"]),
        (["yes/1_03_2.wav", "yes/1_04_3.wav", "no/2_03_2.wav", "no/2_04_3.wav"], ["name:1 (03, 04)", "name:2 (2, 3)"]),
        (["yes/yes_1.wav", "yes/yes_2.wav", "no/no_1.wav", "no/no_2.wav"], []),  # running numbers
        (["yes/a.wav", "yes/b.wav", "no/c.wav", "no/d.wav"], []),
        (["yes/ann_1.wav", "yes/bob_2.wav", "no/cid_1.wav", "no/dee_2.wav"], []),
    ],
)  # fmt: skip
def test_parts_of_names_that_may_be_speakers_are_pointed_out(names, suggested):
    found = likely_groups(names, [[0], [0], [1], [1]])
    assert all(words in found for words in suggested)
    assert bool(found) == bool(suggested)


def test_the_second_time_nothing_is_read(folder, monkeypatch):
    first = prepare(folder)
    monkeypatch.setattr(data, "read_sound", None)
    again = prepare(folder)
    assert again.digest == first.digest
    assert np.array_equal(again.train.take(slice(None)), first.train.take(slice(None)))


def test_too_large_shares_are_refused_before_anything_is_read():
    with pytest.raises(InputError, match="must leave samples for training"):
        prepare("nowhere", validation=0.5, test=0.5)
