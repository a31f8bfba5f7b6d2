"""What a label may look like."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from dltk.base.errors import InputError

__all__ = ["check_label", "check_labels", "split_name"]

_SPLIT_NAMES = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
# They turn the direction of text: what is shown is not what is there.
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def split_name(text: str) -> str | None:
    """ "train", "validation" or "test" for any of the usual spellings, in any case; None for another word."""
    return _SPLIT_NAMES.get(text.casefold())


def check_labels(names: Iterable[str], where: object, *, least: int = 2) -> tuple[str, ...]:
    """The distinct labels in Unicode NFC, sorted by code point.

    Raises:
        InputError: if fewer than `least` remain, two differ only in how Unicode writes them, or one is empty, starts or
            ends with a space, holds a control character, or looks like a path.
    """
    found: dict[str, str] = {}
    for name in sorted(set(names)):
        label = check_label(name, where)
        if label in found:
            rule = "labels must differ in more than their Unicode form (NFC)"
            raise InputError(where, rule, f"{found[label]!a} and {name!a}", "Give both the same spelling.")
        found[label] = name
    if len(found) < least:
        only = next(iter(found), None)
        wanted = "two classes" if least > 1 else "one class"
        raise InputError(where, f"needs at least {wanted}", "none" if only is None else f"only {only!r}")
    return tuple(sorted(found))


def check_label(name: str, where: object) -> str:
    """One label in Unicode NFC.

    Raises:
        InputError: naming `where`, if it is empty, starts or ends with a space, holds a control character or one that
            turns the direction of text, or looks like a path.
    """
    label = unicodedata.normalize("NFC", name)
    if not label or label != label.strip():
        raise InputError(where, "a label must not be empty, nor start or end with a space", repr(label))
    if "/" in label or "\\" in label or label in (".", ".."):
        raise InputError(where, "a label must not look like a path", label, "Are path and label the wrong way round?")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS for letter in label):
        raise InputError(where, "a label must not hold control characters or surrogates", ascii(label))
    return label
