"""What an inspection found: how each recipe would read the data, or why it would not."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dltk.base.errors import DltkError
from dltk.data.dataset import Dataset
from dltk.data.split import SPLITS

__all__ = ["Attempt", "Found", "Overview"]


@dataclass(frozen=True)
class Overview:
    """What is in the data, whatever is made of it.

    Attributes:
        kind: "table", "folder", "arrays" or "file".
        rows: of a table; None for anything else.
        looked_at: rows of the table that were looked at.
        is_exact: whether `rows` counts rows; else lines.
        columns: per column of a table "name", "kind", "missing" (share), "different" and "examples".
        copies: rows of a table that equal another one in all cells.
        arrays: per array of an npz "name", "dtype" and "shape".
    """

    kind: str
    rows: int | None = None
    looked_at: int = 0
    is_exact: bool = True
    columns: tuple[Mapping[str, Any], ...] = ()
    copies: int = 0
    arrays: tuple[Mapping[str, Any], ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether rows were not looked at."""
        return self.rows is not None and self.looked_at < self.rows

    def as_dict(self) -> dict[str, Any]:
        """JSON values, without what does not apply."""
        found: dict[str, Any] = {"kind": self.kind}
        if self.rows is not None:
            found |= {"rows": self.rows, "rows_are_exact": self.is_exact, "rows_looked_at": self.looked_at}
            found |= {"copies": self.copies, "columns": [dict(column) for column in self.columns]}
        return found | ({"arrays": [dict(array) for array in self.arrays]} if self.arrays else {})


@dataclass(frozen=True)
class Attempt:
    """How one recipe would read the data.

    Attributes:
        recipe: as it is typed.
        dataset: None where it would not.
        fault: why not.
        lines: what was found and is not a matter of course; warnings begin with "Warning: ".
        facts: sizes of files, copies, samples decoded.
        helps: of the settings that the message of a refusal names, those with which the recipe reads the data.
    """

    recipe: str
    dataset: Dataset | None
    fault: DltkError | None = None
    lines: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    helps: tuple[str, ...] = ()

    @property
    def samples(self) -> dict[str, int]:
        """Samples per split."""
        return {} if self.dataset is None else {split: len(getattr(self.dataset, split)) for split in SPLITS}

    @property
    def classes(self) -> dict[str, dict[str, int]]:
        """Label -> split -> samples; empty where the targets are no classes."""
        if self.dataset is None or not self.dataset.labels:
            return {}
        counts = {split: _counts(self.dataset, split) for split in SPLITS}
        if any(count is None for count in counts.values()):
            return {}
        return {
            label: {split: int(count[place]) for split, count in counts.items() if count is not None}
            for place, label in enumerate(self.dataset.labels)
        }

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        if self.fault is not None:
            found: dict[str, Any] = {"recipe": self.recipe, "message": str(self.fault), **self.fault.json_fields()}
            return found | {"settings_that_help": list(self.helps)}
        found = {"recipe": self.recipe, "samples": self.samples, "classes": self.classes, **self.facts}
        return found | {"notes": list(self.lines)}


@dataclass(frozen=True)
class Found:
    """What an inspection found.

    Attributes:
        source: as the user gave it.
        overview: what is in the data.
        fits: recipes that read it, the most specific first.
        refused: recipes that do not, those first that a setting makes fit.
        pairs: the `KEY=VALUE` that were given.
    """

    source: str
    overview: Overview
    fits: tuple[Attempt, ...]
    refused: tuple[Attempt, ...]
    pairs: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """A command that starts the training of each recipe that fits."""
        given = [word for pair in self.pairs for word in ("--set", pair)]
        return tuple(
            shlex.join(["dltk", "finetune", attempt.recipe, "--data", self.source, *given]) for attempt in self.fits
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        fits = [
            attempt.as_dict() | {"command": command} for attempt, command in zip(self.fits, self.commands, strict=True)
        ]
        return {
            "data": self.source,
            **self.overview.as_dict(),
            "fits": fits,
            "refused": [attempt.as_dict() for attempt in self.refused],
            "next": list(self.commands[:1]),
        }


def _counts(dataset: Dataset, split: str) -> Any:
    """Samples (labels,) per class of a split; None where targets are no classes."""
    targets = getattr(dataset, split).targets
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        return np.bincount(targets, minlength=len(dataset.labels))
    if targets.ndim == 2 and targets.shape[1] == len(dataset.labels) and np.isin(targets, (0, 1)).all():
        return targets.sum(axis=0)
    return None
