"""Odd but valid data sets: each is read right as it comes, or with the one setting that the first message names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data.dataset import Dataset
from dltk.recipe.load import load, resolve

__all__ = ["Case", "require_read"]


@dataclass(frozen=True)
class Case:
    """One odd but valid data set.

    Attributes:
        name: what is odd about it.
        recipe: the recipe that it is given to.
        write: (folder) -> the path for `--data`.
        require: (data set) -> None: asserts on values, labels and splits that what was read is what was written.
        flag: `KEY=VALUE` that the first message must name; None where the data is read as it comes.
        said: words that the lines logged on the way must contain: what was found and is not a matter of course.
        settings: `KEY=VALUE` given from the start, such as the target column.
    """

    name: str
    recipe: str
    write: Callable[[Path], Path]
    require: Callable[[Dataset], None]
    flag: str | None = None
    said: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def require_read(case: Case, folder: Path) -> None:
    """Write the data of `case` into `folder` and read it as `dltk finetune` would."""
    source, settings = case.write(folder), case.settings
    if case.flag is not None:
        with pytest.raises(InputError) as caught:
            _read(case.recipe, source, settings)
        assert case.flag in str(caught.value)
        settings = (*settings, case.flag)
    dataset, lines = _read(case.recipe, source, settings)
    case.require(dataset)
    for words in case.said:
        assert words in lines


def _read(recipe: str, source: Path, settings: tuple[str, ...]) -> tuple[Dataset, str]:
    loaded, progress = load(recipe), Silent()
    given = resolve(loaded, settings, smoke=False)
    dataset = tasks.task(loaded.task).prepare(given, str(source), progress=progress)
    return dataset, "\n".join((*progress.said, *progress.warned))
