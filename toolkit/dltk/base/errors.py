"""The errors that dltk raises on purpose, and what they have in common.

    DltkError                 exit code
    ├── UsageError            2   wrong flag, or a combination that does not exist
    ├── InputError            3   bad data, model, recipe or bundle
    │   └── StepOrderError    3   compression steps in an order that undoes one of them
    ├── LimitError            4   a limit or tolerance was not met, a loss became NaN
    └── EnvironmentFault      5   missing extra or runtime, weights that are unavailable, full disk

Every message has one form: `<where>: <rule>; received <value>. <what to do next>`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

__all__ = [
    "DltkError",
    "EnvironmentFault",
    "InputError",
    "LimitError",
    "StepOrderError",
    "UsageError",
    "as_error",
    "did_you_mean",
    "unknown_name_hint",
    "printable",
    "shorten",
]


class DltkError(Exception):
    """An error with a place, a rule, what was received, and what to do next.

    Args:
        where: file, line, key or flag, as the user wrote it.
        rule: what must be true there.
        received: what was found instead; left out of the message when None.
        hint: what to do next, a whole sentence.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, where: object, rule: str, received: object = None, hint: str = "") -> None:
        self.where, self.rule, self.received, self.hint = str(where), rule, received, hint
        super().__init__(self._message())

    def _message(self) -> str:
        text = f"{self.where}: {self.rule}"
        if self.received is not None:
            text += f"; received {shorten(self.received)}"
        if not text.endswith("..."):
            text = text.rstrip(".") + "."
        return printable(f"{text} {self.hint}" if self.hint else text)

    def json_fields(self) -> dict[str, Any]:
        """The fields that `--json` prints: error, where, hint and code."""
        received = "" if self.received is None else f"; received {shorten(self.received)}"
        words = {"error": f"{self.rule}{received}", "where": self.where, "hint": self.hint}
        return {name: printable(text) for name, text in words.items()} | {"code": self.exit_code}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, for another process; `as_error` makes the error of them."""
        received = None if self.received is None else str(self.received)
        words = {"where": self.where, "rule": self.rule, "received": received, "hint": self.hint}
        return {"kind": type(self).__name__} | words


class UsageError(DltkError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class InputError(DltkError):
    """What the user gave cannot be used: data, model, recipe, bundle."""

    exit_code = 3


class StepOrderError(InputError):
    """A compression step would undo an earlier one."""


class LimitError(DltkError):
    """A limit or tolerance was not met; `measured` has the measurements."""

    exit_code = 4

    def __init__(
        self, where: object, rule: str, received: object = None, hint: str = "", measured: object = None
    ) -> None:
        super().__init__(where, rule, received, hint)
        self.measured = measured

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values; `measured` must hold such."""
        return super().as_dict() | {"measured": self.measured}


class EnvironmentFault(DltkError):
    """This machine lacks an extra, a runtime, weights, disk space, or the right Keras backend."""

    exit_code = 5


_KINDS = {
    kind.__name__: kind for kind in (DltkError, UsageError, InputError, StepOrderError, LimitError, EnvironmentFault)
}


def as_error(told: Mapping[str, Any]) -> DltkError:
    """The error that `as_dict` described."""
    words = dict(told)
    return _KINDS[words.pop("kind")](**words)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that suggests the nearest of `known`, or lists them if none is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}." if names else ""


def unknown_name_hint(wanted: str, given: Iterable[object]) -> str:
    """A sentence for a name that is not among `given`, if either of the two names may be misspelt.

    `did_you_mean` is for a word of the user that must be one of dltk's.
    """
    names = {str(name).casefold(): str(name) for name in given}
    near = difflib.get_close_matches(wanted.casefold(), names, n=1, cutoff=0.6)
    return f"The nearest is {names[near[0]]!r}: both must have the same name." if near else ""


def printable(text: str) -> str:
    """`text` on one line, with control characters escaped, for names of files and keys."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shorten(value: object, limit: int = 200) -> str:
    """`value` on one line, with control characters escaped and the middle of one over `limit` characters cut out."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return text if len(text) <= limit else f"{text[: limit // 2]} ... {text[-limit // 4 :]}"
