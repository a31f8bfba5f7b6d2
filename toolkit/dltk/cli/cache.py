"""`dltk cache`."""

from __future__ import annotations

import click

from dltk.cli import options

__all__ = ["cache"]


@click.command()
@click.option("--clear", is_flag=True, help="Remove every entry that is listed.")
@options.as_json
def cache(clear: bool, as_json: bool) -> None:
    """List what dltk keeps between runs, or clear it; everything in it can be made or fetched again.

    \b
    Example:
        dltk cache
    """
    from dltk.base.cache import clear_cache, list_cache

    entries = clear_cache() if clear else list_cache()
    total = sum(entry.bytes for entry in entries)
    lines = [f"{entry.kind:<9} {_size(entry.bytes):>9}  {entry.last_used}  {entry.name}" for entry in entries]
    lines.append(f"{'freed' if clear else 'in all'} {_size(total)}, {len(entries)} entries")
    value = {"cleared": clear, "bytes": total, "entries": [entry.as_dict() for entry in entries]}
    options.show(value, "\n".join(lines), as_json)


def _size(count: int) -> str:
    """Bytes for a person; a KB is 1000 bytes."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000  # type: ignore[assignment]
    return f"{count:.1f} GB"
