"""What the settings of a table ask for, those of earlier versions included."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError, shorten
from dltk.edge.sources import Table

__all__ = ["Asked", "Question", "asked_of", "flag", "raise_questions"]

_FORMERLY = ("error", "mean")  # what `data.missing` was before it named cells
_MOST_QUESTIONS = 10


@dataclass(frozen=True)
class Asked:
    """The settings for how columns are read.

    Attributes:
        missing: cells that mean a missing value, beside the empty one.
        fill: "auto", "mean" or "error", for a missing number.
        unlabelled: "error" or "drop", for a row without a target.
        kind: "auto", "classify" or "regress".
        rare: "ask", "keep", "drop" or "other", for classes of a handful of rows.
        dates: "auto", "day-first" or "month-first"; "text" leaves dates as they are.
        duplicates: "auto", "drop" or "keep", for rows that are in several splits.
        categories, numbers: columns that are such by the settings.
        selects: whether columns that carry no information, such as row numbers, are left out.
    """

    missing: tuple[str, ...]
    fill: str
    unlabelled: str
    kind: str
    rare: str
    dates: str
    duplicates: str
    categories: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    selects: bool = True


@dataclass(frozen=True)
class Question:
    """What must be decided before a table can be read: the parts of an error."""

    where: str
    rule: str
    received: object
    hint: str


def asked_of(settings: Any, table: Table) -> Asked:
    """What `settings` ask for. Those of a run of an earlier version have a field `empty`, and mean what they meant.

    Raises:
        InputError: if `data.missing` holds a value of that version.
    """
    if hasattr(settings, "empty"):
        fill = settings.missing if isinstance(settings.missing, str) else "".join(settings.missing)
        return Asked(settings.empty, fill, "error", settings.kind, "keep", "text", "keep", selects=False)
    if len(settings.missing) == 1 and settings.missing[0] in _FORMERLY:
        mark = settings.missing[0]
        if not any(mark in column for column in table.cells):
            rule = "names the cells that mean a missing value, such as NA,?"
            raise InputError("setting data.missing", rule, mark, f"Set data.fill={mark}.")
    unlabelled = "drop" if settings.missing else settings.unlabelled
    kept = ("fill", "kind", "rare", "dates", "duplicates", "categories", "numbers")
    return Asked(missing=settings.missing, unlabelled=unlabelled, **{key: getattr(settings, key) for key in kept})


def flag(key: str, values: Iterable[str]) -> str:
    """`KEY=VALUE,...` as it is typed in a shell; "" if a value cannot be typed."""
    texts = list(values)
    if any("," in text or text != text.strip() or not text.isprintable() for text in texts):
        return ""
    return shlex.quote(f"{key}={','.join(texts)}")


def raise_questions(questions: list[Question]) -> None:
    """Raise one InputError with all of `questions`, if there are any: the first with its place, then the others."""
    if not questions:
        return
    first, others = questions[0], questions[1:]
    also = []
    for each in others[: _MOST_QUESTIONS - 1]:
        received = "" if each.received is None else f"; received {shorten(each.received)}"
        also.append(f"Also {each.where}: {each.rule}{received}. {each.hint}")
    also += [f"And {len(others) - len(also)} more columns."] if len(others) > len(also) else []
    raise InputError(first.where, first.rule, first.received, " ".join([first.hint, *also]))
