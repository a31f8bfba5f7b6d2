"""What a tokenizer.json may do to a text: known parts only, and a bound on how much longer they make it.

The file comes with a bundle and is untrusted. Twenty-six replacements of a letter by two make gigabytes of one
letter, and a pattern may be such that a matcher goes back over a text for minutes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from dltk.base.errors import InputError

__all__ = ["max_growth"]

_MOST_GROWTH = 64  # times the text: known tokenizers stay below 20
_MOST_PARTS, _MOST_ADDED = 64, 1_000  # parts in all; letters or tokens that a part puts before a text
_MOST_PATTERN, _MOST_REPEATS, _LONGEST_WORD = 5_000, 40, 10_000
_MOST_MARKS, _LETTERS_OF_MARKS = 10_000, 1_000_000  # tokens that are looked for in a whole text; known files have 6,400
_SHORT = 100  # letters of a word or a token up to which time grows with the text alone
_REPEAT = r"[*+]|\{\d*,(?:\d{3,})?\}"  # without end, or as good as
_END = rf"(?:{_REPEAT})[?+]?(?:\([^()]*\)\?)?$"

Part = Mapping[str, Any]


def max_growth(found: Any, where: str) -> int:
    """How many times longer a text may become under a parsed tokenizer.json, or as much longer to work on.

    Not counting unknown letters and bytes. A model that looks for long words goes over each letter of a text many
    times.

    Raises:
        InputError: if a part is not known, or it may grow to over 64 times its length.
    """
    if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
        raise InputError(where, "must be a tokenizer of the package tokenizers: an object with a model")
    growth, count = 1, 0
    for key, known in (("normalizer", _NORMALIZERS), ("pre_tokenizer", _SPLITTERS), ("post_processor", _PROCESSORS)):
        for part in _parts(found.get(key), f"{where}: {key}"):
            kind = part.get("type")
            if not isinstance(kind, str) or kind not in known:
                raise InputError(f"{where}: {key}", f"must be one of {', '.join(sorted(known))}", kind)
            growth, count = growth * known[kind](part, f"{where}: {key}: {kind}"), count + 1
            if growth > _MOST_GROWTH or count > _MOST_PARTS:
                rule = f"may make a text at most {_MOST_GROWTH} times as long, in {_MOST_PARTS} parts"
                raise InputError(f"{where}: {key}", rule)
    _require_few_marks(found.get("added_tokens"), f"{where}: added_tokens")
    return growth * _work_of(found["model"], f"{where}: model")


def _parts(found: Any, where: str, depth: int = 4) -> list[Part]:
    """The parts of a sequence, one within another too, in their order."""
    if found is None:
        return []
    if not isinstance(found, dict) or depth == 0:
        raise InputError(where, "must be an object with a type, or a sequence of such")
    if found.get("type") != "Sequence":
        return [found]
    inner = next((found[key] for key in ("normalizers", "pretokenizers", "processors") if key in found), None)
    if not isinstance(inner, list) or len(inner) > _MOST_PARTS:
        raise InputError(where, f"a sequence must be a list of at most {_MOST_PARTS} parts")
    return [part for item in inner for part in _parts(item, where, depth - 1)]


def _times(count: int) -> Callable[[Part, str], int]:
    return lambda part, where: count


def _prepended(part: Part, where: str) -> int:
    _text(part, "prepend", where)
    return 1


def _replaced(part: Part, where: str) -> int:
    content = _text(part, "content", where)
    plain = _pattern(part, where)
    return len(content) + 1 if plain is None else max(1, -(-len(content) // len(plain)))


def _split(part: Part, where: str) -> int:
    _pattern(part, where)
    return 1


def _precompiled(part: Part, where: str) -> int:
    """SentencePiece's table: after a trie, and its length, texts that letters become, each with a NUL behind it."""
    try:
        data = base64.b64decode(str(part.get("precompiled_charsmap")), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise InputError(where, "must be a table in base64", str(fault)) from fault
    start = 4 + int.from_bytes(data[:4], "little")
    if start > len(data) or start % 4:
        raise InputError(where, "must be a table behind a trie", f"{len(data)} bytes")
    return max(1, max(map(len, data[start:].split(b"\0"))) // 4)  # in letters: NFKC has one of 18 (33 bytes)


def _template(part: Part, where: str) -> int:
    """How often the text comes in the template: once, in all that are known."""
    found, tokens = part.get("single"), part.get("special_tokens")
    if not isinstance(found, list) or len(found) > _MOST_PARTS or not isinstance(tokens, dict):
        raise InputError(where, f"must have a template of at most {_MOST_PARTS} pieces, and its tokens")
    ids = [item.get("ids") for item in tokens.values() if isinstance(item, dict)]
    if any(isinstance(each, list) and len(each) > _MOST_ADDED for each in ids):
        raise InputError(where, f"may add at most {_MOST_ADDED} tokens at a place")
    return max(1, sum(isinstance(piece, dict) and "Sequence" in piece for piece in found))


def _text(part: Part, key: str, where: str) -> str:
    found = part.get(key)
    if not isinstance(found, str) or len(found) > _MOST_ADDED:
        raise InputError(where, f"{key} must be a text of at most {_MOST_ADDED} letters")
    return found


def _pattern(part: Part, where: str) -> str | None:
    """The plain text that is looked for; None where it is a regular expression, which must be a modest one."""
    found = part.get("pattern")
    if isinstance(found, dict) and isinstance(found.get("String"), str) and found["String"]:
        return str(found["String"])
    if not isinstance(found, dict) or not isinstance(found.get("Regex"), str):
        raise InputError(where, "needs a pattern: a text that is not empty, or a regular expression")
    pattern = found["Regex"]
    # Sets and escapes mean themselves: only what repeats, and what it repeats, can go back over a text.
    bare = re.sub(r"\\p\{[^}]*\}|\\.|\[(?:\\.|\[:\w+:\]|[^\]\\])*\]", "x", pattern, flags=re.DOTALL)
    repeats = len(re.findall(r"[*+]|\{\d*,\d*\}", bare))
    if len(pattern) > _MOST_PATTERN or repeats > _MOST_REPEATS or _repeats_repeats(bare):
        rule = f"its pattern may have {_MOST_REPEATS} repetitions, and none of a group that has one or a choice"
        raise InputError(where, rule, pattern)
    if _open_repeats(bare) > 1:
        rule = "each choice of its pattern may have one repetition that something follows, and one at its end"
        raise InputError(where, rule, pattern)
    return None


def _open_repeats(bare: str) -> int:
    """The most repetitions in one choice of a pattern after which it may still fail.

    With one a matcher goes back over a run of letters, with two over all ways to cut it in two parts. What ends a
    choice cannot fail, nor can an optional group behind it.
    """
    return max(len(re.findall(_REPEAT, re.sub(_END, "", choice))) for choice in _choices(bare))


def _choices(bare: str) -> list[str]:
    """The alternatives of a pattern; those inside of a group stay together."""
    found, depth = [""], 0
    for letter in bare:
        depth += (letter == "(") - (letter == ")")
        if letter == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return found


def _repeats_repeats(bare: str) -> bool:
    """Whether a group that is repeated without end holds a repetition or a choice: the patterns that take for ever."""
    opened: list[bool] = []
    for place, letter in enumerate(bare):
        if letter == "(":
            opened.append(False)
        elif letter == ")":
            holds = opened.pop() if opened else True
            if holds and re.match(r"[*+]|\{\d*,", bare[place + 1 :]):
                return True
            if opened:
                opened[-1] |= holds
        elif letter in "*+{|" and opened:
            opened[-1] = True
    return False


def _require_few_marks(found: Any, where: str) -> None:
    """Tokens such as [CLS], which are looked for in the text as it stands: each letter of them takes some 100 bytes."""
    marks = found if isinstance(found, list) else []
    letters = sum(len(str(mark.get("content"))) for mark in marks if isinstance(mark, dict))
    if len(marks) > _MOST_MARKS or letters > _LETTERS_OF_MARKS:
        rule = f"must be at most {_MOST_MARKS}, of {_LETTERS_OF_MARKS} letters together"
        raise InputError(where, rule, f"{len(marks)} of {letters}")


def _work_of(model: Part, where: str) -> int:
    """How often a letter is looked at, in units of what short words take.

    WordPiece tries every beginning of what is left of a word, a Unigram every token that could begin at a letter.
    """
    if model.get("dropout") not in (None, 0):
        raise InputError(where, "must have no dropout: the same text gives the same tokens", model["dropout"])
    longest = model.get("max_input_chars_per_word", 0)
    if not isinstance(longest, int) or longest > _LONGEST_WORD:
        raise InputError(f"{where}: max_input_chars_per_word", f"must be at most {_LONGEST_WORD}", longest)
    work = max(1, -(-longest // _SHORT)) ** 2
    if isinstance(model.get("vocab"), list):
        tokens = (pair[0] for pair in model["vocab"] if isinstance(pair, list) and pair and isinstance(pair[0], str))
        work *= max(1, -(-max(map(len, tokens), default=0) // _SHORT))
    return work


_SAME = _times(1)
_NORMALIZERS: Mapping[str, Callable[[Part, str], int]] = {
    "BertNormalizer": _times(3), "ByteLevel": _times(4), "Lowercase": _SAME, "NFC": _SAME, "NFD": _SAME, "NFKC": _SAME,
    "NFKD": _SAME, "Nmt": _SAME, "Precompiled": _precompiled, "Prepend": _prepended, "Replace": _replaced,
    "Strip": _SAME, "StripAccents": _SAME,
}  # fmt: skip
_SPLITTERS: Mapping[str, Callable[[Part, str], int]] = {
    "BertPreTokenizer": _SAME, "ByteLevel": _times(2), "CharDelimiterSplit": _SAME, "Digits": _SAME,
    "FixedLength": _SAME, "Metaspace": _SAME, "Punctuation": _SAME, "Split": _split, "UnicodeScripts": _SAME,
    "Whitespace": _SAME, "WhitespaceSplit": _SAME,
}  # fmt: skip
_PROCESSORS: Mapping[str, Callable[[Part, str], int]] = {
    "BertProcessing": _SAME, "ByteLevel": _SAME, "RobertaProcessing": _SAME, "TemplateProcessing": _template,
}  # fmt: skip
