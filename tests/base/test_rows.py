"""Rows that are written as JSON: what is missing is empty, what is of another kind is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from dltk.base.errors import InputError
from dltk.base.rows import Row, count, flag, number, numbers, part, rows, text, texts, values


@dataclass(frozen=True)
class Inner(Row):
    name: str = text("name", empty="-")


@dataclass(frozen=True)
class Outer(Row):
    share: float | None = number("share")
    size: int = count("size")
    done: bool = flag("whether", empty=True)
    words: tuple[str, ...] = texts("words")
    places: tuple[int, ...] = numbers("places")
    more: Mapping[str, Any] = values("more")
    first: Inner | None = part(Inner, "first")
    last: Inner | None = part(Inner, "last", optional=True)
    all: tuple[Inner, ...] = rows(Inner, "all")


FULL = Outer(
    0.5, 3, False, ("a",), (1, 2), {"deep": {"tuple": (1,)}}, Inner("one"), Inner("two"), (Inner(), Inner("b"))
)


def test_a_row_comes_back_from_json():
    assert Outer.from_dict(json.loads(json.dumps(FULL.as_dict()))).as_dict() == FULL.as_dict()
    assert Outer.from_dict({"unknown": 1}) == Outer.from_dict(dict.fromkeys(FULL.as_dict())) == Outer()


def test_only_what_is_optional_is_left_out():
    assert set(FULL.as_dict()) - set(Outer().as_dict()) == {"last"}
    assert Outer().as_dict()["first"] is None


@pytest.mark.parametrize("name", FULL.as_dict())
@pytest.mark.parametrize("junk", [object(), float("nan"), float("inf"), 10**400, [None], [[1]], "x", True, {1: 2}])
def test_another_kind_is_refused_by_place(name, junk):
    """But for what fits: an object where one is wanted, True where a flag is."""
    fits: dict[type, tuple[str, ...]] = {bool: ("done",), dict: ("more", "first", "last")}
    if name in fits.get(type(junk), ()):
        assert Outer.from_dict({name: junk}) is not None
        return
    with pytest.raises(InputError) as caught:
        Outer.from_dict({name: junk}, "file.json:")
    assert caught.value.where.startswith(f"file.json: {name}")
    assert "\n" not in str(caught.value)
