"""A table as it is learnt from: its columns by kind, its target, and the rows that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.columns.asked import Asked, asked_of, raise_questions
from dltk.data.columns.facts import facts_of
from dltk.data.columns.features import Features, features_of
from dltk.data.columns.leftovers import questions_of, warn_of_far_values
from dltk.data.columns.targets import Target, TargetKind, rare_classes, target_of
from dltk.edge.families.shared.columns import Columns, rows_of, with_target
from dltk.edge.families.tabular import OTHER
from dltk.edge.sources import Table

_SHOWN = 4  # columns in a message
__all__ = ["Chosen", "TargetKind", "choose"]


@dataclass(frozen=True)
class Chosen:
    """What is learnt from a table.

    Attributes:
        table: the rows that have a target.
        columns: which columns make a sample, and how cells are read.
        kind: a label, several labels of 0 and 1, or values.
        joined: classes that are learnt as one, `OTHER`.
        left_out: columns that carry no information.
        dropped: rows without a target, and rows of classes that are left out.
        duplicates: "auto", "drop" or "keep", for rows that are in several splits.
    """

    table: Table
    columns: Columns
    kind: TargetKind
    joined: tuple[str, ...]
    left_out: tuple[str, ...]
    dropped: dict[str, int]
    duplicates: str


def choose(table: Table, settings: Any, progress: Progress) -> Chosen:
    """Which columns are numbers, dates, categories and targets, by their cells or by `settings`.

    Logs what is not a matter of course.

    Raises:
        InputError: if a setting names a column that is not there, or twice; or, with all that must be decided first
            and the setting of each reading, if cells do not fit their column or can be read in several ways.
    """
    targets = tuple(settings.target or table.header[-1:])
    _require_names(table, targets, settings)
    asked = asked_of(settings, table)
    target = target_of(table, [facts_of(table, name, asked.missing) for name in targets], asked)
    kept, rare, dropped = _rows_to_learn(table, targets, target, asked)
    passed = {*targets, *settings.ignore, settings.group}
    features = features_of(kept, [name for name in table.header if name not in passed], settings, asked, progress)
    if not (features.numbers or features.categories or features.dates):
        hint = " ".join(f"{note[0].upper()}{note[1:]}." for note in features.notes[:_SHOWN])
        hint += " Texts are what the recipe text-classification learns from." if features.left_out else ""
        raise InputError(f"{table.path}, line 1", "must name columns besides the target", ", ".join(table.header), hint)
    leftovers = questions_of(table, [*features.leftovers, *target.leftovers], asked)
    raise_questions([*leftovers, *target.questions, *features.questions])
    values = [facts_of(kept, name, asked.missing) for name in targets] if target.kind == "values" else []
    if asked.selects:
        warn_of_far_values([*features.facts, *values], asked.missing, progress)
    for line in (*target.notes, *features.lines()):
        progress.log(line)
    columns = _columns(features, targets, target, asked, rest=asked.rare if rare else "error")
    joined = rare if asked.rare == "other" else ()
    return Chosen(kept, columns, target.kind, joined, tuple(features.left_out), dropped, asked.duplicates)


def _require_names(table: Table, targets: tuple[str, ...], settings: Any) -> None:
    named = [*settings.numbers, *settings.categories, *settings.ignore, *targets]
    for name in named:
        table.column(name)
        if named.count(name) > 1:
            raise InputError(f"setting data: column {name!r}", "must be one of target, numbers, categories, ignore")
    if settings.group is not None:
        table.column(settings.group)


def _rows_to_learn(
    table: Table, targets: tuple[str, ...], target: Target, asked: Asked
) -> tuple[Table, tuple[str, ...], dict[str, int]]:
    """The rows with a target; the rare classes, whose rows are left out if asked; how many rows are left out."""
    bare = Columns((), (), targets, asked.missing, unlabelled=asked.unlabelled)
    kept = rows_of(table, with_target(table, bare, numeric=target.kind == "values"))
    dropped = {"unlabelled": len(table) - len(kept), "rare": 0}
    rare: tuple[str, ...] = ()
    if target.kind == "label" and len(kept):
        rare, question = rare_classes(kept, facts_of(kept, targets[0], asked.missing), asked)
        target.questions += [] if question is None else [question]
    if dropped["unlabelled"]:
        target.notes.append(f"{dropped['unlabelled']} of {len(table)} rows have no target and are left out")
    if rare:
        is_rare = np.fromiter((cell.strip() in set(rare) for cell in kept.column(targets[0])), bool, len(kept))
        rows, verb = int(is_rare.sum()), "are left out" if asked.rare == "drop" else f"become {OTHER!r}"
        target.notes.append(f"{len(rare)} classes of a few rows: {rows} rows {verb}")
        if asked.rare == "drop":
            kept, dropped["rare"] = rows_of(kept, np.flatnonzero(~is_rare)), rows
    if not len(kept):
        raise InputError(table.path, f"must have rows with a target {targets[0]!r}", "none")
    return kept, rare, dropped


def _columns(features: Features, targets: tuple[str, ...], target: Target, asked: Asked, *, rest: str) -> Columns:
    fills = asked.fill == "mean" or (asked.fill == "auto" and features.empty)
    return Columns(
        tuple(features.numbers),
        tuple(features.categories),
        targets,
        asked.missing,
        "mean" if fills else "error",
        tuple(features.dates),
        tuple(features.marked),
        (*features.signs, *target.signs),
        asked.unlabelled,
        rest,
    )
