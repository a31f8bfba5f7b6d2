"""What is wrong with a file, or can be read in two ways, in one message that holds all of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dltk.base.errors import InputError, shorten

__all__ = ["Faults", "Questions"]

_SHOWN = 10
_LONGEST = 40  # letters of what was received, of a fault after the first


@dataclass(frozen=True)
class _Fault:
    line: int
    rule: str
    received: str | None
    hint: str

    def briefly(self, unit: str, first: _Fault) -> str:
        received = "" if self.received is None else shorten(self.received, _LONGEST)
        words = f"{unit} {self.line}" if self.line != first.line else "there"
        if self.rule == first.rule:
            return f"{words} ({received})" if received else words
        return f"{words}: {self.rule}" + (f" ({received})" if received else "")


class Faults:
    """Collects the faults of the file at `path`; `unit` is what its lines are called."""

    def __init__(self, path: str | Path, unit: str = "line") -> None:
        self._path, self.unit = path, unit
        self._first: list[_Fault] = []
        self.count = 0

    def add(self, line: int, rule: str, received: str | None = None, hint: str = "") -> None:
        """One more: the line it stands in, the rule, what stands there, and what to do."""
        self.count += 1
        if len(self._first) < _SHOWN:
            self._first.append(_Fault(line, rule, received, hint))

    def raise_if_any(self) -> None:
        """Raise InputError with the first ten faults and the number of the others, if there is one."""
        if not self._first:
            return
        first, *others = sorted(self._first, key=lambda fault: fault.line)
        hint = first.hint
        if others:
            words = [fault.briefly(self.unit, first) for fault in others]
            left = self.count - len(self._first)
            words += [f"and {left} more"] if left else []
            hint = f"{hint} Also {'; '.join(words)}.".lstrip()
        raise InputError(f"{self._path}, {self.unit} {first.line}", first.rule, first.received, hint)


class Questions:
    """Collects what only the user can decide about a file, so that one message names all settings."""

    def __init__(self) -> None:
        self._asked: list[InputError] = []

    def ask(self, where: str, rule: str, received: str, hint: str) -> None:
        """One more: what can be read in two ways, and the setting of each in `hint`."""
        self._asked.append(InputError(where, rule, received, hint))

    def raise_if_any(self) -> None:
        """Raise InputError with the first question and the hints of the others, if there is one."""
        if self._asked:
            first, *others = self._asked
            also = [f"Also, {other.rule} ({shorten(other.received, _LONGEST)}): {other.hint}" for other in others]
            raise InputError(first.where, first.rule, first.received, " ".join([first.hint, *also]))
