"""One table for all artifacts of a bundle: what float32 costs, and what each file saves or loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["artifact_rows", "as_text"]

_HEADS = ("artifact", "bytes", "gzip -9", "p50 ms", "accuracy", "drop, points", "95% interval")


def artifact_rows(exported: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Heads and one row an artifact, out of what `dltk export --json` prints."""
    return [_HEADS, *(_row(artifact) for artifact in exported["artifacts"])]


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """`rows` in columns: the first to the left, the rest to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(line.rstrip() for line in lines)


def _row(artifact: Mapping[str, Any]) -> tuple[str, ...]:
    p50, metric = artifact.get("p50_ms"), artifact.get("metric")
    sizes = (f"{artifact['bytes']:,}", f"{artifact['download_bytes']:,}", "-" if p50 is None else f"{p50:.2f}")
    if metric is None:
        return (artifact["file"], *sizes, "-", "-", "-")
    low, high = metric["interval"]
    figures = (f"{metric['value']:.4f}", f"{100 * metric['drop']:+.2f}", f"{100 * low:+.2f} .. {100 * high:+.2f}")
    return (artifact["file"], *sizes, *figures)
