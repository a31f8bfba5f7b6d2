"""The candidates that were tried, a file each, so that a search that is killed loses and repeats none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import sweep
from dltk.base.sealed import load_or_discard, write_sealed
from dltk.search.measures import Measures
from dltk.search.trial import Trial, steps_key

__all__ = ["Ledger"]

_LIMIT = 8_000_000


class Ledger:
    """The finished candidates in a folder, in the order of trying; one whose file is damaged counts as not tried."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)
        if self._folder.is_dir():
            sweep(self._folder)
        paths = sorted(self._folder.glob("[0-9]*.json"))
        read = [trial for path in paths if (trial := _read(path)) is not None]
        self._trials = {trial.key: trial for trial in sorted(read, key=lambda trial: trial.number)}

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All of them."""
        return tuple(self._trials.values())

    def find(self, steps: Sequence[str]) -> Trial | None:
        """The candidate that these steps made; None if it was not tried to its end."""
        return self._trials.get(steps_key(steps))

    def add(self, stage: str, steps: Sequence[str], row: Mapping[str, Any] | None, error: str = "") -> Trial:
        """Keep what was found; on disk when this returns."""
        number = max((trial.number for trial in self._trials.values()), default=0) + 1
        trial = Trial(number, stage, tuple(steps), steps_key(steps), row, error)
        write_sealed(self._folder / f"{number:04d}.json", trial.as_dict())
        self._trials[trial.key] = trial
        return trial


def _read(path: Path) -> Trial | None:
    """The candidate in a file; None, and no file any more, where it is damaged."""
    return load_or_discard(path, _LIMIT, lambda found: _checked(Trial.from_dict(found, path), path))


def _checked(trial: Trial, path: Path) -> Trial:
    if steps_key(trial.steps) != trial.key:
        raise InputError(path, "is the file of another candidate")
    if trial.row is not None:
        Measures.of(trial.row).words()
    return trial
