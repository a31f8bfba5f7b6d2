"""Users and items that a model knows by number, an asset of the bundle; with what each user has, if it may be carried.

JSON {"users": [text, ...], "items": [text, ...], "histories": null or [[number of an item, ...], ...] a user}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, sha256
from dltk.edge.bundle.signature import Op, Signature

__all__ = ["CATALOGUE", "FIRST_ITEM", "NOTHING", "STRANGE", "Catalogue", "catalogue_of", "parse_catalogue"]

CATALOGUE = "catalogue.json"
NOTHING, STRANGE, FIRST_ITEM = 0, 1, 2  # ids in a history: padding, an item that is not known, the first item
_MAX_BYTES = 500_000_000


@dataclass(frozen=True)
class Catalogue:
    """Who and what there is.

    Attributes:
        users: a user's number is the index here plus 1; 0 is any other user.
        items: an item's number is the place here, its id in a history that plus `FIRST_ITEM`.
        histories: numbers of the items that each user has, the oldest first; None: not carried.
        user_numbers, item_numbers: text -> number.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    histories: tuple[tuple[int, ...], ...] | None
    user_numbers: Mapping[str, int]
    item_numbers: Mapping[str, int]

    @classmethod
    def of(cls, users: Sequence[str], items: Sequence[str], histories: Sequence[Sequence[int]] | None) -> Catalogue:
        """A catalogue of texts that differ."""
        return cls(
            tuple(users), tuple(items), None if histories is None else tuple(map(tuple, histories)),
            {user: number for number, user in enumerate(users, start=1)},
            {item: number for number, item in enumerate(items)},
        )  # fmt: skip

    def to_bytes(self) -> bytes:
        """The asset."""
        return canonical_json({"users": self.users, "items": self.items, "histories": self.histories})

    def op(self) -> Op:
        """The step that reads the asset."""
        return {"op": "catalogue", "file": CATALOGUE, "sha256": sha256(self.to_bytes())}


def catalogue_of(signature: Signature) -> Catalogue:
    """The catalogue that a step of `signature` names.

    Raises:
        InputError: if there is none, its asset is missing, or it is no catalogue.
    """
    name, data = signature.asset("catalogue")
    return parse_catalogue(data, name)


@lru_cache(maxsize=4)
def parse_catalogue(data: bytes, where: str = CATALOGUE) -> Catalogue:
    """The catalogue in `data`, parsed once: `read` asks for it at every sample.

    Raises:
        InputError: if it is none.
    """
    if len(data) > _MAX_BYTES:
        raise InputError(where, f"must be at most {_MAX_BYTES} bytes", len(data))
    found = parse_json(data, where)
    if not isinstance(found, dict) or set(found) != {"users", "items", "histories"}:
        raise InputError(where, "must be a JSON object of users, items and histories")
    for key in ("users", "items"):
        texts = found[key]
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise InputError(f"{where}: {key}", "must be a list of texts")
        if len(set(texts)) < len(texts):
            raise InputError(f"{where}: {key}", "must differ")
    _require_histories(found["histories"], len(found["users"]), len(found["items"]), where)
    return Catalogue.of(found["users"], found["items"], found["histories"])


def _require_histories(found: Any, users: int, items: int, where: str) -> None:
    if found is None:
        return
    fits = isinstance(found, list) and len(found) == users and all(isinstance(numbers, list) for numbers in found)
    if not fits or not all(type(number) is int and 0 <= number < items for numbers in found for number in numbers):
        raise InputError(f"{where}: histories", f"must be null, or {users} lists of whole numbers below {items}")
