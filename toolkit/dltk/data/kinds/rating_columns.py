"""Which columns of a table are the user, the item, the rating or count, and the time: by name, or by what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError, shorten
from dltk.data.kinds.rating_order import order_of_rows
from dltk.edge.sources.ratings import RatingColumns, time_of
from dltk.edge.sources.tables import Dialect, Note, Table, read_head, read_table

__all__ = ["read_rated_table"]

_PARTS = ("user", "item", "rating", "time")
_RATING = "Name the column with data.rating=NAME."
_USUAL = {  # in small letters and digits alone, the commonest first
    "user": (
        "user", "userid", "uid", "username", "customer", "customerid", "visitor", "visitorid", "reviewerid", "reviewer",
        "member", "memberid", "account", "accountid", "person", "personid", "profileid",
    ),
    "item": (
        "item", "itemid", "movieid", "movie", "filmid", "film", "product", "productid", "asin", "sku", "isbn", "bookid",
        "book", "artistid", "artist", "artistname", "trackid", "track", "songid", "song", "articleid", "article",
        "contentid", "businessid", "animeid", "gameid", "game", "recipeid", "jokeid", "stockcode",
    ),
    "rating": ("rating", "score", "stars", "overall", "bookrating", "userrating"),
    "count": ("plays", "playcount", "listens", "count", "counts", "clicks", "views", "quantity", "qty", "purchases"),
    "time": ("timestamp", "time", "date", "datetime", "unixtime", "unixreviewtime", "eventtime", "invoicedate",
             "orderdate", "createdat"),
}  # fmt: skip
_FIRST = (
    "user",
    "userId",
    "user_id",
    "item",
    "itemId",
    "item_id",
    "movieId",
    "movie_id",
    "rating",
    "timestamp",
    "time",
)
_MOST_REPEATED = 0.1  # of the rows: user and item of a table hardly stand together twice
_LOOKED_AT = 1000  # rows by which it is seen what a column holds
_EPOCH = (6e8, 2.2e9)  # seconds since 1970, of the years 1989 to 2039; or a thousand times as many milliseconds
_LARGEST = 1e15  # count


def read_rated_table(path: Path, settings: Any, note: Note) -> tuple[Table, RatingColumns]:
    """The table at `path`, and its columns as `settings` name them, or found by name or by what they hold.

    Args:
        settings: `RatingsData` of the recipe.
        note: called with a line on how the file was read, and one on columns that are not called as usual.

    Raises:
        InputError: if the user or the item is not found, or could be several columns; with the settings that name them.
    """
    dialect = Dialect.of(settings)
    _require_header(path, dialect, settings)
    table = read_table(path, dialect=dialect, note=note)
    found = _named(table, settings)
    _by_content(table, found)
    is_count = settings.feedback == "counts" or (settings.feedback == "auto" and "count" in found)
    rating = found.get("count", found.get("rating")) if is_count else found.get("rating")
    rating = None if settings.feedback == "events" else rating
    if is_count and rating is None:
        raise InputError("setting data.feedback", "counts need a column", ", ".join(table.header), _RATING)
    if settings.order in ("rows", "drawn"):
        found.pop("time", None)
    columns = RatingColumns(
        found["user"], found["item"], rating, found.get("time"), 0.0 if is_count else settings.lowest,
        _LARGEST if is_count else settings.highest, settings.liked, "counts" if is_count else "ratings",
        "rows" if found.get("time") or settings.order == "rows" else settings.order, settings.empty,
    )  # fmt: skip
    _report(table, columns, note)
    return table, order_of_rows(table, columns, note)


def _require_header(path: Path, dialect: Dialect, settings: Any) -> None:
    """Refuse a table whose first line is a row, with names for its columns, where no setting decides."""
    if dialect.header != "auto" or dialect.names:
        return
    try:
        table = read_head(path, rows=_LOOKED_AT, dialect=replace(dialect, header="none")).table
    except InputError:
        return  # what is wrong is found again where all of it is read
    if table.dialect.header != "none" or not len(table):
        return
    first, *others = _rows(table)
    named = {getattr(settings, part) for part in _PARTS} & set(first)
    if named or any(_plain(cell) in names for cell in first for names in _USUAL.values()):
        return
    repeated = [place for place, cell in enumerate(first) if cell in {row[place] for row in others}]
    numbers = [place for place, cell in enumerate(first) if _is_number(cell) or _holds_times([cell])]
    if 2 * len({*numbers, *repeated}) >= len(first):
        received = shorten(", ".join(first))
        hint = f"{_naming([first, *others])} data.header=first if the line names them."
        raise InputError(table.where(0), "must name the columns, but it looks like a row", received, hint)


def _named(table: Table, settings: Any) -> dict[str, str]:
    """Part -> column: what the settings name, and what is called as usual."""
    found: dict[str, str] = {}
    for part in _PARTS:
        asked = getattr(settings, part)
        if asked is not None:
            table.column(asked)  # raises, if there is none
            found[part] = asked
    plain = {name: _plain(name) for name in table.header}
    for part, usual in _USUAL.items():
        if part in found or (part == "count" and "rating" in found):
            continue
        names = [name for word in usual for name in table.header if plain[name] == word and name not in found.values()]
        if len(names) > 1 and part != "time" and not _are_one(table, names):
            flags = " or ".join(f"data.{'rating' if part == 'count' else part}={name}" for name in names)
            raise InputError(table.top, f"one column must be the {part}", ", ".join(names), f"Set {flags}.")
        if names:
            found[part] = names[0]
    return found


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _are_one(table: Table, names: Sequence[str]) -> bool:
    """Whether columns name the same things, such as by a number and a title."""
    first = table.column(names[0])
    different = len(set(first))
    others = [table.column(name) for name in names[1:]]
    return all(len(set(cells)) == different == len(set(zip(first, cells, strict=True))) for cells in others)


def _by_content(table: Table, found: dict[str, str]) -> None:
    """Adds to `found` what only one column can be."""
    left = [name for name in table.header if name not in found.values()]
    times = [name for name in left if _holds_times(table.column(name)) and not _is_fact(table, name, found)]
    if "time" not in found and len(times) == 1:
        found["time"] = times[0]
    left = [name for name in left if name not in times and not _holds_fractions(table.column(name))]
    missing = [part for part in ("user", "item") if part not in found]
    if missing == ["user", "item"]:
        raise _no_columns(table, missing, left)
    if missing:
        (part,), (other,) = missing, [found[name] for name in ("user", "item") if name in found]
        if len(left) != 1 or not _may_be_pair(table, left[0], other):
            raise _no_columns(table, missing, left)
        found[part] = left[0]


def _no_columns(table: Table, missing: Sequence[str], left: Sequence[str]) -> InputError:
    rule = f"needs a column {' and one '.join(repr(part) for part in missing)}"
    if len(missing) == 2 and len(left) == 2:
        first, second = left
        hint = f"Set data.user={first} if {second!r} is the item, or data.user={second} if {first!r} is."
    else:
        hint = f"Name {'them' if len(missing) > 1 else 'it'} with "
        hint += " ".join(f"data.{part}=NAME" for part in missing) + "."
    if table.unit == "line" and table.dialect.header == "first" and _looks_like_row(table):
        hint += f" If line 1 is a row: {_naming([table.header, *_rows(table)])[4:-4]}."
    return InputError(table.top, rule, shorten(", ".join(table.header)), hint)


def _naming(rows: Sequence[Sequence[str]]) -> str:
    """Sentence on the names of columns that have none: "Set data.names=..., or "."""
    columns = list(zip(*rows, strict=False))
    times = [place for place, cells in enumerate(columns) if _holds_times(cells)]
    others = [place for place in range(len(columns)) if place not in times]
    names = [f"column_{place}" for place in range(1, len(columns) + 1)]
    for place in times[:1]:
        names[place] = "timestamp"
    for place in others[2:3]:
        rated = [cell for cell in columns[place] if _is_number(cell)]
        if len(rated) == len(columns[place]):
            names[place] = "rating" if all(abs(float(cell)) <= 10 for cell in rated) else "plays"
    orders = []
    for pair in (("user", "item"), ("item", "user")):
        for place, name in zip(others, pair, strict=False):
            names[place] = name
        orders.append(f"data.names={','.join(names)}")
    return f"Set {orders[0]} if the user comes first, {orders[1]} if the item does, or"


def _looks_like_row(table: Table) -> bool:
    places = {name: set(cells) for name, cells in zip(table.header, table.cells, strict=True)}
    return any(_is_number(name) or name in places[name] or _holds_times([name]) for name in table.header)


def _rows(table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(cells[:_LOOKED_AT] for cells in table.cells), strict=True))


def _holds_times(cells: Sequence[str]) -> bool:
    """Whether these are dates, or seconds since 1970, as far as a number can show."""
    filled = [cell.strip() for cell in cells[:_LOOKED_AT] if cell.strip()]
    return bool(filled) and all(map(_is_time, filled))


def _is_time(cell: str) -> bool:
    try:
        number = time_of(cell)
    except (ValueError, OverflowError):
        return False
    return not _is_number(cell) or any(_EPOCH[0] * unit <= number <= _EPOCH[1] * unit for unit in (1, 1000))


def _is_fact(table: Table, name: str, found: dict[str, str]) -> bool:
    """Whether a column depends on the user or the item alone, as the date of a release does."""
    cells = table.column(name)
    keys = [table.column(found[part]) for part in ("user", "item") if part in found]
    return any(len(set(zip(key, cells, strict=True))) == len(set(key)) < len(cells) for key in keys)


def _holds_fractions(cells: Sequence[str]) -> bool:
    return any("." in cell and _is_number(cell) and not float(cell).is_integer() for cell in cells[:_LOOKED_AT])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _may_be_pair(table: Table, name: str, other: str) -> bool:
    """Whether two columns may be user and item: few rows have the same of both, and some come again in each."""
    first, second = table.column(name), table.column(other)
    repeated = len(first) - len(set(zip(first, second, strict=True)))
    return repeated <= _MOST_REPEATED * len(first) and 1 < len(set(first)) < len(first)


def _report(table: Table, columns: RatingColumns, note: Note) -> None:
    """A line on the columns, where their names leave something open."""
    used = {"user": columns.user, "item": columns.item, columns.feedback[:-1]: columns.rating, "time": columns.time}
    left = [name for name in table.header if name not in used.values()]
    if left or columns.feedback == "counts" or not set(filter(None, used.values())) <= set(_FIRST):
        words = [f"{part} {name!r}" for part, name in used.items() if name]
        words += ["every row counts as an interaction"] if columns.rating is None else []
        words += [f"not used: {shorten(', '.join(left))}"] if left else []
        note(f"columns: {'; '.join(words)}")
