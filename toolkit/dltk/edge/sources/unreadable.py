"""Files that are no samples: a few that cannot be read are skipped and named, many stop the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from dltk.base.errors import InputError, shorten

__all__ = ["MAX_UNREADABLE", "counted_by_kind", "ignored_text", "is_ignored", "reason_of", "require_few_unreadable"]

MAX_UNREADABLE = 0.05  # share of the files; more says that something is wrong with all of them

_SHOWN = 5  # names in one message; reports have them all

Skipped = tuple[str, str]  # name, reason


def require_few_unreadable(
    where: str, faults: Sequence[Skipped], total: int, *, most: float = MAX_UNREADABLE, remedy: str
) -> str:
    """One line about `faults`, those of `total` files that could not be read; nothing where there are none.

    Raises:
        InputError: if they are more than the share `most`, or all.
    """
    if not faults:
        return ""
    listed = _listed(faults)
    if len(faults) > most * total or len(faults) == total:
        rule = f"at most {most:.0%} of the files may be unreadable"
        # The list is the help here: the message's own shortening would cut it.
        raise InputError(where, rule, f"{len(faults)} of {total}", f"{listed} {remedy}")
    return f"skipped {len(faults)} of {total} files that cannot be read: {listed}"


def _listed(faults: Sequence[Skipped]) -> str:
    """The first of `faults`, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for name, reason in faults[:_SHOWN]:
        reasons.setdefault(reason.rstrip("."), []).append(name)
    text = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    more = len(faults) - _SHOWN
    return f"{text}; and {more} more." if more > 0 else f"{text}."


def reason_of(fault: InputError) -> str:
    """Why a file could not be read, and what helps, without its name."""
    reason = fault.rule if fault.received is None else f"{fault.rule}; received {shorten(fault.received)}"
    return f"{reason}. {fault.hint}" if fault.hint else reason


def is_ignored(reason: str) -> bool:
    """Whether `reason` is that a file is of another kind, and not meant as a sample."""
    return reason.startswith("ignored, ")


def ignored_text(skipped: Sequence[Skipped]) -> str:
    """One line about the files in `skipped` that are of another kind, and of which; nothing where there are none."""
    rules: dict[str, list[Skipped]] = {}
    for name, reason in skipped:
        if is_ignored(reason):
            rules.setdefault(reason.partition(": ")[0], []).append((name, reason))
    return "; ".join(_rule_text(rule, found) for rule, found in rules.items())


def counted_by_kind(files: Sequence[Skipped]) -> str:
    """How many of `files` are of which kind, the most first: "3 QuickTime video, 1 .txt"."""
    kinds = Counter(_kind(name, reason) for name, reason in files)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _rule_text(rule: str, files: Sequence[Skipped]) -> str:
    names, more = [name for name, _ in files], " ..." if len(files) > _SHOWN else ""
    is_told = len(files) == 1 and ": " not in files[0][1]  # its name says what there is to say
    kinds = "" if is_told else f" ({counted_by_kind(files)})"
    return f"{rule}: {len(names)} {'file' if len(names) == 1 else 'files'}{kinds}: {'; '.join(names[:_SHOWN])}{more}"


def _kind(name: str, reason: str) -> str:
    return reason.partition(": ")[2] or PurePath(name).suffix.lower() or "without a suffix"
