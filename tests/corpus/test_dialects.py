"""Tables in the dialects of the programs that wrote them: separators, encodings, decimal signs, headers, packing."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_ROWS = [(age, age * 41.5 - 700.25, ("Köln", "Graz")[age % 2], ("low", "high")[age % 3 == 0]) for age in range(20, 60)]
_NAMES = ("age", "income", "city", "class")
_TARGET = ("data.target=class",)


def _lines(rows: Sequence[Sequence[object]], separator: str, end: str = "\n") -> str:
    return "".join(separator.join(map(str, row)) + end for row in rows)


def _write(data: str | bytes, name: str = "people.csv", encoding: str = "utf-8") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(data.encode(encoding) if isinstance(data, str) else data)
        return folder / name

    return write


def _table(separator: str, *, header: bool = True, comma: bool = False, end: str = "\n") -> str:
    rows = [(age, str(income).replace(".", ",") if comma else income, *rest) for age, income, *rest in _ROWS]
    return _lines([_NAMES, *rows] if header else rows, separator, end)


def _german(value: float) -> str:
    return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def _all(dataset: Dataset, part: str) -> np.ndarray:
    return np.concatenate(
        [split.take(slice(None))[part] for split in (dataset.train, dataset.validation, dataset.test)]
    )


def _people(dataset: Dataset) -> None:
    numbers = _all(dataset, "numbers")
    numbers = numbers[np.argsort(numbers[:, 0])]
    np.testing.assert_allclose(numbers, [(age, income) for age, income, _, _ in _ROWS])
    assert dataset.labels == ("high", "low")
    assert _holds_categories(dataset, "Köln", "Graz")
    assert len(dataset.report["columns"]["numbers"]) == 2
    assert len(dataset.report["columns"]["categories"]) == 1


def _holds_categories(dataset: Dataset, *texts: str) -> bool:
    words = json.dumps(json.loads(dataset.assets["vocabulary.json"]), ensure_ascii=False)
    return all(f'"{text}"' in words for text in texts)


def _require_polish(dataset: Dataset) -> None:
    assert _holds_categories(dataset, "Łódź", "Ostrów")


def _gzip(folder: Path) -> Path:
    (folder / "people.csv.gz").write_bytes(gzip.compress(_table(",").encode()))
    return folder / "people.csv.gz"


def _zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "people.zip", "w") as archive:
        archive.writestr("data/people.tsv", _table("\t"))
        archive.writestr("__MACOSX/._people.tsv", b"\0")
    return folder / "people.zip"


def _jsonl(folder: Path) -> Path:
    records = [dict(zip(_NAMES, row, strict=True)) for row in _ROWS]
    (folder / "people.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder / "people.jsonl"


def _with_index(folder: Path) -> Path:
    rows = [("", *_NAMES), *((place, *row) for place, row in enumerate(_ROWS))]
    return _write(_lines(rows, ","))(folder)


def _with_empty_columns(folder: Path) -> Path:
    return _write("# from the station\n# 2024\n" + _table(",", end=",,\n"))(folder)


def _thousands(folder: Path) -> Path:
    rows = [(age, _german(income * 100), *rest) for age, income, *rest in _ROWS]
    return _write(_lines([_NAMES, *rows], ";"))(folder)


def _require_thousands(dataset: Dataset) -> None:
    np.testing.assert_allclose(np.sort(_all(dataset, "numbers")[:, 1]), [100 * row[1] for row in _ROWS], rtol=1e-6)


def _whole_thousands(folder: Path) -> Path:
    rows = [(age, f"{1000 + 37 * age:,}".replace(",", "."), *rest) for age, _, *rest in _ROWS]
    return _write(_lines([_NAMES, *rows], ";"))(folder)


def _require_whole_thousands(dataset: Dataset) -> None:
    np.testing.assert_array_equal(np.sort(_all(dataset, "numbers")[:, 1]), [1000 + 37 * row[0] for row in _ROWS])


def _spam(folder: Path) -> Path:
    rows = [("spam", f'"Win" {n} pounds, call now') if n % 3 else ("ham", f'See you at {n}"') for n in range(60)]
    return _write(_lines(rows, "\t"), "spam.tsv")(folder)


def _require_spam(dataset: Dataset) -> None:
    texts = {bytes(text).decode() for split in (dataset.train, dataset.validation, dataset.test)
             for text in split.take(slice(None))}  # fmt: skip
    assert len(texts) == 60
    assert '"Win" 1 pounds, call now' in texts
    assert dataset.labels == ("ham", "spam")


def _ratings(folder: Path) -> Path:
    rows = [(user, 100 + (user + step) % 9, 1 + step % 5, 1000 + step) for user in range(1, 13) for step in range(6)]
    return _write(_lines(rows, "::"), "ratings.dat")(folder)


def _require_ratings(dataset: Dataset) -> None:
    assert (dataset.report["users"], dataset.report["items"], dataset.report["rows"]) == (12, 9, 72)


CASES = (
    Case("semicolons, decimal commas, cp1252", "tabular", _write(_table(";", comma=True), encoding="cp1252"), _people,
         said=("separator ';', cp1252, header, decimal comma, 4 columns, 40 rows",), settings=_TARGET),
    Case("tabs in a .txt of Windows", "tabular", _write(_table("\t", end="\r\n"), "people.txt"), _people,
         said=("separator tab",), settings=_TARGET),
    Case("bars", "tabular", _write(_table("|")), _people, said=("separator '|'",), settings=_TARGET),
    Case("runs of spaces", "tabular", _write(_table("   ")), _people, said=("separator spaces",), settings=_TARGET),
    Case("a byte order mark", "tabular", _write(_table(","), encoding="utf-8-sig"), _people, settings=_TARGET),
    Case("UTF-16", "tabular", _write(_table("\t"), encoding="utf-16"), _people, said=("UTF-16",), settings=_TARGET),
    Case("no header", "tabular", _write(_table(",", header=False)), _people, flag="data.header=none",
         said=("no header",)),
    Case("no header, names given", "tabular", _write(_table(";", header=False)), _people,
         settings=(*_TARGET, f"data.names={','.join(_NAMES)}"), said=("no header",)),
    Case("an index without a name", "tabular", _with_index, _people, said=("first column left out",),
         settings=_TARGET),
    Case("comments, and empty columns at the end", "tabular", _with_empty_columns, _people, settings=_TARGET,
         said=("2 empty columns at the end left out", "2 comment lines passed over")),
    Case("gzip", "tabular", _gzip, _people, said=("gzip",), settings=_TARGET),
    Case("a zip of one table", "tabular", _zip, _people, said=("zip",), settings=_TARGET),
    Case("a line of JSON per row", "tabular", _jsonl, _people, said=("jsonl",), settings=_TARGET),
    Case("thousands grouped by points", "tabular", _thousands, _require_thousands, settings=_TARGET,
         said=("thousands grouped by points",)),
    Case("points that may be either", "tabular", _whole_thousands, _require_whole_thousands, flag="data.decimal=,",
         settings=_TARGET),
    Case("quoted decimal commas between commas", "tabular",
         _write(_lines([_NAMES, *((a, '"' + str(i).replace(".", ",") + '"', *r) for a, i, *r in _ROWS)], ",")),
         _people, flag="data.decimal=,", settings=_TARGET),
    Case("Central European letters", "tabular",
         _write(_table(",").replace("Graz", "Ostrów").replace("Köln", "Łódź"), encoding="cp1250"),
         _require_polish, flag="data.encoding=cp1250", settings=_TARGET),
    Case("labels before texts, tabs, quotes as they are, no header", "text-classification", _spam, _require_spam,
         flag="data.header=none", said=("double quotes are letters",)),
    Case("ratings between colons", "recommender", _ratings, _require_ratings,
         settings=("data.names=user,item,rating,time",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_odd_table_is_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
