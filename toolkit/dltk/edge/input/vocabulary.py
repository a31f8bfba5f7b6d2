"""Texts that a model knows by number, an asset of the bundle: JSON {"vocabulary": [[column, [text, ...]], ...]}.

Each column owns a stretch of one table: first a row for every text that the training samples did not have, then a row a
text. Numbers are rows of that table, so that one look-up serves all columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, sha256
from dltk.edge.bundle.signature import Op, Signature

__all__ = ["VOCABULARY", "Vocabulary", "parse_vocabulary", "vocabulary_of"]

VOCABULARY = "vocabulary.json"
_MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Vocabulary:
    """The texts of each column.

    Attributes:
        texts: column -> its texts, in the order of their rows.
        rows: column -> {text: row of the table}.
        unknown: column -> the row of texts that are none of `texts`.
        size: rows of the table.
    """

    texts: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, Mapping[str, int]]
    unknown: Mapping[str, int]
    size: int

    @classmethod
    def of(cls, texts: Mapping[str, Sequence[str]]) -> Vocabulary:
        """The vocabulary with these texts, all different within a column."""
        rows, unknown, size = {}, {}, 0
        for column, known in texts.items():
            unknown[column] = size
            rows[column] = {text: size + 1 + number for number, text in enumerate(known)}
            size += 1 + len(known)
        return cls({column: tuple(known) for column, known in texts.items()}, rows, unknown, size)

    def to_bytes(self) -> bytes:
        """The asset."""
        return canonical_json({"vocabulary": [[column, list(known)] for column, known in self.texts.items()]})

    def op(self) -> Op:
        """The step that reads the asset."""
        return {"op": "vocabulary", "file": VOCABULARY, "sha256": sha256(self.to_bytes())}


def vocabulary_of(signature: Signature) -> Vocabulary:
    """The vocabulary that a step of `signature` names; an empty one where none does.

    Raises:
        InputError: if its asset is missing or no vocabulary.
    """
    if not any(op["op"] == "vocabulary" for op in signature.preprocess):
        return Vocabulary.of({})
    name, data = signature.asset("vocabulary")
    return parse_vocabulary(data, name)


@lru_cache(maxsize=16)
def parse_vocabulary(data: bytes, where: str = VOCABULARY) -> Vocabulary:
    """The vocabulary in `data`, parsed once: `read` asks for it at every sample.

    Raises:
        InputError: if it is none.
    """
    if len(data) > _MAX_BYTES:
        raise InputError(where, f"must be at most {_MAX_BYTES} bytes", len(data))
    found = parse_json(data, where)
    columns = found.get("vocabulary") if isinstance(found, dict) else None
    if not isinstance(columns, list) or not all(map(_is_column, columns)):
        raise InputError(where, 'must be {"vocabulary": [[column, [text, ...]], ...]} with texts that differ')
    if len({name for name, _ in columns}) < len(columns):
        raise InputError(where, "every column must stand once")
    return Vocabulary.of(dict(columns))


def _is_column(found: Any) -> bool:
    if (
        not isinstance(found, list)
        or len(found) != 2
        or not isinstance(found[0], str)
        or not isinstance(found[1], list)
    ):
        return False
    return all(isinstance(text, str) for text in found[1]) and len(set(found[1])) == len(found[1])
