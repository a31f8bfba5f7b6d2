"""JSON with a digest of itself, so that damage is detected; searches and compressions resume from such files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from dltk.base.errors import DltkError, InputError
from dltk.base.files import canonical_json, parse_json, read_capped, sha256, write_atomic

__all__ = ["discard_damaged", "read_sealed", "load_or_discard", "write_sealed"]

_SEAL = "sha256"
_ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)  # of values of another kind

Made = TypeVar("Made")


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` with a digest of itself under "sha256", as a whole or not at all."""
    write_atomic(path, canonical_json({**value, _SEAL: sha256(canonical_json(dict(value)))}))


def read_sealed(path: Path, limit: int) -> dict[str, Any]:
    """The value that `write_sealed` wrote, without the digest; files of dltk 0.1 have no digest.

    Args:
        limit: bytes that the file may have.

    Raises:
        InputError: if it is missing or damaged.
    """
    found = parse_json(read_capped(path, limit), path)
    if not isinstance(found, dict):
        raise InputError(path, "must be a JSON object", found)
    seal = found.pop(_SEAL, None)
    if seal is not None and seal != sha256(canonical_json(found)):
        raise InputError(path, "must match the digest in it", "other values")
    return found


def load_or_discard(path: Path, limit: int, make: Callable[[dict[str, Any]], Made]) -> Made | None:
    """The value that `make` reads from a sealed file of at most `limit` bytes.

    None if there is none, or if it is damaged and was removed.
    """
    if not path.is_file():
        return None
    try:
        return make(read_sealed(path, limit))
    except DltkError as fault:
        discard_damaged(path, fault.rule)
    except _ODD as fault:
        discard_damaged(path, f"has other values ({type(fault).__name__})")
    return None


def discard_damaged(path: Path, why: object) -> None:
    """Remove a damaged file of a computation that can be repeated, and log it."""
    logging.getLogger("dltk").warning(f"{path}: {why}; it is created again")
    with suppress(OSError):
        path.unlink()
