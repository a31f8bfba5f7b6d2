"""From a CSV of images with texts to a dataset: splits, groups, copies, the cache, views."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

import pairs
from dltk.base.errors import InputError
from dltk.data import decoded
from dltk.data.kinds.pairs import pair_ops, prepare_pairs
from dltk.edge.input.preprocess import read_image
from dltk.edge.input.tokens import vocabulary
from dltk.recipe import Augment, PairData
from dltk.training.views.base import PLAIN
from dltk.training.views.factory import views_of

SMALL = PairData(size=16, length=8, vocabulary=300, max_bytes=100)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    return pairs.write(tmp_path, 60)


def prepare(source, **changes):
    return prepare_pairs(str(source), replace(SMALL, **changes), seed=0)


def test_images_and_texts_stay_together(table):
    found = prepare(table)
    assert [len(side) for side in (found.train, found.validation, found.test)] == [42, 6, 12]
    assert found.labels == tuple(sorted(pairs.LABELS))
    rows = _rows(table)[1:]
    for row, target in zip(found.train.rows, found.train.targets, strict=True):
        _, text, label = rows[row]
        assert bytes(found.train.store["text"][row]).decode() == text
        assert found.labels[target] == label
        pixels = read_image(table.parent / rows[row][0], pair_ops(SMALL))
        assert np.array_equal(found.train.store["image"][row], pixels)


def _rows(table):
    with table.open(newline="") as stream:
        return list(csv.reader(stream))


def _rewrite(table, header, column):
    """`table` with one more column, given by a function of the row's number."""
    rows = [[*row, column(number - 1) if number else header] for number, row in enumerate(_rows(table))]
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)


def test_the_tokenizer_comes_from_training_texts_alone(table):
    table.write_text(table.read_text().replace("0059.png,", "0059.png,zebra zebra "))
    _rewrite(table, "split", lambda number: "test" if number >= 39 else "train")
    found = prepare(table, validation=0.0)
    assert len(found.test) == 21
    assert b"zebra" not in found.assets["tokenizer.json"]
    assert b"zebra" in bytes(found.test.store["text"][found.test.rows[-1]])
    assert 256 < vocabulary(found.assets["tokenizer.json"]) <= 300


def test_the_second_time_no_picture_is_decoded(table, monkeypatch):
    first = prepare(table)
    monkeypatch.setattr(decoded, "decode_image", None)
    again = prepare(table)
    assert again.digest == first.digest
    assert again.train.take(slice(None)).tobytes() == first.train.take(slice(None)).tobytes()


def test_other_texts_are_other_data(table):
    first = prepare(table)
    table.write_text(table.read_text().replace("I love it", "I like it"))
    assert prepare(table).digest != first.digest


def test_groups_stay_on_one_side(table):
    _rewrite(table, "user", lambda number: f"u{number % 5}")
    found = prepare(table, group="user", validation=0.2, test=0.2)
    users = [set((side.rows % 5).tolist()) for side in (found.train, found.validation, found.test)]
    assert [len(each) for each in users] == [3, 1, 1]
    assert set.union(*users) == set(range(5))


def test_views_change_the_picture_and_leave_the_text(table):
    split = prepare(table).train
    views = views_of(split, Augment(views=0, flip=True, translate=0.2), seed=1, classes=6)
    shown, plain = views.take(np.arange(len(split)), 0), split.take(slice(None))
    assert np.array_equal(shown["text"], plain["text"])
    assert (shown["image"] != plain["image"]).any((1, 2, 3)).all()
    assert views.take(np.arange(5), PLAIN).tobytes() == plain[:5].tobytes()
    assert np.array_equal(views.take(np.array([7]), 0), shown[[7]])
    for name in ("mixup", "cutmix"):
        with pytest.raises(InputError, match=rf"augment\.{name}: must be 0 for images with texts"):
            views_of(split, Augment(**{name: 0.2}), seed=1)
