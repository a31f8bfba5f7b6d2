"""Sizes as a person writes them: `300KB`, `1.2MB`, `2GB`; a KB is 1000 bytes."""

from __future__ import annotations

import re

from dltk.base.errors import UsageError

__all__ = ["UNITS", "parse_bytes"]

UNITS = {"": 1, "B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}


def parse_bytes(text: str, flag: str) -> int:
    """The number of bytes that `text` stands for.

    Raises:
        UsageError: naming `flag`, if `text` is not a size, or less than one byte.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([KMG]?B)?", text.strip().upper())
    count = 0 if found is None else int(float(found[1]) * UNITS[found[2] or ""])
    if count < 1:
        raise UsageError(flag, "must be a size", text, f"For example {flag} 500MB, {flag} 4GB. A KB is 1000 bytes.")
    return count
