"""The interface that work reports progress to; a terminal, a test or nothing implements it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["SILENT", "Bar", "Progress", "Silent"]


class Bar(Protocol):
    """One running piece of work."""

    def advance(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` replaces the text at the right of the bar."""


class Progress(Protocol):
    """Receives the progress of work."""

    def bar(self, label: str, total: int) -> AbstractContextManager[Bar]:
        """A bar of `total` steps, shown while the `with` block runs."""

    def log(self, text: str) -> None:
        """Print one line that stays on the screen."""

    def warn(self, text: str) -> None:
        """Print one line that stays, marked as a warning."""


class _SilentBar:
    def advance(self, steps: int = 1, note: str = "") -> None:
        pass


class Silent:
    """Shows nothing; records the lines, for tests and for JSON."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Bar]:
        """A bar of `total` steps that shows nothing."""
        yield _SilentBar()

    def log(self, text: str) -> None:
        """Record one line in `said`."""
        self.said.append(text)

    def warn(self, text: str) -> None:
        """Record one warning in `warned`."""
        self.warned.append(text)


SILENT: Progress = Silent()
