"""Which columns make a sample: numbers, dates and categories, and those that carry no information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dltk.base.progress import Progress
from dltk.base.terminal import one_line
from dltk.data.columns.asked import Asked, Question, flag
from dltk.data.columns.facts import Facts, facts_of, first_row
from dltk.data.columns.leftovers import Leftover
from dltk.edge.families.shared.columns import as_number
from dltk.edge.families.shared.dates import DateColumn, date_of
from dltk.edge.sources import Table

__all__ = ["Features", "features_of"]

_FEWEST = 20  # rows from which a column that differs in each is a sign
_COUNTED = 100  # rows from which a column that rises by one is no measurement
_ALONE = 0.9  # share of the rows whose text no other row has, from which a column is one of names
_MANY, _MOST_TEXTS = 0.5, 20  # different texts per row, and at all, from which it may be one
_MOST_NOTES, _SHOWN = 12, 6  # lines, and columns in a line
_MARKED = 5  # empty cells from which a column has an input that marks them
_NAMES = {
    "id",
    "ids",
    "uid",
    "uuid",
    "guid",
    "key",
    "index",
    "idx",
    "no",
    "nr",
    "row",
    "rowid",
    "identifier",
    "rownames",
    "#",
}


@dataclass
class Features:
    """The columns found so far.

    Attributes:
        numbers, categories, dates, marked, signs: as in `dltk.edge.families.shared.columns.Columns`.
        empty: whether a number or a date is missing in some row.
        left_out: columns that carry no information.
        leftovers, questions: what must be decided first.
        notes: lines about what was found.
        facts: of the columns of numbers.
        filled: column -> its empty cells, where they are filled by themselves.
    """

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    dates: list[DateColumn] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)
    signs: list[tuple[str, str]] = field(default_factory=list)
    empty: bool = False
    left_out: list[str] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)

    def count_empty(self, facts: Facts, asked: Asked) -> None:
        """Take note of the empty cells of a column of numbers or dates."""
        self.empty |= facts.empty > 0
        if asked.fill == "auto" and facts.empty:
            self.marked += [facts.name] if facts.empty >= _MARKED else []
            self.filled[facts.name] = facts.empty

    def lines(self) -> list[str]:
        """The notes, a dozen at most, and one about all empty cells."""
        found = self.notes[:_MOST_NOTES]
        if len(self.notes) > len(found):
            found.append(f"and {len(self.notes) - len(found)} more columns; the report of the run names those left out")
        if self.filled:
            names = [f"{one_line(name)!r} ({count})" for name, count in self.filled.items()]
            more = f" and {len(names) - _SHOWN} more columns" if len(names) > _SHOWN else ""
            marks = f"; {len(self.marked)} of the columns have an input that marks them" if self.marked else ""
            found.append(
                f"empty cells of {', '.join(names[:_SHOWN])}{more} are filled with the mean of the training "
                f"rows{marks} (data.fill=mean, data.fill=error)"
            )
        return found


def features_of(table: Table, names: Sequence[str], settings: Any, asked: Asked, progress: Progress) -> Features:
    """What each column of `names` is, by its cells or by `settings.numbers` and `settings.categories`.

    A column is one of numbers if most of its filled cells are, and then all must be: one cell that is none is a
    mistake, not a category. The same holds for dates.
    """
    found = Features()
    for name in names:
        facts = facts_of(table, name, asked.missing)
        if name in settings.categories:
            found.categories.append(name)
        elif name not in settings.numbers and asked.selects and _are_compact(facts):
            _add_dates(found, table, facts, asked)
        elif name in settings.numbers or facts.share(facts.numbers) > 0.5:
            _add_numbers(found, table, facts, asked, sure=name in settings.numbers)
        elif not asked.selects or not (_add_signed(found, facts, asked) or _add_dates(found, table, facts, asked)):
            _add_texts(found, facts, asked, progress)
    if not found.numbers and not found.categories and not found.dates and found.left_out:
        _bring_back(found, table, asked, progress)
    return found


def _are_compact(facts: Facts) -> bool:
    """Whether all cells are dates such as 20240131, in several months."""
    if not facts.filled or any(len(text) != 8 or not text.isdigit() for text in facts.counts):
        return False
    dates = [date_of(text, "year-first") for text in facts.counts]
    return None not in dates and len({text[:6] for text in facts.counts}) > 2


def _add_numbers(found: Features, table: Table, facts: Facts, asked: Asked, *, sure: bool) -> None:
    name, others = facts.name, facts.others(facts.numbers)
    signed = facts.signed() if others and asked.selects else None
    if signed is not None and len(facts.others(signed[1])) < len(others) and signed[0] != "%":
        _add_signed(found, facts, asked)
        return
    if asked.selects and not sure and not others and (reason := _counts_rows(table, facts)):
        found.left_out.append(name)
        found.notes.append(_left_out(name, reason, "numbers", asked))
        return
    if others:
        found.leftovers.append(Leftover(facts, "numbers", others))
    found.numbers.append(name)
    found.facts.append(facts)
    found.count_empty(facts, asked)


def _add_signed(found: Features, facts: Facts, asked: Asked) -> bool:
    signed = facts.signed()
    if signed is None:
        return False
    sign, numbers = signed
    if others := facts.others(numbers):
        found.leftovers.append(Leftover(facts, "numbers", others))
    text = next(text for text in numbers if sign in text)
    found.signs.append((facts.name, sign))
    found.numbers.append(facts.name)
    found.notes.append(f"column {one_line(facts.name)!r}: numbers; {text!r} is {numbers[text]:g}")
    found.count_empty(facts, asked)
    return True


def _add_dates(found: Features, table: Table, facts: Facts, asked: Asked) -> bool:
    name, orders = facts.name, {} if asked.dates == "text" else facts.dates(asked.dates)
    if not orders:
        return False
    order, texts = next(iter(orders.items()))
    if len(orders) > 1:
        row = first_row(table, name, dict.fromkeys(texts))
        rule = f"column {name!r} holds dates whose day may be first or second"
        as_texts = flag("data.categories", [*asked.categories, name])
        hint = f"Set data.dates=day-first or data.dates=month-first; or {as_texts}."
        found.questions.append(Question(table.where(row), rule, table.column(name)[row], hint))
    if others := facts.others(dict.fromkeys(texts)):
        found.leftovers.append(Leftover(facts, "dates", others))
    dates = {text: date for text in texts if (date := date_of(text, order)) is not None}
    parts = _parts(list(dates.values()))
    if not parts:
        found.left_out.append(name)
        found.notes.append(_left_out(name, "the same date in each row", "categories", asked))
        return True
    found.dates.append(DateColumn(name, order, parts))
    text, date = next(iter(dates.items()))
    form = "%H:%M" if parts == ("hour",) else "%d %B %Y %H:%M" if "hour" in parts else "%d %B %Y"
    found.notes.append(
        f"column {one_line(name)!r}: dates, {order} ({text!r} is {date.strftime(form)}), as numbers: "
        f"{', '.join(parts)} ({flag('data.categories', [*asked.categories, name])}: as they are)"
    )
    found.count_empty(facts, asked)
    return True


def _parts(dates: Sequence[datetime]) -> tuple[str, ...]:
    """The parts that differ among the dates; a weekday only where the day of the month does, too."""
    if len(set(dates)) < 2:
        return ()
    varies = {
        "year": len({date.date() for date in dates}) > 1,
        "season": len({(date.month, date.day) for date in dates}) > 1,
        "weekday": len({date.day for date in dates}) > 1 and len({date.weekday() for date in dates}) > 1,
        "hour": len({date.time() for date in dates}) > 1,
    }
    return tuple(part for part, differs in varies.items() if differs)


def _add_texts(found: Features, facts: Facts, asked: Asked, progress: Progress) -> None:
    name, different = facts.name, len(facts.counts) + (facts.empty > 0)
    alone = sum(count == 1 for count in facts.counts.values())
    if asked.selects and not facts.filled:
        found.left_out.append(name)
        found.notes.append(_left_out(name, "it is empty", "categories", asked))
    elif asked.selects and facts.filled >= _FEWEST and alone >= _ALONE * facts.filled:
        found.left_out.append(name)
        found.notes.append(_left_out(name, f"{alone} of {facts.filled} texts are in no other row", "categories", asked))
    else:
        found.categories.append(name)
        if different > _MANY * facts.rows and different > _MOST_TEXTS:
            progress.warn(
                f"column {one_line(name)!r}: {different} different texts in {facts.rows} rows; if they are names, "
                f"ignore it with {flag('data.ignore', [name])}"
            )


def _counts_rows(table: Table, facts: Facts) -> str:
    """Why a column of numbers is one of row numbers or identifiers; "" if it is none."""
    values = set(facts.numbers.values())
    if facts.empty or facts.rows < _FEWEST or len(values) < facts.rows:
        return ""
    if any(value != int(value) for value in values):
        return ""
    first, last = min(values), max(values)
    named = not _NAMES.isdisjoint(_words(facts.name))
    if last - first + 1 == facts.rows and (first in (0.0, 1.0) or named or facts.rows >= _COUNTED):
        cells = table.column(facts.name)
        steady = all(as_number(cells[row]) == first + row for row in (0, 1, facts.rows // 2, facts.rows - 1))
        return "it rises by one in each row" if steady else "it holds each whole number once"
    return "its name and a different whole number in each row" if named else ""


def _words(name: str) -> list[str]:
    """The words of a column's name, lower case: "customerID" is customer and id."""
    text = "".join(f" {letter}" if letter.isupper() and before.islower() else letter
                   for before, letter in zip(f" {name}", name, strict=False))  # fmt: skip
    return "".join(letter if letter.isalnum() or letter == "#" else " " for letter in text).lower().split()


def _left_out(name: str, reason: str, key: str, asked: Asked) -> str:
    keeps = flag(f"data.{key}", [*getattr(asked, key), name])
    return f"column {one_line(name)!r} is left out: {reason} ({keeps}: keeps it)"


def _bring_back(found: Features, table: Table, asked: Asked, progress: Progress) -> None:
    """Where nothing else is left, numbers that rise by one are what there is to learn from."""
    for name in found.left_out:
        facts = facts_of(table, name, asked.missing)
        if facts.filled and len(facts.numbers) == len(facts.counts):
            found.numbers.append(name)
            found.facts.append(facts)
            progress.warn(f"column {one_line(name)!r} differs in each row, and no other column is there to learn from")
    found.notes = [] if found.numbers else found.notes
