"""One candidate: the steps that make it, and what was measured on its file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.compress.steps import parse_steps
from dltk.search.measures import Measures

__all__ = ["Trial", "steps_key"]

_KEYS = {"number", "stage", "steps", "key", "row", "error"}


@dataclass(frozen=True)
class Trial:
    """A candidate that was tried.

    Attributes:
        number: counted from 1, in the order of trying.
        stage: of the search: "int8", "bias correction", ...
        steps: texts as `--step` takes them.
        key: `steps_key` of them.
        row: measurements on the validation split; None if it could not be made.
        error: why it could not be made.
    """

    number: int
    stage: str
    steps: tuple[str, ...]
    key: str
    row: Mapping[str, Any] | None
    error: str = ""

    @property
    def measures(self) -> Measures | None:
        """The figures that limits are about; None where it could not be made."""
        return None if self.row is None else Measures.of(self.row)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "number": self.number,
            "stage": self.stage,
            "steps": list(self.steps),
            "key": self.key,
            "row": None if self.row is None else dict(self.row),
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, found: Any, where: object) -> Trial:
        """What `as_dict` wrote.

        Raises:
            InputError: if it is not whole.
        """
        if not isinstance(found, dict) or set(found) != _KEYS or not isinstance(found["steps"], list):
            raise InputError(where, f"must have the keys {', '.join(sorted(_KEYS))}", found)
        kinds: dict[str, Any] = {"number": int, "stage": str, "key": str, "error": str, "row": (dict, type(None))}
        if any(not isinstance(found[key], kind) for key, kind in kinds.items()) or found["number"] < 1:
            raise InputError(where, "must hold a candidate", found)
        return cls(**found | {"steps": tuple(found["steps"])})


def steps_key(steps: Sequence[str]) -> str:
    """The same for texts that mean the same steps with the same settings, in one order.

    Raises:
        UsageError, InputError: if they are no sound steps.
    """
    return sha256(canonical_json([step.as_dict() for step in parse_steps(steps)]))[:32]
