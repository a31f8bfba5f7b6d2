"""Labelled texts as corpora, competitions and labelling tools hand them out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_WORDS = {"neg": "dull slow boring wooden", "pos": "bright funny moving clever"}
_SETTINGS = ("data.validation=0.2", "data.test=0.2")


def _text(label: str, number: int) -> str:
    first, second, *rest = _WORDS[label].split()
    return f"The {first} film number {number} was {second}, and {' or '.join(rest)} too."


def _rows(count: int = 12, start: int = 0) -> list[tuple[str, str]]:
    return [(_text(label, number), label) for number in range(start, start + count) for label in _WORDS]


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], **form: str) -> Path:
    with path.open("w", newline="", encoding=form.pop("encoding", "utf-8")) as stream:
        writer = csv.writer(stream, **form)
        writer.writerows([header, *rows] if header else rows)
    return path


def _files(folder: Path, rows: Sequence[tuple[str, str]], encoding: str = "utf-8", suffix: str = ".txt") -> None:
    for number, (text, label) in enumerate(rows):
        path = folder / label / f"{number}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding))


def _holds(labels: tuple[str, ...] = ("neg", "pos"), count: int = 24, **counts: int) -> Callable[[Dataset], None]:
    """`count` texts, each with the label whose words it has; as many in each split of `counts`."""

    def require(dataset: Dataset) -> None:
        assert dataset.labels == labels
        splits = (dataset.train, dataset.validation, dataset.test)
        assert sum(map(len, splits)) == count
        assert {name: len(getattr(dataset, name)) for name in counts} == counts
        for split in splits:
            for raw, target in zip(split.take(slice(None)), split.targets, strict=True):
                label = next(name for name, words in _WORDS.items() if words.split()[0] in bytes(raw).decode())
                assert target == sorted(_WORDS).index(label)

    return require


def _reviews(folder: Path) -> Path:
    rows = [(f"tt{number}", text, label, number % 7) for number, (text, label) in enumerate(_rows())]
    return _table(folder / "IMDB Dataset.csv", ("id", "review", "sentiment", "votes"), rows)


def _spam(folder: Path) -> Path:
    rows = [(label, text.replace(",", "")) for text, label in _rows()]
    return _table(folder / "SMSSpamCollection", (), rows, delimiter="\t").rename(folder / "sms.tsv")


def _latin(folder: Path) -> Path:
    rows = [(text.replace("film", "café"), label) for text, label in _rows()]
    return _table(folder / "reviews.csv", ("v1", "v2"), [row[::-1] for row in rows], delimiter=";", encoding="cp1252")


def _records(folder: Path) -> Path:
    path = folder / "train.jsonl"
    path.write_text(
        "".join(json.dumps({"uid": n, "content": t, "topic": k}) + "\n" for n, (t, k) in enumerate(_rows()))
    )
    return path


def _two_texts(folder: Path) -> Path:
    rows = [(f"about {label} things {number}", text, label) for number, (text, label) in enumerate(_rows())]
    return _table(
        folder / "articles.csv", ("title", "abstract", "body", "class"), [(a, b, b[::-1], c) for a, b, c in rows]
    )


def _two_labels(folder: Path) -> Path:
    rows = [(text, label, ("web", "app", "shop")[number % 3]) for number, (text, label) in enumerate(_rows())]
    return _table(folder / "posts.csv", ("message", "kind", "source"), rows)


def _reviews_in_folders(folder: Path) -> Path:
    _files(folder / "aclImdb" / "train", _rows())
    _files(folder / "aclImdb" / "test", _rows(6, start=20))
    _files(
        folder / "aclImdb" / "train", [(_text(label, number), "unsup") for number in range(40, 60) for label in _WORDS]
    )
    (folder / "aclImdb" / "README").write_text("A corpus.")
    (folder / "aclImdb" / "train" / "urls_pos.txt").write_text("http://example.org\n")
    return folder / "aclImdb"


def _class_folders(folder: Path) -> Path:
    _files(folder / "corpus", _rows())
    return folder / "corpus"


def _groups(folder: Path) -> Path:
    _files(folder / "20news-train", _rows(), suffix="")
    _files(folder / "20news-test", _rows(6, start=20), suffix="")
    return folder


def _old_files(folder: Path) -> Path:
    rows = [(text.replace("film", "café"), label) for text, label in _rows()]
    _files(folder / "old", rows, encoding="cp1252")
    return folder / "old"


def _competition(folder: Path) -> Path:
    _table(folder / "train.csv", ("id", "text", "target"), [(n, *row) for n, row in enumerate(_rows())])
    _table(folder / "test.csv", ("id", "text"), [(n, text) for n, (text, _) in enumerate(_rows(5, start=50))])
    return folder


def _half_labelled(folder: Path) -> Path:
    rows = [*_rows(), *((text, "") for text, _ in _rows(3, start=30))]
    return _table(folder / "labels.csv", ("text", "label"), rows)


def _third_label(folder: Path) -> Path:
    rows = [*_rows(), *((f"Neither here nor there {number}", "unsure") for number in range(9))]
    return _table(folder / "labels.csv", ("text", "label"), rows)


def _only_table(folder: Path) -> Path:
    _table(folder / "reviews.csv", ("text", "label"), _rows())
    (folder / "LICENSE").write_text("free")
    return folder


def _long(folder: Path) -> Path:
    rows = [(f"{text} {'and so on it went ' * (200 if number in (3, 4) else 20)}{number}", label)
            for number, (text, label) in enumerate(_rows(40))]  # fmt: skip
    return _table(folder / "long.csv", ("text", "label"), rows)


def _holds_long(dataset: Dataset) -> None:
    assert dataset.report["length"] % 8 == 0
    assert 100 < dataset.report["length"] < 512
    assert np.char.str_len(dataset.train.take(slice(None))).min() > 300
    _holds(count=80)(dataset)


def _case(name: str, write: Callable[[Path], Path], require: Callable[[Dataset], None], **given: object) -> Case:
    settings = (*_SETTINGS, *given.pop("settings", ()))  # type: ignore[misc]
    return Case(name, "text-classification", write, require, settings=settings, **given)  # type: ignore[arg-type]


CASES = (
    _case("review and sentiment", _reviews, _holds(), said=("texts in column 'review'", "'sentiment': neg (12), pos")),
    _case("label before text, no header", _spam, _holds(), flag="data.header=none", said=("'column_2'",)),
    _case("v1 and v2 in Latin-1, semicolons", _latin, _holds(), said=("'v2'", "cp1252")),
    _case("JSON records", _records, _holds(), said=("'content'", "'topic'")),
    _case("two columns of texts", _two_texts, _holds(), flag="data.text=abstract"),
    _case("two columns that may be labels", _two_labels, _holds(), flag="data.label=kind"),
    _case("aclImdb with unsup", _reviews_in_folders, _holds(count=36, test=12), flag="data.labels=neg,pos"),
    _case("a folder per class", _class_folders, _holds()),
    _case("files without a suffix", _groups, _holds(count=36, test=12)),
    _case("files in Latin-1", _old_files, _holds(), said=("cp1252 (24 files)",)),
    _case("a test table without labels", _competition, _holds(), said=("left out", "test.csv")),
    _case("rows without a label", _half_labelled, _holds(), flag="data.unlabelled=drop", said=("6 of 30",)),
    _case("a label too many", _third_label, _holds(), settings=("data.labels=neg,pos",), said=("9 of 33",)),
    _case("a folder with one table", _only_table, _holds()),
    _case("a length of most texts", _long, _holds_long, said=("of the training texts fit", "truncated")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_texts_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
