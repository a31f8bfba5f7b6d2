"""Cells that do not fit their column, and values that may mean a missing one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dltk.base.progress import Progress
from dltk.base.terminal import one_line
from dltk.data.columns.asked import Asked, Question, flag
from dltk.data.columns.facts import MARKS, Facts, first_row
from dltk.edge.sources import Table

__all__ = ["Leftover", "questions_of", "warn_of_far_values"]

_MOST_ODD = 5  # different texts that a message proposes as missing ones
_SHOWN = 4  # names in a message
_FEW, _OFTEN = 5, 0.005  # rows, and the share of them, from which a value stands often
_FAR_ZERO = 3  # times the range of the others, from which 0 is far: many measurements are 0 or well above
_LEAST_CODE = 9  # the lowest positive number that stands for a missing value
_VALUES = 3  # other values that a column must have for one of them to be far away


@dataclass(frozen=True)
class Leftover:
    """A column, and those of its cells that do not fit.

    Attributes:
        facts: of the column.
        noun: what the others are: "numbers", "dates" or "classes".
        others: text -> rows.
        is_target: whether it is a target.
    """

    facts: Facts
    noun: str
    others: dict[str, int]
    is_target: bool = False

    @property
    def odd(self) -> list[str]:
        """Those that are no usual mark of a missing value."""
        return [text for text in self.others if text not in MARKS]


def questions_of(table: Table, leftovers: Sequence[Leftover], asked: Asked) -> list[Question]:
    """One question for all columns with marks of missing values, and one for each with another text.

    Each names the one `data.missing` that reads all of them.
    """
    texts = sorted({text for each in leftovers for text in each.others if text in MARKS}, key=MARKS.index)
    odd = list(dict.fromkeys(text for each in leftovers for text in each.odd))
    whole = flag("data.missing", [*asked.missing, *odd, *texts]) if len(odd) <= _MOST_ODD else ""
    questions = []
    for each in leftovers:
        if each.odd:
            row = first_row(table, each.facts.name, dict.fromkeys(each.odd))
            others = f"set {whole} if that means an empty cell, " if whole else ""
            more = f" {sum(each.others.values())} cells are no {each.noun}." if len(each.odd) > 1 else ""
            hint = f"Correct it, {others}or set {_keep(each, leftovers, asked)}.{more}"
            questions.append(_question(table, each, row, hint))
    marked = [each for each in leftovers if not each.odd]
    if marked:
        first, cells = marked[0], sum(sum(each.others.values()) for each in marked)
        row = first_row(table, first.facts.name, first.others)
        names = _listed([each.facts.name for each in marked])
        marks = whole or flag("data.missing", [*asked.missing, *texts])
        hint = f"{cells} cells of {names} hold {' or '.join(texts)}: set {marks} if that means a missing value."
        keeps = " or ".join(dict.fromkeys(_keep(each, marked, asked) for each in marked[:_SHOWN]))
        questions.append(_question(table, first, row, f"{hint} {keeps} keeps the cells as they are."))
    return questions


def warn_of_far_values(columns: Sequence[Facts], missing: Sequence[str], progress: Progress) -> None:
    """Warn of values that stand often and far from all others, such as -200 or 999: they may mean a missing one.

    Args:
        columns: columns of numbers, targets among them.
        missing: cells that mean a missing value by the settings.
    """
    found: dict[str, list[Facts]] = {}
    for facts in columns:
        for text in _far(facts):
            found.setdefault(text, []).append(facts)
    if not found:
        return
    texts = [
        f"{text} in {_listed([each.name for each in named])} ({sum(each.counts[text] for each in named)} rows)"
        for text, named in found.items()
    ]
    whole = flag("data.missing", [*missing, *found])
    one = "value is" if len(found) == 1 else "values are"
    progress.warn(f"often repeated {one} far from the others: {'; '.join(texts)}. For a missing value: {whole}")


def _far(facts: Facts) -> list[str]:
    """The texts of the lowest and the highest number, where that stands often and alone."""
    by_number: dict[float, list[str]] = {}
    for text, number in facts.numbers.items():
        by_number.setdefault(number, []).append(text)
    values = sorted(by_number)
    if len(values) <= _VALUES:
        return []
    found = []
    for value, rest in ((values[0], values[1:]), (values[-1], values[:-1])):
        texts = by_number[value]
        often = sum(facts.counts[text] for text in texts) >= max(_FEW, _OFTEN * facts.filled)
        gap, width = min(abs(value - rest[0]), abs(value - rest[-1])), rest[-1] - rest[0]
        far = gap > (_FAR_ZERO if value == 0 else 1) * width and (value <= 0 or value >= _LEAST_CODE)
        if often and value == int(value) and (far or value < 0 <= rest[0]):
            found.append(texts[0])
    return found


def _keep(each: Leftover, leftovers: Sequence[Leftover], asked: Asked) -> str:
    """The `KEY=VALUE` that takes the cells of a column as they are, and those of the others of its kind."""
    if each.is_target:
        return "data.kind=classify"
    names = [other.facts.name for other in leftovers if not other.is_target]
    return flag("data.categories", [*asked.categories, *(names if len(names) <= _SHOWN else [each.facts.name])])


def _question(table: Table, each: Leftover, row: int, hint: str) -> Question:
    cell = table.column(each.facts.name)[row]
    return Question(table.where(row), f"column {each.facts.name!r} holds {each.noun}", cell, hint)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(one_line(name)) for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more columns"
