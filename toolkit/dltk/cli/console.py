"""Progress on stderr: bars where a person watches, plain lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from dltk.base.progress import Bar, Progress
from dltk.base.terminal import one_line

__all__ = ["Console", "progress"]


def progress() -> Progress:
    """The progress reporter of a command: bars and lines on stderr."""
    return Console(bars=sys.stderr.isatty())


class Console:
    """`dltk.base.progress.Progress` on stderr.

    Args:
        bars: draw bars (rich is imported with the first one); otherwise only lines are written.
    """

    def __init__(self, *, bars: bool) -> None:
        self._bars = bars
        self._live: Any = None  # rich.progress.Progress while a bar is shown

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Bar]:
        """A bar of `total` steps, removed when it ends; nested bars are drawn below each other."""
        if not self._bars:
            yield _NoBar()
        elif self._live is not None:
            yield _RichBar(self._live, one_line(label), total)
        else:
            self._live = _live()
            try:
                with self._live:
                    yield _RichBar(self._live, one_line(label), total)
            finally:
                self._live = None

    def log(self, text: str) -> None:
        """Print one line that stays."""
        self._line(text)

    def warn(self, text: str) -> None:
        """Print one line that stays, marked as a warning."""
        self._line(f"Warning: {text}")

    def _line(self, text: str) -> None:
        text = one_line(text)
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            click.echo(text, err=True)


class _NoBar:
    def advance(self, steps: int = 1, note: str = "") -> None:
        """Nothing to show."""


class _RichBar:
    def __init__(self, live: Any, label: str, total: int) -> None:
        self._live = live
        self._task = live.add_task(label, total=total, note="")

    def advance(self, steps: int = 1, note: str = "") -> None:
        changed = {"note": one_line(note)} if note else {}
        self._live.update(self._task, advance=steps, **changed)


def _live() -> Any:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return RichProgress(*columns, console=RichConsole(stderr=True), transient=True)  # what stays is lines
