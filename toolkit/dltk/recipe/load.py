"""Find a recipe by its registered name or by the path of a Python file."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
import traceback
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import read_capped, sha256
from dltk.recipe.recipe import Recipe
from dltk.recipe.settings import apply, assign, describe, with_smoke_values

__all__ = ["Loaded", "is_path", "load", "read", "registered", "resolve"]

GROUP = "dltk.recipes"
_SOURCE_LIMIT = 1_000_000
_MODELS, _DATA = (".keras", ".h5", ".hdf5"), (".csv", ".npz", ".zip")  # what is given in place of a recipe


@dataclass(frozen=True)
class Loaded:
    """A recipe and where it came from.

    Attributes:
        recipe: the value of `recipe` in the file.
        source: text of the file.
        is_file: whether it was given as a path, not as a registered name.
    """

    recipe: Recipe
    source: str
    is_file: bool


def registered() -> Mapping[str, EntryPoint]:
    """Name -> entry point of every installed recipe, sorted; nothing is imported."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)}


def load(recipe: str | Path) -> Recipe:
    """The recipe registered as `recipe`, or the one in the Python file at that path.

    Raises:
        InputError: if there is none, or its file is broken; names the file and the line.
    """
    return read(recipe).recipe


def read(recipe: str | Path) -> Loaded:
    """Like `load`, with the text of the recipe's file.

    Raises:
        InputError: as `load`.
    """
    return _from_file(Path(recipe)) if is_path(recipe) else _from_name(str(recipe))


def is_path(recipe: str | Path) -> bool:
    """Whether `recipe` is the path of a file, whose code is executed, and not the name of an installed recipe."""
    return str(recipe).endswith(".py") or os.sep in str(recipe)


def resolve(recipe: Recipe, pairs: Iterable[str] = (), *, smoke: bool = False) -> Any:
    """The recipe's settings with each `KEY=VALUE` of `pairs` applied; if `smoke`, all others are shrunk.

    Epochs that are set by either are not raised by the `least_steps` of their group.

    Raises:
        InputError: on an unknown key or a value that does not fit.
    """
    pairs = list(pairs)
    given = [pair.partition("=")[0].strip() for pair in pairs]
    settings = assign(recipe.settings, pairs)
    if smoke:
        settings = with_smoke_values(settings, recipe.smoke, given)
    return _with_own_epochs(settings, {*given, *(recipe.smoke if smoke else ())})


def _with_own_epochs(settings: Any, given: Collection[str]) -> Any:
    """`settings` without the least steps of the groups whose `epochs` are among the keys `given`, and they are not."""
    groups = [key.removesuffix("epochs") for key in given if key.endswith(".epochs")]
    known = {leaf.key for leaf in describe(settings)}
    keys = {f"{group}least_steps" for group in groups} & known - set(given)
    return apply(settings, dict.fromkeys(sorted(keys), 0))


def _from_name(name: str) -> Loaded:
    known = registered()
    if name not in known:
        _require_no_other(Path(name))
        hint = f"{did_you_mean(name, known)} A path to a recipe file ends in .py."
        raise InputError(f"recipe {name!r}", "is not registered", hint=hint)
    where = f"recipe {name!r} ({known[name].value})"
    try:
        found = known[name].load()
    except Exception as fault:
        raise InputError(where, "must load without an error", f"{type(fault).__name__}: {fault}") from fault
    module = sys.modules[known[name].module]
    return Loaded(_checked(found, where), Path(str(module.__file__)).read_text(encoding="utf-8"), is_file=False)


def _from_file(path: Path) -> Loaded:
    _require_no_other(path)
    data = read_capped(path, _SOURCE_LIMIT)
    try:
        text = data.decode("utf-8")
        code = compile(text, str(path), "exec")
    except SyntaxError as fault:
        where = f"{path}, line {fault.lineno}" if fault.lineno else path  # a NUL has no line
        raise InputError(where, "must be valid Python", fault.msg) from fault
    except ValueError as fault:
        raise InputError(path, "must be Python source in UTF-8", str(fault)) from fault
    module = _module(path, sha256(data))
    try:
        exec(code, module.__dict__)  # noqa: S102 - the user's own recipe; running it is what was asked for
    except (Exception, SystemExit) as fault:
        lines = [frame.lineno for frame in traceback.extract_tb(fault.__traceback__) if frame.filename == str(path)]
        where = f"{path}, line {lines[-1]}" if lines else str(path)
        raise InputError(where, "must run without an error", f"{type(fault).__name__}: {fault}") from fault
    if not hasattr(module, "recipe"):
        raise InputError(path, "must define `recipe`", hint="End the file with recipe = Recipe(...).")
    return Loaded(_checked(module.recipe, str(path)), text, is_file=True)


def _require_no_other(path: Path) -> None:
    """Raise InputError that names the right command, if `path` is a model, a run, a bundle or data."""
    received = hint = ""
    typed = shlex.quote(str(path))
    if path.suffix.lower() in _MODELS:
        received, hint = "a model", f"Make a run from it: dltk adopt {typed} --recipe RECIPE --data DATA."
    elif os.path.isfile(path / "manifest.json"):
        received, hint = "a bundle", f"Use it with `dltk validate {typed}`."
    elif os.path.isfile(path / "recipe.json"):
        received, hint = "a run", f"Use it with `dltk compress {typed}` or `dltk export {typed}`."
    elif os.path.isdir(path):
        received, hint = "a folder", f"If that is the data: dltk finetune RECIPE --data {typed}."
    elif path.suffix.lower() in _DATA and os.path.isfile(path):
        received, hint = "data", f"Pass it to a recipe: dltk finetune RECIPE --data {typed}."
    if received:
        raise InputError(path, "must be the name of a recipe, or its .py file", received, hint)


def _module(path: Path, digest: str) -> ModuleType:
    """A new module for a recipe file; dataclasses look up their types in `sys.modules`."""
    name = f"dltk_recipe_{path.stem}_{digest[:12]}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module
    return module


def _checked(found: Any, where: str) -> Recipe:
    if not isinstance(found, Recipe):
        raise InputError(where, "`recipe` must be a dltk.recipe.Recipe", type(found).__name__)
    settings = found.settings
    frozen = is_dataclass(settings) and not isinstance(settings, type) and settings.__dataclass_params__.frozen  # type: ignore[attr-defined]
    if not frozen:
        raise InputError(where, "settings must be an instance of a frozen dataclass", type(settings).__name__)
    missing = {"seed", "data"} - {item.name for item in fields(settings)}
    if missing:
        raise InputError(where, "settings must have `seed` and `data`", f"no {', '.join(sorted(missing))}")
    try:
        with_smoke_values(settings, found.smoke)
    except Exception as fault:
        raise InputError(where, f"smoke must change known settings: {fault}") from fault
    return found
