"""Ratings, plays and events as shops, film sites and players of music write them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dltk.data.dataset import Dataset
from dltk.edge.input.catalogue import CATALOGUE, parse_catalogue
from odd_data import Case, require_read

_START = 881_250_949
_ROWS = [
    (user, 100 + (7 * user + 11 * step) % 23, 1 + (user * step) % 5, _START + (7919 * step) % 4000 + user)
    for user in range(1, 21)
    for step in range(6)
]
_Row = tuple[int, int, int, int]


def _expected(rows: list[_Row] = _ROWS) -> dict[str, list[str]]:
    """User -> items by time."""
    found: dict[str, list[str]] = {}
    for user, item, _, _ in sorted(rows, key=lambda row: row[3]):
        found.setdefault(str(user), []).append(str(item))
    return found


def _read(dataset: Dataset) -> dict[str, list[str]]:
    known = parse_catalogue(dataset.assets[CATALOGUE])
    assert known.histories is not None
    return {user: [known.items[item] for item in had] for user, had in zip(known.users, known.histories, strict=True)}


def _all_by_time(dataset: Dataset) -> None:
    assert _read(dataset) == _expected()


def _all_in_some_order(dataset: Dataset) -> None:
    read, expected = _read(dataset), _expected()
    assert {user: sorted(had) for user, had in read.items()} == {user: sorted(had) for user, had in expected.items()}
    assert dataset.report["half_life"] == 0.0


def _file(name: str, line: Callable[[_Row], str], *, header: str = "", rows: list[_Row] = _ROWS) -> Callable[..., Path]:
    def write(folder: Path) -> Path:
        lines = ([header] if header else []) + [line(row) for row in rows]
        (folder / name).write_text("".join(f"{text}\n" for text in lines))
        return folder / name

    return write


def _tabs(row: _Row) -> str:
    return "\t".join(map(str, row))


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _json_lines(folder: Path) -> Path:
    names = ("reviewerID", "asin", "overall", "unixReviewTime")
    lines = (json.dumps({**dict(zip(names, row, strict=True)), "reviewText": "so, so"}) for row in _ROWS)
    path = folder / "reviews.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return path


def _with_plays(folder: Path) -> Path:
    rows = [(user, item, 500 - 10 * place) for user, had in _expected().items() for place, item in enumerate(had)]
    path = folder / "plays.tsv"
    path.write_text("userID\tartistID\tweight\n" + "".join(f"{u}\t{i}\t{n}\n" for u, i, n in rows))
    return path


def _scale_of_ten(row: _Row) -> str:
    return f'"{row[0]}";"{row[1]}";"{2 * row[2]}"'


def _liked_only(dataset: Dataset) -> None:
    liked = {(str(user), str(item)) for user, item, rating, _ in _ROWS if rating >= 3}
    assert {(user, item) for user, had in _read(dataset).items() for item in had} == liked
    assert dataset.report["disliked"] == len(_ROWS) - len(liked)


def _counted(dataset: Dataset) -> None:
    """Rating 1 was written as a count of 0."""
    played = {(str(user), str(item)) for user, item, rating, _ in _ROWS if rating > 1}
    assert {(user, item) for user, had in _read(dataset).items() for item in had} == played


CASES = (
    Case(
        "MovieLens u.data: tabs, no header", "recommender", _file("u.data", _tabs), _all_by_time,
        flag="data.names=user,item,rating,timestamp",
    ),
    Case(
        "ratings.dat: two colons, no header", "recommender", _file("ratings.dat", lambda row: "::".join(map(str, row))),
        _all_by_time, flag="data.names=user,item,rating,timestamp",
    ),
    Case(
        "no header, the item first", "recommender",
        _file("ratings.csv", lambda row: f"{row[1]},{row[0]},{row[2]},{row[3]}"), _all_by_time,
        flag="data.names=item,user,rating,timestamp",
    ),
    Case(
        "events: user, time and item, no header", "recommender",
        _file("events.tsv", lambda row: f"{row[0]}\t{_iso(row[3])}\t{row[1]}"), _all_by_time,
        flag="data.names=user,timestamp,item",
    ),
    Case(
        "events with a header and a title for each item", "recommender",
        _file("log.csv", lambda row: f'{_iso(row[3])},{row[0]},{row[1]},"Film {row[1]}, uncut"',
              header="happened_at,visitorid,itemid,title"),
        _all_by_time, said=("time 'happened_at'", "not used: title", "every row counts"),
    ),
    Case("JSON lines of a shop, packed", "recommender", _json_lines, _all_by_time, said=("item 'asin'",)),
    Case(
        "semicolons, ratings from 2 to 10, no time", "recommender",
        _file("books.csv", _scale_of_ten, header='"User-ID";"ISBN";"Book-Rating"',
              rows=sorted(_ROWS, key=lambda row: row[3])),
        _all_by_time, flag="data.highest=10", said=("no time column: the rows are used in their order",),
    ),
    Case(
        "plays, sorted by the number of them", "recommender", _with_plays, _all_in_some_order,
        flag="data.feedback=counts", settings=("data.rating=weight",), said=("sorted by 'weight'", "data.order=rows"),
    ),
    Case(
        "counts of plays in a column of that name", "recommender",
        _file("plays.csv", lambda row: f"{row[0]},{row[1]},{row[2] - 1},{row[3]}",
              header="user_id,track_id,play_count,date"),
        _counted, said=("count 'play_count'", "their count is 0"),
    ),
    Case(
        "likes as 0 and 1", "recommender",
        _file("likes.csv", lambda row: f"{row[0]},{row[1]},{int(row[2] > 1)},{row[3]}", header="user,item,rating,time"),
        _counted, flag="data.feedback=counts",
    ),
    Case(
        "a user of an own name, the item by what is left", "recommender",
        _file("r.csv", lambda row: f"{row[0]},{row[1]},{row[2]},{row[3]}", header="who,what,stars,timestamp"),
        _all_by_time, flag="data.user=who", said=("item 'what'",),
    ),
    Case(
        "two columns that may be the item", "recommender",
        _file("r.csv", lambda row: f"{row[0]},{row[1]},{row[1] % 4},{row[3]}",
              header="user_id,track_id,artist_id,timestamp"),
        _all_by_time, flag="data.item=track_id",
    ),
    Case(
        "rows of visitors who are not known", "recommender",
        _file("r.csv", lambda row: ",".join(map(str, row)), header="user,item,rating,timestamp",
              rows=[*_ROWS, ("", 100, 3, _START)]),  # type: ignore[list-item]
        _all_by_time, flag="data.empty=drop", said=("1 rows left out",),
    ),
    Case(
        "only ratings from 3 on", "recommender",
        _file("r.csv", lambda row: ",".join(map(str, row)), header="userId,movieId,rating,timestamp"), _liked_only,
        settings=("data.liked=3",),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_ratings_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
