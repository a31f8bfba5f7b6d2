"""Asks recipes how they would read data: by their own preparation, which reads a little of it and trains nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk import tasks
from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.data.dataset import require_test_samples
from dltk.data.glance import Glance
from dltk.data.named.load import NAMED, TABLES
from dltk.edge.sources.tables import is_table_file
from dltk.inspection.files import facts_of_files
from dltk.inspection.found import Attempt, Found
from dltk.inspection.overview import overview_of
from dltk.inspection.tables import Reading
from dltk.recipe import Recipe
from dltk.recipe.load import load, registered, resolve
from dltk.recipe.settings import apply

__all__ = ["inspect"]

# Tasks by the kind of data that they read, the most specific first: what fits several is meant for the first of them.
_TASKS: Mapping[str, tuple[str, ...]] = {
    "table": ("image-text-classification", "recommend", "forecast", "text-classification", "image-classification",
              "audio-keyword", "tabular", "autoencode", "generate"),
    "folder": ("segmentation", "text-classification", "image-classification", "audio-keyword", "autoencode",
               "generate"),
    "arrays": ("image-classification", "autoencode", "generate"),
}  # fmt: skip
_MASKS = 64  # images with masks that are looked at
_NAMED = re.compile(r"'(data\.\w+=[^']*)'|(?<![\w.'])(data\.\w+=\S+)")  # settings in a message
_MOST_HELPS = 4  # of them that are tried


def inspect(path: str | Path, *, recipe: str | None = None, set: Iterable[str] = ()) -> Found:
    """What dltk would read of the file or folder at `path`.

    Each recipe prepares the data as `finetune` does, except that of a large table the first rows are read, and of many
    files a few. What is refused from a part of a table is tried once more on all of it.

    Args:
        recipe: a name or a recipe file; None: every recipe that reads such data.
        set: `KEY=VALUE` texts, put into the settings of every recipe that has them.

    Raises:
        InputError: if there is no such file or recipe, or no recipe has a setting of `set`.
    """
    source, pairs = str(path), tuple(set)
    kind = _kind_of(source)
    recipes = {recipe: load(recipe)} if recipe is not None else _recipes_for(kind)
    settings = _settings_of(recipes, pairs)
    reading, glance = Reading(), Glance()
    attempts = _attempts(recipes, settings, source, reading, glance)
    if reading.is_part and all(attempt.fault is not None for attempt, _ in attempts):
        reading = Reading(is_whole=True)
        attempts = _attempts(recipes, settings, source, reading, glance)
    fits = tuple(attempt for attempt, _ in attempts if attempt.fault is None)
    refused = [
        _with_help(attempt, recipes[attempt.recipe], pairs, source, reading, glance)
        for attempt, _ in attempts
        if attempt.fault is not None
    ]
    alike = Counter(str(attempt.fault) for attempt in refused)
    refused.sort(key=lambda attempt: (_rank(attempt), -alike[str(attempt.fault)]))
    return Found(source, overview_of(kind, Path(source), attempts), fits, tuple(refused), pairs)


def _kind_of(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return "folder"
    if not path.exists():
        if source in (*NAMED, *TABLES):
            hint = f"Train on it with dltk finetune RECIPE --data {source}."
            raise InputError(source, "must be a file or a folder", "the name of a known data set", hint)
        raise InputError(source, "must exist", hint="Check the path.")
    if path.suffix.lower() in (".npz", ".npy"):
        return "arrays"
    return "table" if is_table_file(path) or path.suffix.lower() in (".txt", ".data", ".dat") else "file"


def _recipes_for(kind: str) -> dict[str, Recipe]:
    """Recipes by name, in the order in which they are tried and shown."""
    found = {name: load(name) for name in registered()}
    order = _TASKS.get(kind, ())
    read = [(name, recipe) for name, recipe in found.items() if recipe.task in order or not order]
    read = [(name, recipe) for name, recipe in read if recipe.task != "control"]
    if order:  # of recipes of one task first the one that is called after it
        read.sort(key=lambda each: (order.index(each[1].task), each[0] != each[1].task))
    return dict(read)


def _settings_of(recipes: Mapping[str, Recipe], pairs: Sequence[str]) -> dict[str, Any]:
    """The settings of each recipe, or the error that they raise.

    Raises:
        InputError: if no recipe takes them.
    """
    found: dict[str, Any] = {}
    for name, recipe in recipes.items():
        try:
            found[name] = resolve(recipe, pairs)
            if recipe.check is not None:
                recipe.check(found[name])
        except InputError as fault:
            found[name] = fault
    faults = [fault for fault in found.values() if isinstance(fault, InputError)]
    if faults and len(faults) == len(found):
        raise faults[0]
    return found


def _attempts(
    recipes: Mapping[str, Recipe], settings: Mapping[str, Any], source: str, reading: Reading, glance: Glance
) -> list[tuple[Attempt, list[Any]]]:
    """Each recipe's attempt, and the heads of the tables that it read."""
    return [_attempt(name, recipes[name], settings[name], source, reading, glance) for name in recipes]


def _attempt(
    name: str, recipe: Recipe, settings: Any, source: str, reading: Reading, glance: Glance
) -> tuple[Attempt, list[Any]]:
    if isinstance(settings, DltkError):
        return Attempt(name, None, settings), []
    progress, task = _Lines(), tasks.task(recipe.task)
    reading.heads = []
    glance.forget()
    smaller = _smaller(recipe, settings)
    try:
        with reading.used(), glance.used():
            dataset = task.prepare(smaller, source, progress=progress)
            require_test_samples(dataset)
            task.contract(settings, dataset)
    except (InputError, EnvironmentFault) as fault:
        return Attempt(name, None, fault, tuple(progress.lines)), reading.heads
    if smaller != settings and glance.listed >= _MASKS:
        progress.log(f"about {_MASKS} of the images were looked at, with their masks: the counts are of these")
    facts = facts_of_files(glance, dataset)
    return Attempt(name, dataset, None, tuple(progress.lines), facts), reading.heads


def _smaller(recipe: Recipe, settings: Any) -> Any:
    """`settings` for a look: of images with masks only some are read."""
    if recipe.task != "segmentation" or settings.data.total:
        return settings
    return apply(settings, {"data.total": _MASKS})


def _with_help(
    attempt: Attempt, recipe: Recipe, pairs: Sequence[str], source: str, reading: Reading, glance: Glance
) -> Attempt:
    """A refused attempt with those settings of its message that make the recipe read the data, each by itself."""
    helps: list[str] = []
    for quoted, bare in list(dict.fromkeys(_NAMED.findall(str(attempt.fault))))[:_MOST_HELPS]:
        for pair in dict.fromkeys((quoted or bare.rstrip(".,;:)"), quoted or bare)):  # "data.decimal=," ends in a sign
            try:
                settings = resolve(recipe, [*pairs, pair])
            except InputError:
                continue  # a value that stands for the user's own, such as NAME
            if _attempt(attempt.recipe, recipe, settings, source, reading, glance)[0].fault is None:
                helps.append(pair)
                break
    return replace(attempt, helps=tuple(helps))


def _rank(attempt: Attempt) -> int:
    """Refused recipes: those that a setting makes fit, those whose message names one, the others."""
    return 0 if attempt.helps else 1 if _NAMED.search(str(attempt.fault)) else 2


class _Lines(Silent):
    """Keeps the lines of a recipe in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        """Keep one line."""
        self.lines.append(text)

    def warn(self, text: str) -> None:
        """Keep one line, marked as a warning."""
        self.lines.append(f"Warning: {text}")
