"""What every target of `make devices` gives and gets: rows of expected and measured results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

__all__ = ["Missing", "Row", "as_table", "folded", "renewed"]

_TABLE = "| target | file | expected | measured | |\n|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Row:
    """One expectation that was tested on one target.

    Attributes:
        target: name of the target, as `--only` takes it.
        what: the bundle and its file, in words.
        expected: the expected result, with its tolerance.
        measured: the result; of a row that was not run, the reason.
        met: None where it was not run.
    """

    target: str
    what: str
    expected: str
    measured: str
    met: bool | None


class Missing(Exception):
    """A target, or a part of it, cannot be had on this machine: the text says what is missing, and how to get it."""


def as_table(rows: Sequence[Row]) -> str:
    """Markdown: a line a row."""
    words = {True: "met", False: "**MISSED**", None: "skipped"}
    lines = []
    for row in rows:
        cells = (row.target, row.what, row.expected, row.measured, words[row.met])
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return _TABLE + "".join(f"{line}\n" for line in lines)


def folded(found: Iterable[tuple[str, Row]]) -> list[Row]:
    """One row per expectation that was tested in several variants (name, row): each result, and its variants."""
    together: dict[tuple[str, str, str], list[tuple[str, Row]]] = {}
    for variant, row in found:
        together.setdefault((row.target, row.what, row.expected), []).append((variant, row))
    rows = []
    for each in together.values():
        words: dict[str, list[str]] = {}
        for variant, row in each:
            words.setdefault(row.measured, []).append(variant)
        measured = "; ".join(f"{text} ({', '.join(names)})" for text, names in words.items())
        ran = [row.met for _, row in each if row.met is not None]
        rows.append(replace(each[0][1], measured=measured, met=all(ran) if ran else None))
    return rows


def renewed(page: str, rows: Sequence[Row]) -> str:
    """`page` with the rows of the targets in `rows` in its table; other targets' rows stay above them.

    A page without such a table becomes the table.
    """
    before, table, after = page.partition(_TABLE)
    if not table:
        return as_table(rows)
    old, rest = [], after.split("\n")
    while rest and rest[0].startswith("|"):
        old.append(rest.pop(0) + "\n")
    new = as_table(rows).removeprefix(_TABLE).splitlines(keepends=True)
    done = {row.target for row in rows}
    lines = [line for line in old if line.split(" | ")[0].removeprefix("| ") not in done] + new
    return before + table + "".join(lines) + "\n".join(rest)
