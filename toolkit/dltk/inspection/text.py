"""What an inspection found, as a text: what is there, the recipes that fit, the command to start."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from dltk.base.terminal import one_line
from dltk.data.split import SPLITS
from dltk.inspection.found import Attempt, Found, Overview

__all__ = ["as_text"]

_COLUMNS, _CLASSES, _LINES, _ASKED = 40, 10, 8, 4  # shown at most
_WIDEST = 24  # letters of a cell


def as_text(found: Found) -> str:
    """Sections for people, without the control characters of names."""
    lines = [f"{found.source}: {_headline(found)}"]
    lines += _table(found.overview)
    if found.fits:
        lines += ["", "Recipes that fit:"]
        for place, attempt in enumerate(found.fits):
            lines += _fit(attempt, is_first=not place)
    asked = [attempt for attempt in found.refused if attempt.helps or not found.fits]
    far = [attempt for attempt in found.refused if attempt not in asked]
    lines += _refused(asked, has_fits=bool(found.fits))
    if far:
        lines += ["", f"Recipes for other data: {', '.join(attempt.recipe for attempt in far)}"]
    if found.fits:
        lines += ["", "Start with:", f"  {found.commands[0]}"]
        more = "" if len(found.fits) == 1 else ", or a recipe's name of the list above in its place"
        lines += [f"  (add --smoke to try it in seconds{more})"]
    return "\n".join(map(one_line, lines))


def _headline(found: Found) -> str:
    overview = found.overview
    if overview.rows is not None:
        about = "" if overview.is_exact else "about "
        part = f"; what follows is from the first {overview.looked_at:,} rows" if overview.is_part else ""
        return f"{about}{overview.rows:,} rows, {len(overview.columns)} columns{part}"
    if overview.arrays:
        shown = (f"{each['name']} {each['dtype']} ({', '.join(map(str, each['shape']))})" for each in overview.arrays)
        return "; ".join(shown)
    return {"folder": "a folder", "arrays": "arrays"}.get(overview.kind, "a file")


def _table(overview: Overview) -> list[str]:
    if not overview.columns:
        return []
    rows = [("column", "kind", "missing", "different", "examples")]
    for each in overview.columns[:_COLUMNS]:
        missing = f"{each['missing']:.1%}" if each["missing"] else "-"
        examples = ", ".join(_cut(text) for text in each["examples"])
        rows.append((_cut(each["name"]), each["kind"], missing, f"{each['different']:,}", examples))
    more = len(overview.columns) - _COLUMNS
    lines = ["", *_aligned(rows, "  "), *([f"  and {more} more columns"] if more > 0 else [])]
    return lines + ([f"  {overview.copies:,} rows equal another row"] if overview.copies else [])


def _fit(attempt: Attempt, *, is_first: bool) -> Iterator[str]:
    samples = ", ".join(f"{split} {count:,}" for split, count in attempt.samples.items())
    yield f"  {attempt.recipe}: {samples}"
    if not is_first:
        return
    yield from (f"      {line}" for line in _facts(attempt))
    if attempt.classes:
        classes = sorted(attempt.classes.items(), key=lambda each: -sum(each[1].values()))
        head = ("class", *SPLITS)
        rows = [(_cut(label), *(f"{counts[split]:,}" for split in SPLITS)) for label, counts in classes[:_CLASSES]]
        yield from _aligned([head, *rows], "      ")
        if len(classes) > _CLASSES:
            yield f"      and {len(classes) - _CLASSES} more classes"
    lines = [f"      {line}" for line in attempt.lines]
    yield from lines[:_LINES]
    if len(lines) > _LINES:
        yield f"      and {len(lines) - _LINES} more notes (--json has all)"


def _facts(attempt: Attempt) -> Iterator[str]:
    facts = attempt.facts
    if "listed" in facts and facts["decoded"] < facts["listed"]:
        yield f"{facts['decoded']:,} of {facts['listed']:,} files decoded"
    for key, noun, unit in (("sizes", "height x width", ""), ("rates", "sample rate", " Hz")):
        if counts := facts.get(key):
            shown = ", ".join(f"{count} of {value}{unit}" for value, count in list(counts.items())[:3])
            yield f"{noun} of {sum(counts.values())} files: {shown}{' ...' if len(counts) > 3 else ''}"
    if "seconds" in facts:
        yield f"length: median {facts['seconds']['median']:.2f} s, longest {facts['seconds']['longest']:.2f} s"
    if facts.get("copies", 0) is None:
        yield "copies: not looked for, too many bytes in files of equal sizes"
    elif facts.get("copies"):
        yield f"copies: {facts['copies']:,} equal another sample, {facts.get('across_splits', 0):,} in another split"


def _refused(attempts: Sequence[Attempt], *, has_fits: bool) -> list[str]:
    """Their messages, each once."""
    groups: dict[str, list[str]] = {}
    for attempt in attempts:
        groups.setdefault(str(attempt.fault), []).append(attempt.recipe)
    if not groups:
        return []
    lines = ["", "With one more setting:" if has_fits else "No recipe reads this as it is:"]
    for text, names in list(groups.items())[:_ASKED]:
        lines.append(f"  {', '.join(names)}: {text}")
        helps = dict.fromkeys(pair for attempt in attempts if attempt.recipe in names for pair in attempt.helps)
        if helps:
            flags = " or ".join(f"--set {shlex.quote(pair)}" for pair in helps)
            lines.append(f"      reads it: {flags}")
    more = [name for names in list(groups.values())[_ASKED:] for name in names]
    return lines + ([f"  and {', '.join(more)} (--recipe NAME shows why)"] if more else [])


def _aligned(rows: Sequence[tuple[str, ...]], indent: str) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [indent + "  ".join(_padded(row, widths)).rstrip() for row in rows]


def _padded(row: Sequence[str], widths: Sequence[int]) -> Iterable[str]:
    return (cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _cut(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."
