"""Values out of JSON files that may come from strangers: what has the right type is taken, the rest left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltk.base.rows import is_number

__all__ = ["Scalar", "as_list", "as_mapping", "as_number", "printable", "as_records", "scalars", "as_texts"]

Scalar = str | int | float | bool | None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """`value`, or an empty mapping where it is none."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: Any) -> list[Any]:
    """`value`, or an empty list where it is none."""
    return list(value) if isinstance(value, list | tuple) else []


def as_records(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a list; nothing where `value` is no list."""
    return [item for item in as_list(value) if isinstance(item, Mapping)]


def as_texts(value: Any) -> list[str]:
    """The texts in a list; nothing where `value` is no list."""
    return [item for item in as_list(value) if isinstance(item, str)]


def as_number(value: Any) -> int | float | None:
    """A finite number, or None."""
    return value if is_number(value) else None


def scalars(value: Any, *, depth: int = 4) -> dict[str, Scalar]:
    """The single values of a tree of mappings and lists, by dotted name, at most `depth` levels deep.

    A list of texts is one value: the texts, with commas between them.
    """
    found: dict[str, Scalar] = {}
    if isinstance(value, Mapping):
        children = [(str(name), child) for name, child in value.items()]
    else:
        children = [(str(place), child) for place, child in enumerate(value)] if isinstance(value, list) else []
    for name, child in children:
        if isinstance(child, str | bool) or child is None or as_number(child) is not None:
            found[name] = child
        elif isinstance(child, list) and child and len(as_texts(child)) == len(child):
            found[name] = ", ".join(child)
        elif depth > 1:
            found.update({f"{name}.{inner}": leaf for inner, leaf in scalars(child, depth=depth - 1).items()})
    return found


def printable(value: Any) -> Any:
    """`value` with every text in it made harmless to a terminal: control and direction characters are escaped."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(map(_escaped, value))
    if isinstance(value, Mapping):
        return {printable(name): printable(child) for name, child in value.items()}
    return [printable(child) for child in value] if isinstance(value, list | tuple) else value


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode("ascii")
