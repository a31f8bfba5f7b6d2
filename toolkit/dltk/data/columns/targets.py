"""What the target of a table is: classes or values, which rows have none, which classes are rare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dltk.base.terminal import one_line
from dltk.data.columns.asked import Asked, Question
from dltk.data.columns.facts import Facts, first_row
from dltk.data.columns.leftovers import Leftover
from dltk.edge.families.tabular import OTHER
from dltk.edge.sources import Table

__all__ = ["Target", "TargetKind", "rare_classes", "target_of"]

TargetKind = Literal["label", "labels", "values"]

_MOST_WHOLE = 20  # different whole numbers up to which a target column is taken for classes
_MOST_CLASSES = 50  # classes from which they are asked about
_LEAST_ROWS = 5  # rows of a class below which it is asked about
_SHOWN = 3  # classes in a message
_MARKS = ("NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "?")  # "none", "-" may well be classes


@dataclass
class Target:
    """What is to be learnt.

    Attributes:
        kind: a label, several labels of 0 and 1, or values.
        signs: column -> the sign that its numbers are written with.
        leftovers, questions: what must be decided first.
        notes: lines about what was found.
    """

    kind: TargetKind = "label"
    signs: list[tuple[str, str]] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def target_of(table: Table, columns: Sequence[Facts], asked: Asked) -> Target:
    """What the target columns hold.

    By itself a column is one of values if most of its filled cells are numbers, and one has a fraction, or over 20 are
    different, or few are alike; then all must be numbers. Several columns are labels if they hold 0 and 1 alone.
    """
    found = Target()
    numbers = {facts.name: _numbers(found, facts, asked) for facts in columns}
    found.kind = _kind(columns, numbers, asked.kind)
    if asked.kind == "auto" and len(columns) == 1:
        _note_kind(found, columns[0], numbers[columns[0].name])
    for facts in columns:
        if facts.empty and asked.unlabelled == "error":
            row = next(row for row, cell in enumerate(table.column(facts.name)) if not cell.strip())
            rule = f"the target {facts.name!r} must not be empty"
            hint = f"Fill it in; or set data.unlabelled=drop, which leaves out {facts.empty} rows."
            found.questions.append(Question(table.where(row), rule, None, hint))
        others = facts.others(numbers[facts.name])
        if found.kind == "values" and others and facts.share(numbers[facts.name]) > 0.5:
            found.leftovers.append(Leftover(facts, "numbers", others, is_target=True))
        marks = {text: count for text, count in facts.counts.items() if text in _MARKS}
        if found.kind == "label" and asked.kind == "auto" and asked.selects and 0 < len(marks) < len(facts.counts):
            found.leftovers.append(Leftover(facts, "classes", marks, is_target=True))
    return found


def rare_classes(table: Table, facts: Facts, asked: Asked) -> tuple[tuple[str, ...], Question | None]:
    """The classes of fewer than five rows, and what to ask about them, or about over 50 classes."""
    few = [text for text, count in facts.counts.items() if count < _LEAST_ROWS]
    rare = tuple(sorted(text for text in few if text not in _MARKS or asked.kind != "auto"))
    many = len(facts.counts) > _MOST_CLASSES and asked.kind != "classify"
    if asked.rare != "ask" or len(facts.counts) < 2 or not (rare or many):
        return rare if asked.rare in ("drop", "other") else (), None
    row = first_row(table, facts.name, dict.fromkeys(rare or facts.counts))
    shown = ", ".join(repr(one_line(text)) for text in rare[:_SHOWN]) + (" ..." if len(rare) > _SHOWN else "")
    fewer = f"{len(rare)} with fewer than {_LEAST_ROWS} rows ({shown})"
    received = f"{len(facts.counts)} classes" + (f", {fewer}" if rare else "")
    rule = f"the target {facts.name!r} should be a few classes of at least {_LEAST_ROWS} rows each"
    hint = "Set data.rare=keep to train on them as they are"
    rows = sum(facts.counts[text] for text in rare)
    if rare:
        hint += f", data.rare=drop to leave out {rows} rows, data.rare=other to join them as one class {OTHER!r}"
    numeric = not facts.others(facts.numbers)
    hint += ", data.kind=regress if the numbers are values" if numeric else ""
    return (), Question(table.where(row), rule, received, f"{hint}; or another data.target.")


def _numbers(found: Target, facts: Facts, asked: Asked) -> dict[str, float]:
    """text -> number of a target column, whose numbers may be written with a sign."""
    if asked.selects and asked.kind != "classify" and facts.share(facts.numbers) <= 0.5:
        signed = facts.signed()
        if signed is not None:
            sign, numbers = signed
            text = next(text for text in numbers if sign in text)
            found.signs.append((facts.name, sign))
            found.notes.append(f"the target {one_line(facts.name)!r}: numbers; {text!r} is {numbers[text]:g}")
            return dict(numbers)
    return dict(facts.numbers)


def _kind(columns: Sequence[Facts], numbers: dict[str, dict[str, float]], asked: str) -> TargetKind:
    many = len(columns) > 1
    if asked == "classify":
        return "labels" if many else "label"
    if asked == "regress":
        return "values"
    values = [number for facts in columns for number in numbers[facts.name].values()]
    if many:
        only = all(not facts.others(numbers[facts.name]) for facts in columns)
        return "labels" if only and set(values) <= {0.0, 1.0} else "values"
    (facts,) = columns
    return "label" if facts.share(numbers[facts.name]) <= 0.5 or _few_whole(facts, values) else "values"


def _few_whole(facts: Facts, values: Sequence[float]) -> bool:
    """Whether numbers are rather classes: whole, 20 at most, and two, or each in five rows on the mean."""
    different = len(set(values))
    often = different <= 2 or different * _LEAST_ROWS <= facts.filled
    return different <= _MOST_WHOLE and often and all(number == int(number) for number in values)


def _note_kind(found: Target, facts: Facts, numbers: dict[str, float]) -> None:
    """Note which of two readings whole numbers have: classes, or values."""
    different = len(set(numbers.values()))
    if different < 3 or facts.others(numbers) or any(number != int(number) for number in numbers.values()):
        return
    name = one_line(facts.name)
    if found.kind == "label":
        found.notes.append(f"the target {name!r}: {different} whole numbers as classes (data.kind=regress: as values)")
    elif different <= _MOST_CLASSES:
        found.notes.append(f"the target {name!r}: whole numbers as values (data.kind=classify: as classes)")
