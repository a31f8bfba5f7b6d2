"""A checkpoint: one file, replaced as a whole, that holds a trainer's state and the history so far."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, read_capped, sha256, write_atomic
from dltk.edge.bundle.arrays import parse_npz
from dltk.models.digest import model_digest

__all__ = ["AGAIN", "Checkpoint", "damaged", "identity", "read", "require_same", "write"]

AGAIN = "Give another --run."  # what to do with a checkpoint of something else
_FORM = 3  # of what checkpoints hold; one of an earlier form cannot be resumed
_HISTORY = "history.json"
_LIMIT = 16_000_000_000  # bytes; larger than any model that trains on a CPU


@dataclass(frozen=True)
class Checkpoint:
    """The state of a phase.

    Attributes:
        history: one row per finished epoch.
        state: as `Trainer.state` gave it: name -> array of any shape.
    """

    history: list[dict[str, Any]]
    state: Mapping[str, NDArray[Any]]


def write(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the file at `path`; a kill at any moment leaves the old one or the new one."""
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(checkpoint.history).encode(), np.uint8)
    arrays: dict[str, Any] = {f"state/{name}": array for name, array in checkpoint.state.items()}
    arrays[_HISTORY] = text
    np.savez(buffer, **arrays)
    write_atomic(path, buffer.getvalue())


def read(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, or None where there is none yet.

    Raises:
        InputError: if the file is damaged.
    """
    if not path.exists():
        return None
    try:
        arrays = parse_npz(read_capped(path, _LIMIT), path, [_HISTORY], limit=_LIMIT)
        history = parse_json(arrays.pop(_HISTORY).tobytes(), path)
    except InputError as fault:
        raise damaged(path, fault.received or fault.rule) from fault
    if not isinstance(history, list) or not all(map(_is_row, history)):
        raise damaged(path, "a history of another form")
    if odd := sorted(name for name, array in arrays.items() if array.dtype.kind not in "biuf"):
        raise damaged(path, f"no numbers in {odd[0]}")
    return Checkpoint(history, {name.removeprefix("state/"): array for name, array in arrays.items()})


def identity(models: Iterable[Any], *settings: Any) -> NDArray[np.uint8]:
    """What a resumed phase must have in common with the interrupted one: a SHA-256 as uint8 (64,), for `state`.

    Args:
        models: those that are trained, as they are when the phase starts, weights included.
        settings: JSON values: settings of the phase, digest of the data, other models' digests.
    """
    parts = [_FORM, [model_digest(model) for model in models], *settings]
    return np.frombuffer(sha256(canonical_json(parts)).encode(), np.uint8)


def require_same(state: Mapping[str, NDArray[Any]], facts: NDArray[np.uint8], name: str) -> None:
    """Refuse the `state` of another phase.

    Args:
        facts: (bytes,), the `identity` of this one.

    Raises:
        InputError: unless `state` was written by a phase of the same identity.
    """
    # What is no text is damaged, not of another phase.
    if state["facts"].tobytes().decode() != facts.tobytes().decode():
        rule = "must come from the same model, starting weights, data and settings"
        raise InputError(f"checkpoint of phase {name}", rule, hint=AGAIN)


def damaged(path: Path, received: object) -> InputError:
    """The error of a file that is no checkpoint any more."""
    return InputError(path, "must be a whole checkpoint", received, "Delete it: then --resume begins the phase anew.")


def _is_row(row: Any) -> bool:
    """Whether it is what an epoch left: the phase's name, the epoch's number, finite figures."""
    if not isinstance(row, dict) or not isinstance(row.get("phase"), str) or not {"epoch", "seconds"} <= set(row):
        return False
    figures = [value for key, value in row.items() if key != "phase"]
    finite = all(type(value) in (int, float) and abs(value) <= sys.float_info.max for value in figures)
    return finite and type(row["epoch"]) is int and row["epoch"] >= 0
