"""Where a report goes: a page, a text or a JSON file, by the name it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError, UsageError
from dltk.base.files import canonical_json, write_atomic
from dltk.edge.bundle.manifest import MANIFEST
from dltk.report.text import as_text

__all__ = ["FORMATS", "as_bytes", "require_writable", "write_report"]

FORMATS = ("html", "json", "txt")


def write_report(report: Mapping[str, Any], out: str | Path) -> int:
    """Write `report` to `out`, whole or not at all; a file that stands there is replaced. Returns its bytes.

    Raises:
        UsageError: unless `out` ends in .html, .json or .txt.
        InputError: if it cannot stand there.
        EnvironmentFault: if the page cannot be drawn, or the disk does not take it.
    """
    out = Path(out)
    require_writable(out)
    data = as_bytes(report, out.suffix[1:].lower())
    write_atomic(out, data)
    return len(data)


def as_bytes(report: Mapping[str, Any], form: str) -> bytes:
    """`report` as "html", "json" or "txt", UTF-8; equal reports give equal bytes.

    Raises:
        EnvironmentFault: if `form` is "html" and the extra `report` is not installed.
    """
    if form == "html":
        from dltk.report.page import as_html

        return as_html(report).encode()
    return canonical_json(report) if form == "json" else f"{as_text(report)}\n".encode()


def require_writable(out: Path, *, formats: tuple[str, ...] = FORMATS) -> None:
    """Check, before any work, that a report of one of `formats` can be written to `out`.

    Raises:
        UsageError: if its ending is none of `formats`.
        InputError: if something other than a file is there, or its folder is a bundle or, for JSON, a run.
    """
    if out.suffix[1:].lower() not in formats:
        known = ", ".join(f".{form}" for form in formats)
        raise UsageError(f"--out {out}", f"must end in one of {known}", out.suffix or "no ending")
    if os.path.lexists(out) and not (out.is_file() or out.is_symlink()):
        raise InputError(f"--out {out}", "must be a file; something else exists there", hint="Give another path.")
    if os.path.lexists(out.parent / MANIFEST):
        rule = "a bundle is sealed; this file would be in one"
        raise InputError(f"--out {out}", rule, hint="Give a path outside the bundle.")
    if out.suffix.lower() == ".json" and os.path.lexists(out.parent / "recipe.json"):
        rule = "a run has its own JSON files; this file would be among them"
        raise InputError(f"--out {out}", rule, hint="Give a path outside the run.")
