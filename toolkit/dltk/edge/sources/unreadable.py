"""Files that are no samples: a few that cannot be read are skipped and named, many stop the work."""

from __future__ import annotations

from collections.abc import Sequence

from dltk.base.errors import InputError, shorten

__all__ = ["MAX_UNREADABLE", "ignored", "is_ignored", "reason_of", "require_few_unreadable"]

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
    listed = "; ".join(f"{name}: {reason}" for name, reason in faults[:_SHOWN])
    listed += " ..." if len(faults) > _SHOWN else ""
    if len(faults) > most * total or len(faults) == total:
        rule = f"at most {most:.0%} of the files may be unreadable"
        # The list is the help here: the message's own shortening would cut it.
        raise InputError(where, rule, f"{len(faults)} of {total}", f"{listed}. {remedy}")
    return f"skipped {len(faults)} of {total} files that cannot be read: {listed}"


def reason_of(fault: InputError) -> str:
    """Why a file could not be read, without its name."""
    return fault.rule if fault.received is None else f"{fault.rule}; received {shorten(fault.received)}"


def is_ignored(reason: str) -> bool:
    """Whether `reason` says that a file is of another kind, and not meant as a sample."""
    return reason.startswith("ignored, ")


def ignored(skipped: Sequence[Skipped]) -> str:
    """One line about the files in `skipped` that are of another kind; nothing where there are none."""
    found = [(name, reason) for name, reason in skipped if is_ignored(reason)]
    if not found:
        return ""
    names, more = [name for name, _ in found], " ..." if len(found) > _SHOWN else ""
    return f"{found[0][1]}: {len(names)} {'file' if len(names) == 1 else 'files'}: {'; '.join(names[:_SHOWN])}{more}"
