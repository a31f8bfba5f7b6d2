"""`dltk cache`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dltk.base.errors import UsageError
from dltk.base.terminal import one_line
from dltk.cli import options

if TYPE_CHECKING:
    from dltk.base.cache.contents import Entry

__all__ = ["cache"]


@click.command()
@click.option("--clear", is_flag=True, help="Remove every listed entry, after confirmation.")
@click.option("--yes", is_flag=True, help="With --clear: do not ask for confirmation.")
@options.as_json
def cache(clear: bool, yes: bool, as_json: bool) -> None:
    """List or clear dltk's cache. Everything in it can be computed or downloaded again.

    The cache is the folder `dltk-cache` in DLTK_CACHE, or in ~/.cache/dltk if that is not set. --clear removes nothing
    outside of that folder, no files that dltk did not write, and nothing through a link.

    \b
    Example:
        dltk cache
        dltk cache --clear --yes
    """
    from dltk.base.cache.contents import clear_cache, list_cache, unknown_entries
    from dltk.base.cache.folder import cache_folder

    if yes and not clear:
        raise UsageError("--yes", "needs --clear", hint="Give --clear.")
    entries, others, place = list_cache(), unknown_entries(), str(cache_folder())
    if clear and entries and not yes:
        _ask(entries, place)
    entries = clear_cache() if clear else entries
    total = sum(entry.bytes for entry in entries)
    lines = [f"{entry.kind:<9} {_size(entry.bytes):>9}  {entry.last_used}  {entry.name}" for entry in entries]
    lines.append(f"{'freed' if clear else 'in all'} {_size(total)}, {len(entries)} entries in {place}")
    lines += [f"not written by dltk, and not removed: {path}" for path in others]
    value = {
        "cleared": clear,
        "folder": place,
        "bytes": total,
        "entries": [entry.as_dict() for entry in entries],
        "left": [str(path) for path in others],
    }
    options.show(value, "\n".join(map(one_line, lines)), as_json)


def _ask(entries: Sequence[Entry], place: str) -> None:
    """Show what would be removed, and wait for a yes.

    Raises:
        UsageError: if there is no terminal, or the reply is no.
    """
    total = _size(sum(entry.bytes for entry in entries))
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(entry.kind for entry in entries).items()))
    if not sys.stdin.isatty():
        hint = f"Give --yes to remove {len(entries)} entries ({kinds}), {total}, from {place}."
        raise UsageError("--clear", "asks for confirmation, and there is no terminal", hint=hint)
    if not click.confirm(f"Remove {len(entries)} entries ({kinds}), {total}, from {place}?", err=True):
        raise UsageError("--clear", "was not confirmed: nothing is removed")


def _size(count: int) -> str:
    """Bytes for a person; a KB is 1000 bytes."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.1f} GB"
