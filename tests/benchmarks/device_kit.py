"""What every target of `make devices` gives and gets: rows of what was held to what, and bundles to hold to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Missing", "Row", "as_table"]


@dataclass(frozen=True)
class Row:
    """One thing that was held to one promise on one target.

    Attributes:
        target: name of the target, as `--only` takes it.
        what: the bundle and its file, in words.
        held_to: the promise, with its tolerance.
        measured: what came out; of a row that was not run, the reason.
        met: None where it was not run.
    """

    target: str
    what: str
    held_to: str
    measured: str
    met: bool | None


class Missing(Exception):
    """A target, or a part of it, cannot be had on this machine: the text says what is missing, and how to get it."""


def as_table(rows: Sequence[Row]) -> str:
    """Markdown: a line a row."""
    words = {True: "met", False: "**MISSED**", None: "skipped"}
    lines = ["| target | file | held to | measured | |", "|---|---|---|---|---|"]
    for row in rows:
        cells = (row.target, row.what, row.held_to, row.measured, words[row.met])
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
