"""Frozen rows that are written as JSON and read again: a field defines in one place what it is and how it is checked.

    @dataclass(frozen=True)
    class Left(Row):
        step: str = text("name of the step")

A file with rows may be untrusted. A field that is missing or null is read as empty, so that files of an earlier dltk
can be read; unknown keys are left out; any other kind of value is an InputError that names the place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from typing import TYPE_CHECKING, Any

from dltk.base.errors import InputError

if TYPE_CHECKING:
    from typing import Self

__all__ = [
    "Row",
    "column",
    "count",
    "flag",
    "is_number",
    "number",
    "numbers",
    "part",
    "rows",
    "text",
    "texts",
    "values",
]

_LARGEST = 1e300  # beyond it a whole number of JSON may not fit a float


def is_number(value: Any) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST


class Row:
    """A frozen dataclass whose fields are made by the functions below."""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values, by the names of the fields; optional ones that are empty are left out."""
        found = {each: getattr(self, each.name) for each in self.columns()}
        return {each.name: _plain(value) for each, value in found.items() if value or not each.metadata["optional"]}

    @classmethod
    def from_dict(cls, found: Any, where: object = "") -> Self:
        """The row that `as_dict` wrote, or as much of one as `found` has.

        Raises:
            InputError: if a value is of another kind; the message begins with `where` ("report.json:", "layers[3]") and
                the name of the field.
        """
        where = str(where)
        _require(isinstance(found, Mapping), where.removesuffix(":") or cls.__name__, "an object", found)
        place = f"{where} " if where.endswith(":") else f"{where}." if where else ""
        return cls(
            **{each.name: each.metadata["read"](found.get(each.name), f"{place}{each.name}") for each in cls.columns()}
        )

    @classmethod
    def columns(cls) -> tuple[Field[Any], ...]:
        """The fields in order; `metadata` is what `column` was given."""
        return fields(cls)  # type: ignore[arg-type]


def text(says: str, *, empty: str | None = "") -> Any:
    """A text; `empty` where there is none."""
    return column(
        "text or null" if empty is None else "text",
        says,
        _kept("a text", lambda value: isinstance(value, str), empty),
        empty,
    )


def texts(says: str) -> Any:
    """Texts in a list, as a tuple."""
    return _list("texts", says, lambda value: isinstance(value, str))


def number(says: str) -> Any:
    """A finite number or None."""
    return column("number or null", says, _kept("a finite number", is_number, None), None)


def numbers(says: str) -> Any:
    """Finite numbers in a list, as a tuple."""
    return _list("numbers", says, is_number)


def count(says: str) -> Any:
    """A finite number; 0 where there is none."""
    return column("number", says, _kept("a finite number", is_number, 0), 0)


def flag(says: str, *, empty: bool = False) -> Any:
    """True or False; `empty` where it is missing."""
    return column("true or false", says, _kept("true or false", lambda value: isinstance(value, bool), empty), empty)


def values(
    says: str, *, check: Callable[[Any, str], Any] | None = None, null: bool = False, optional: bool = False
) -> Any:
    """An object of JSON whose keys are not fixed; `check` (value, where) may ask more of it, and raise InputError.

    Args:
        null: None is no empty object, and stays what it is.
    """

    def read(found: Any, where: str) -> Mapping[str, Any] | None:
        _require(found is None or isinstance(found, Mapping), where, "an object", found)
        if check is not None and found is not None:
            check(found, where)
        return found if found is not None or null else {}

    return column("object or null" if null else "object", says, read, None if null else {}, optional=optional)


def rows(kind: type[Row], says: str, *, optional: bool = False) -> Any:
    """Rows of one kind in a list, as a tuple."""

    def read(found: Any, where: str) -> tuple[Row, ...]:
        _require(_is_list(found), where, "a list", found)
        return tuple(kind.from_dict(each, f"{where}[{place}]") for place, each in enumerate(found or ()))

    return column(f"list of {kind.__name__}", says, read, (), optional=optional, row=kind)


def part(kind: type[Row], says: str, *, optional: bool = False) -> Any:
    """One row of its own kind, or None."""

    def read(found: Any, where: str) -> Row | None:
        return None if found is None else kind.from_dict(found, where)

    words = kind.__name__ if optional else f"{kind.__name__} or null"
    return column(words, says, read, None, optional=optional, row=kind)


def _list(what: str, says: str, fits: Callable[[Any], bool]) -> Any:
    def read(found: Any, where: str) -> tuple[Any, ...]:
        _require(_is_list(found) and all(map(fits, found or ())), where, f"a list of {what}", found)
        return tuple(found or ())

    return column(f"list of {what}", says, read, ())


def column(
    kind: str,
    says: str,
    read: Callable[[Any, str], Any],
    empty: Any,
    *,
    optional: bool = False,
    row: type[Row] | None = None,
) -> Any:
    """A field that `read` (value, where) checks.

    Args:
        kind, says: of the value, and what it means: for the reference.
        empty: the default.
        optional: `as_dict` leaves it out where it is empty.
        row: the kind of row that it holds.
    """
    known = {"kind": kind, "says": says, "read": read, "optional": optional, "row": row}
    if isinstance(empty, dict):
        return field(default_factory=dict, metadata=known)
    return field(default=empty, metadata=known)


def _kept(rule: str, fits: Callable[[Any], bool], empty: Any) -> Callable[[Any, str], Any]:
    def read(found: Any, where: str) -> Any:
        _require(found is None or fits(found), where, rule, found)
        return empty if found is None else found

    return read


def _require(fits: bool, where: object, rule: str, received: Any) -> None:
    if not fits:
        raise InputError(where, f"must be {rule}", received)


def _is_list(value: Any) -> bool:
    return value is None or isinstance(value, (list, tuple))


def _plain(value: Any) -> Any:
    if isinstance(value, Row):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {key: _plain(child) for key, child in value.items()}
    return [_plain(child) for child in value] if isinstance(value, (list, tuple)) else value
