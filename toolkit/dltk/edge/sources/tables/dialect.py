"""How a table is written: what separates its cells, its encoding, its header, and the decimal sign of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dltk.base.errors import InputError
from dltk.edge.bundle.op_table import DECIMALS, ENCODINGS, HEADERS, SEPARATORS
from dltk.edge.bundle.signature import Op, Signature

__all__ = ["AUTO", "PLAIN", "Dialect", "Note", "dialect_of", "ignore_note", "with_dialect"]

Note = Callable[[str], None]  # takes one line about what was found in a file, such as `Progress.log`


def ignore_note(line: str) -> None:
    """Where nobody reads what was found."""


@dataclass(frozen=True)
class Dialect:
    """How a table is written. "auto": found in the file.

    Attributes:
        separator: "," ";" "|" "::", "tab", "space" for runs of spaces, or "auto".
        encoding: one of `ENCODINGS`, or "auto".
        header: "first": the first line names the columns; "none": it is a row; or "auto".
        decimal: "." or ","; the other of the two may group thousands; or "auto".
        names: of all columns, in order, where no line names them; they replace those of a header="first".
        sheet: of a workbook with several.
        grouped: whether the other sign groups thousands in some number; None: found in the file.

    Raises:
        InputError: on a value that is none of these, or a name given twice.
    """

    separator: str = "auto"
    encoding: str = "auto"
    header: str = "auto"
    decimal: str = "auto"
    names: tuple[str, ...] = ()
    sheet: str | None = None
    grouped: bool | None = None

    def __post_init__(self) -> None:
        known = {"separator": SEPARATORS, "encoding": ENCODINGS, "header": HEADERS, "decimal": DECIMALS}
        for key, words in known.items():
            if getattr(self, key) not in ("auto", *words):
                rule = f"must be auto, {', '.join(words)}"
                raise InputError(f"setting data.{key}", rule, getattr(self, key))
        if len(set(self.names)) < len(self.names):
            raise InputError("setting data.names", "every column needs a different name", ", ".join(self.names))

    @classmethod
    def of(cls, settings: Any) -> Dialect:
        """That of a recipe's `settings.data`; what they lack is found in the file.

        Raises:
            InputError: on an encoding that is not known, or a name given twice.
        """
        keys = [item.name for item in fields(cls) if hasattr(settings, item.name)]
        given: dict[str, Any] = {key: getattr(settings, key) for key in keys}
        return cls(**given)

    def op(self) -> dict[str, Any]:
        """As a step of a signature: what differs from a plain CSV."""
        found = {item.name: getattr(self, item.name) for item in fields(self)}
        changed = {key: value for key, value in found.items() if value != getattr(PLAIN, key)}
        return {"op": "table"} | {key: list(value) if key == "names" else value for key, value in changed.items()}

    @property
    def record(self) -> dict[str, Any]:
        """{"table": its step}, for the report of a data set; empty where it is a plain CSV."""
        return {} if self == PLAIN else {"table": self.op()}


AUTO = Dialect()
PLAIN = Dialect(",", "utf-8", "first", ".", grouped=False)  # as csv writers of most programs write


def dialect_of(signature: Signature) -> Dialect:
    """How tables for a model are written: as that of its training was."""
    for op in signature.preprocess:
        if op["op"] == "table":
            given = {key: value for key, value in op.items() if key != "op"}
            return replace(PLAIN, **{**given, "names": tuple(given.get("names", ()))})
    return PLAIN


def with_dialect(preprocess: tuple[Op, ...], report: Mapping[str, Any]) -> tuple[Op, ...]:
    """`preprocess` and the step of the dialect that a data set's `report` records, if there is one."""
    return (*preprocess, report["table"]) if "table" in report else preprocess
