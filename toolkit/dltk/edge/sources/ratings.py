"""Ratings as people keep them: a table of user, item, and maybe a rating or a count, and a time."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timezone
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Op
from dltk.edge.sources.tables import Faults, Table
from dltk.edge.sources.times import moment

__all__ = ["RatingColumns", "Ratings", "read_ratings", "time_of"]

_LATER = {"feedback": "ratings", "order": "rows", "empty": "refuse"}  # keys that older bundles lack
_TEXTS, _SCALE = ("user", "item", "rating", "time"), ("lowest", "highest", "liked")
_FEW_OFF = 0.01  # a smaller share of the ratings off the scale is a fault of theirs
_MOST_STEPS = 10  # of a scale of ratings; what goes further may be a count
_NO_TIME = "Set data.order=rows if the rows stand in order of time, or data.order=drawn to do without."


@dataclass(frozen=True)
class RatingColumns:
    """Names of columns, what they mean, and which ratings may stand there.

    Attributes:
        user, item: always there.
        rating: None: every row counts as liked.
        time: seconds, or an ISO date; None: see `order`.
        lowest, highest: the scale of the ratings.
        liked: ratings below do not count as liked.
        feedback: "ratings" on a scale; "counts": of events, which add up, and 0 is none.
        order: "rows": they stand in order of time; "drawn": by chance, where no order is known, always the same.
        empty: "refuse" rows without a user or an item, or "drop" them.
    """

    user: str
    item: str
    rating: str | None
    time: str | None
    lowest: float
    highest: float
    liked: float
    feedback: str = "ratings"
    order: str = "rows"
    empty: str = "refuse"

    def op(self) -> dict[str, Any]:
        """As a step of a signature."""
        values = vars(self)
        usual = [key for key, value in _LATER.items() if values[key] == value]
        return {"op": "ratings", **{key: value for key, value in values.items() if key not in usual}}

    @classmethod
    def of(cls, op: Op) -> RatingColumns:
        """Out of a step of a signature.

        Raises:
            InputError: if it does not fit.
        """
        found = _LATER | {key: value for key, value in op.items() if key != "op"}
        fits = set(found) == {item.name for item in fields(cls)}
        fits = fits and all(isinstance(found[key], str) for key in ("user", "item", *_LATER))
        fits = fits and all(found[key] is None or isinstance(found[key], str) for key in _TEXTS)
        if not fits or not all(isinstance(found[key], (int, float)) for key in _SCALE):
            raise InputError("preprocess: ratings", "must name columns and the scale", dict(op))
        return cls(**found)


@dataclass(frozen=True)
class Ratings:
    """What each user liked.

    Attributes:
        histories: user -> items, the oldest first, each once.
        rows: of the file.
        duplicates: rows whose pair of user and item stood there before; the later one counts, or their counts add up.
        first_duplicate: "FILE, line N" of the first of them, or empty.
        disliked: pairs whose rating or count is too low to count.
        dropped: rows without a user or an item.
    """

    histories: Mapping[str, tuple[str, ...]]
    rows: int
    duplicates: int
    first_duplicate: str
    disliked: int
    dropped: int = 0


def read_ratings(table: Table, columns: RatingColumns) -> Ratings:
    """The table's rows, each checked.

    Raises:
        InputError: naming the lines of empty cells, ratings off the scale, or times that are none.
    """
    names = [[cell.strip() for cell in table.column(name)] for name in (columns.user, columns.item)]
    rows = _filled_rows(table, columns, names)
    users, items = names
    ratings = None if columns.rating is None else _numbers(table, columns)
    adds_up, totals, doubled = columns.feedback == "counts", dict[tuple[str, str], float](), []
    for row in _in_order(table, columns, rows, names):
        pair = (users[row], items[row])
        rating, before = math.inf if ratings is None else ratings[row], 0.0
        if pair in totals:
            before = totals.pop(pair)  # so that it stands where the later row does
            doubled.append(row)
        totals[pair] = rating + before if adds_up else rating
    histories: dict[str, list[str]] = {}
    disliked = 0
    for (user, item), total in totals.items():
        if total < columns.liked or (adds_up and total <= 0):
            disliked += 1
        else:
            histories.setdefault(user, []).append(item)
    first = table.where(min(doubled)) if doubled else ""
    kept = {user: tuple(known) for user, known in histories.items()}
    return Ratings(kept, len(table), len(doubled), first, disliked, len(table) - len(rows))


def time_of(cell: str) -> float:
    """The time in a cell, in seconds where it is a date; ValueError where it is none. Local times count as UTC."""
    try:
        number = float(cell)
    except ValueError:
        time = moment(cell)
        number = (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _in_order(
    table: Table, columns: RatingColumns, rows: Sequence[int], names: Sequence[Sequence[str]]
) -> Sequence[int]:
    users, items = names
    if columns.time is not None:
        return sorted(rows, key=_times(table, columns.time).__getitem__)
    return sorted(rows, key=lambda row: _draw(users[row], items[row])) if columns.order == "drawn" else rows


def _draw(user: str, item: str) -> bytes:
    return hashlib.blake2b(f"{user}\0{item}".encode(errors="surrogatepass"), digest_size=8).digest()


def _filled_rows(table: Table, columns: RatingColumns, names: Sequence[Sequence[str]]) -> Sequence[int]:
    """The rows with a user and an item."""
    filled = [row for row in range(len(table)) if all(cells[row] for cells in names)]
    if len(filled) == len(table) or columns.empty == "drop":
        return filled
    faults, hint = Faults(table.path, table.unit), "Fill it; data.empty=drop leaves such rows out."
    for row in range(len(table)):
        for name, cells in zip((columns.user, columns.item), names):
            if not cells[row]:
                faults.add(table.lines[row], f"column {name!r} must not be empty", hint=hint)
    faults.raise_if_any()
    return filled


def _numbers(table: Table, columns: RatingColumns) -> list[float]:
    name, found = str(columns.rating), [_number(cell) for cell in table.column(str(columns.rating))]
    off = [row for row, number in enumerate(found) if not columns.lowest <= number <= columns.highest]
    if off:
        rule = f"column {name!r} must lie between {columns.lowest:g} and {columns.highest:g}"
        if columns.feedback == "counts":
            rule = f"column {name!r} must hold counts, 0 or above"
        hint, faults = _scale_hint(found, columns, len(off)), Faults(table.path, table.unit)
        for row in off:
            faults.add(table.lines[row], rule, table.column(name)[row], hint)
        faults.raise_if_any()
    return found


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _scale_hint(found: Sequence[float], columns: RatingColumns, off: int) -> str:
    """Which settings read the ratings; of few that are off the scale, that they may be faults."""
    if columns.feedback == "counts":
        return "Correct it; or set data.feedback=events to use every row, or data.feedback=ratings for a scale."
    if off < _FEW_OFF * len(found) or not all(map(math.isfinite, found)):
        return "Is the scale another one? Set data.lowest and data.highest."
    low, high = min(found), max(found)
    flags = [f"data.lowest={low:g}"] if low < columns.lowest else []
    flags += [f"data.highest={high:g}"] if high > columns.highest else []
    scale = f"Set {' and '.join(flags)} if the scale of the ratings is that one"
    if low == 0 and high > 1:
        scale += " (data.liked=1 if 0 is no rating)"
    is_count = low >= 0 and (high > _MOST_STEPS or high == 1) and all(number == int(number) for number in found)
    return f"{scale}, or data.feedback=counts if they count events, 0 for none." if is_count else f"{scale}."


def _times(table: Table, name: str) -> list[float]:
    found, faults = [], Faults(table.path, table.unit)
    for row, cell in enumerate(table.column(name)):
        try:
            found.append(time_of(cell.strip()))
        except (ValueError, OverflowError):
            rule = f"column {name!r} must be a number of seconds or an ISO date"
            faults.add(table.lines[row], rule, cell, _NO_TIME)
            found.append(0.0)
    faults.raise_if_any()
    return found
