"""Which encoding a file is in that is no UTF-8: only what one reading alone explains is taken."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from dltk.edge.sources.tables.faults import Questions

__all__ = ["guess"]

_SEEN = 1 << 20  # bytes from the line of the first that is no ASCII
_HIGH = re.compile(rb"[\x80-\xff]+")
_UTF8 = re.compile(rb"[\xc3-\xdf][\x80-\xbf](?![\x80-\xbf])|[\xe0-\xef][\x80-\xbf]{2}")
_CANDIDATES = ("cp1252", "cp1250", "cp1254", "cp1251", "cp1253", "shift-jis", "gb18030", "euc-kr")
_NARROW = ("cp1252", "cp1250", "cp1254")  # Latin letters: they stand alone among ASCII, or in pairs
_SIGNS = "\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u2030\u2039\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u2122\u203a"
_SIGNS += "\xa0\xa1\xa2\xa3\xa5\xa7\xa9\xab\xae\xb0\xb1\xb2\xb3\xb4\xb5\xb7\xba\xaa\xbb\xbc\xbd\xbe\xbf\xd7"
_SHOWN = 3  # encodings in a message
_INSIDE = "\u2019\u2018\xb4\xad\u2013"  # signs that may stand between two letters


def guess(data: bytes, path: Path, place: int, questions: Questions) -> str:
    """The encoding of `data`, whose byte at `place` is no UTF-8; "utf-8" where it is rather damaged UTF-8.

    Where several explain it, they are asked about, and the first is what is given back.
    """
    first = data.rfind(b"\n", 0, place) + 1
    last = data.rfind(b"\n", first, first + _SEEN) + 1 if first + _SEEN < len(data) else 0
    part = data[first : last or first + _SEEN]
    if _UTF8.search(part):
        return "utf-8"
    readings: dict[str, str] = {}
    for encoding in _CANDIDATES:
        text = _read(part, encoding)
        if text is not None:
            readings.setdefault(text, encoding)
    found = list(readings.values())
    if not found:
        return "utf-8"
    if found == ["cp1252"]:
        return "cp1252"
    line = data.count(b"\n", 0, place) + 1
    shown = " or ".join(f"{name} ({word})" for name, word in zip(found, _differing(list(readings))))
    hint = f"Set {' or '.join(f'data.encoding={name}' for name in found[:_SHOWN])}; or save it as UTF-8."
    rule = "must be UTF-8, or in an encoding that is named"
    questions.ask(f"{path}, line {line}", rule, f"perhaps {shown}", hint)
    return found[0]


def _read(part: bytes, encoding: str) -> str | None:
    """`part` in `encoding`, if what is no ASCII in it are letters of words, or signs outside of them."""
    is_narrow = encoding in _NARROW
    runs = [len(run) for run in _HIGH.findall(part)]
    if is_narrow == (sum(runs) > 1.5 * len(runs)):
        return None  # words of another script are runs of such bytes, Latin ones have few in a row
    try:
        text = part.decode(encoding)
    except UnicodeDecodeError:
        return None
    is_word = False
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if letter.isalpha() and letter not in "\xaa\xba":
            if unicodedata.category(letter) == "Lu" and before.islower():
                return None  # no word goes on with a capital
            is_word = is_word or before.isalpha() or after.isalpha()
        elif letter not in _SIGNS or (before.isalpha() and after.isalpha() and letter not in _INSIDE):
            return None
        else:
            is_word = is_word or bool((before + after).strip())
    return text if is_word else None


def _differing(texts: Sequence[str]) -> list[str]:
    """The first word in which the readings differ, of each of the first three."""
    words = [re.findall(r"[^\s,;|\t\"]+", text) for text in texts[:_SHOWN]]
    found = next((each for each in zip(*words) if len(set(each)) > 1), tuple(each[0] for each in words))
    return [word[:20] for word in found]
