"""Files that are no samples: a few that cannot be read are skipped and named, many stop the work."""

from __future__ import annotations

from collections.abc import Sequence

from dltk.base.errors import InputError, shorten

__all__ = ["MAX_UNREADABLE", "NOT_A_PICTURE", "ignored", "reason_of", "require_few_unreadable"]

MAX_UNREADABLE = 0.05  # share of the files; more says that something is wrong with all of them
NOT_A_PICTURE = "ignored, not a picture"

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


def ignored(skipped: Sequence[Skipped]) -> str:
    """One line about the files in `skipped` that are no pictures; nothing where there are none."""
    names = [name for name, reason in skipped if reason == NOT_A_PICTURE]
    if not names:
        return ""
    more = " ..." if len(names) > _SHOWN else ""
    return f"{NOT_A_PICTURE}: {len(names)} {'file' if len(names) == 1 else 'files'}: {'; '.join(names[:_SHOWN])}{more}"
