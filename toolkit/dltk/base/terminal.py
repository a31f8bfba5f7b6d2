"""Escapes control characters before text is printed: files, bundles and replies of other machines may contain them."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["json_text", "one_line", "escape_control_characters"]

# Control characters (C0 but for tab and newline, DEL, C1), halves of letters, which also stand for file names that are
# no UTF-8, line and paragraph separators, and the marks that turn the direction of what follows. Joiners stay: letters
# of Persian and families of emoji are made with them.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def escape_control_characters(text: str) -> str:
    """`text` with every control character of a terminal as a Python escape: ESC becomes `\x1b`."""
    return _STEERING.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode("ascii"), text)


def one_line(text: str) -> str:
    """`text` on one line: line breaks and tabs are escaped too, so that a label cannot add lines to an output."""
    return escape_control_characters(text).replace("\n", "\\n").replace("\t", "\\t")


def json_text(value: Any) -> str:
    """`value` as JSON for a terminal or a pipe: sorted keys, two spaces; control characters are escaped.

    Raises:
        ValueError: for NaN and infinity, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
