"""Ratings as people keep them: a CSV of user, item, and maybe a rating and a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timezone
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Op
from dltk.edge.sources.tables import Table
from dltk.edge.sources.times import moment

__all__ = ["RatingColumns", "Ratings", "columns_of_ratings", "read_ratings"]

_USUAL: Mapping[str, tuple[str, ...]] = {  # as MovieLens and others call them
    "user": ("user", "userId", "user_id"),
    "item": ("item", "itemId", "item_id", "movieId", "movie_id"),
    "rating": ("rating", "score", "stars"),
    "time": ("timestamp", "time", "date"),
}


@dataclass(frozen=True)
class RatingColumns:
    """Names of columns, and which ratings may stand there.

    Attributes:
        user, item: always there.
        rating: None: every row counts as liked.
        time: seconds, or an ISO date; None: rows stand in order of time.
        lowest, highest: the scale of the ratings.
        liked: ratings below do not count as liked.
    """

    user: str
    item: str
    rating: str | None
    time: str | None
    lowest: float
    highest: float
    liked: float

    def op(self) -> dict[str, Any]:
        """As a step of a signature."""
        return {"op": "ratings", **vars(self)}

    @classmethod
    def of(cls, op: Op) -> RatingColumns:
        """Out of a step of a signature.

        Raises:
            InputError: if it does not fit.
        """
        found = {key: value for key, value in op.items() if key != "op"}
        texts, scale = ("user", "item", "rating", "time"), ("lowest", "highest", "liked")
        fits = set(found) == {*texts, *scale} and isinstance(found["user"], str) and isinstance(found["item"], str)
        fits = fits and all(found[key] is None or isinstance(found[key], str) for key in texts)
        if not fits or not all(isinstance(found[key], (int, float)) for key in scale):
            raise InputError("preprocess: ratings", "must name columns and the scale", dict(op))
        return cls(**found)


@dataclass(frozen=True)
class Ratings:
    """What each user liked.

    Attributes:
        histories: user -> items, the oldest first, each once.
        rows: of the file.
        duplicates: rows whose pair of user and item stood there before; the later one counts.
        first_duplicate: "FILE, line N" of the first of them, or empty.
        disliked: rows whose rating is too low to count.
    """

    histories: Mapping[str, tuple[str, ...]]
    rows: int
    duplicates: int
    first_duplicate: str
    disliked: int


def columns_of_ratings(table: Table, settings: Any) -> RatingColumns:
    """The columns that `settings` name, or those with a usual name.

    Raises:
        InputError: if there is none for the user or the item, or a setting names one that is not there.
    """
    found: dict[str, str | None] = {}
    for part, usual in _USUAL.items():
        asked = getattr(settings, part)
        if asked is not None:
            table.column(asked)
        found[part] = asked or next((name for name in usual if name in table.header), None)
        if found[part] is None and part in ("user", "item"):
            hint = f"Name the column with data.{part}=NAME."
            received = ", ".join(table.header)
            raise InputError(f"{table.path}, line 1", f"needs a column {' or '.join(map(repr, usual))}", received, hint)
    user, item = str(found["user"]), str(found["item"])
    return RatingColumns(
        user, item, found["rating"], found["time"], settings.lowest, settings.highest, settings.liked
    )  # fmt: skip


def read_ratings(table: Table, columns: RatingColumns) -> Ratings:
    """The table's rows, each checked.

    Raises:
        InputError: naming the line of an empty cell, a rating off the scale, or a time that is none.
    """
    users, items = (_names(table, name) for name in (columns.user, columns.item))
    ratings = None if columns.rating is None else _numbers(table, columns)
    times = None if columns.time is None else _times(table, columns.time)
    order = range(len(users)) if times is None else sorted(range(len(users)), key=times.__getitem__)
    latest: dict[tuple[str, str], int] = {}
    doubled = []
    for row in order:
        pair = (users[row], items[row])
        if pair in latest:
            del latest[pair]  # so that it stands where the later row does
            doubled.append(row)
        latest[pair] = row
    histories: dict[str, list[str]] = {}
    disliked = 0
    for (user, item), row in latest.items():
        known = histories.setdefault(user, [])
        if ratings is not None and ratings[row] < columns.liked:
            disliked += 1
        else:
            known.append(item)
    first = table.where(min(doubled)) if doubled else ""
    kept = {user: tuple(known) for user, known in histories.items() if known}
    return Ratings(kept, len(table), len(doubled), first, disliked)


def _names(table: Table, name: str) -> list[str]:
    cells = [cell.strip() for cell in table.column(name)]
    if "" in cells:
        raise InputError(table.where(cells.index("")), f"column {name!r} must not be empty")
    return cells


def _numbers(table: Table, columns: RatingColumns) -> list[float]:
    name, found = str(columns.rating), []
    for row, cell in enumerate(table.column(name)):
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not columns.lowest <= number <= columns.highest:
            rule = f"column {name!r} must lie between {columns.lowest:g} and {columns.highest:g}"
            hint = "Is the scale another one? Set data.lowest and data.highest."
            raise InputError(table.where(row), rule, cell, hint)
        found.append(number)
    return found


def _times(table: Table, name: str) -> list[float]:
    return [_time(cell.strip(), table, row, name) for row, cell in enumerate(table.column(name))]


def _time(cell: str, table: Table, row: int, name: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        try:
            time = moment(cell)
        except ValueError:
            number = math.nan
        else:
            number = (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
    if not math.isfinite(number):
        raise InputError(table.where(row), f"column {name!r} must be a number of seconds or an ISO date", cell)
    return number
