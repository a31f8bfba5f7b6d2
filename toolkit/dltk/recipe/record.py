"""The recipe of a run: recipe.json, and recipe.py if it was given as a file. Reading executes neither."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, parse_json, read_capped, sha256, write_atomic
from dltk.edge.bundle.manifest import MANIFEST
from dltk.recipe.kept import TRUST, recorded_settings
from dltk.recipe.load import Loaded, is_path, load, read, registered, resolve
from dltk.recipe.recipe import Recipe
from dltk.recipe.settings import as_dict, changes, from_dict

__all__ = ["Record", "require_run_if_exists"]

_JSON_LIMIT = 64_000_000
_KEYS = {"recipe": str, "settings": dict, "smoke": bool, "source_sha256": str, "task": str}
_OWN = "recipe.py"


@dataclass(frozen=True)
class Record:
    """The recipe of the run in `folder`.

    Attributes:
        trusted: whether the run's own recipe.py may be executed.
    """

    folder: Path
    trusted: bool = False

    def write(self, loaded: Loaded, settings: Any, *, smoke: bool) -> None:
        """Write the recipe and the resolved settings."""
        if loaded.is_file:
            write_atomic(self.folder / _OWN, loaded.source.encode())
        found = {
            "changed": changes(as_dict(resolve(loaded.recipe, smoke=smoke)), as_dict(settings)),
            "name": loaded.recipe.name,
            "recipe": _OWN if loaded.is_file else loaded.recipe.name,
            "settings": as_dict(settings),
            "smoke": smoke,
            "source_sha256": sha256(loaded.source.encode()),
            "task": loaded.recipe.task,
        }
        write_atomic(self._where, canonical_json(found))

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self._found.get("name", self._found["recipe"]))

    @property
    def task(self) -> str:
        """Name of the task."""
        return str(self._found["task"])

    @property
    def recipe(self) -> Recipe:
        """The recipe: an installed one or, if `trusted`, the recipe.py in the run.

        Raises:
            InputError: if it is missing, has changed since the run was made, or would have to be trusted.
        """
        if not self._is_own:
            return load(self._found["recipe"])
        where = self.folder / _OWN
        if not self.trusted:
            raise InputError(where, "the recipe that comes with a run is not executed", hint=TRUST)
        if sha256(read_capped(where)) != self._found["source_sha256"]:
            rule = "must be the recipe that the run was made with, whose digest is in recipe.json"
            raise InputError(where, rule, "another file", "Restore the recipe.")
        return load(where)

    def settings(self) -> Any:
        """The settings as a tree.

        For an unchanged installed recipe or a `trusted` one, a tree of the recipe's own type; otherwise a tree made
        from the values alone (`dltk.recipe.kept`).

        Raises:
            InputError: if they are missing or do not fit the recipe.
        """
        values = self._found["settings"]
        if self.trusted if self._is_own else self._is_installed:
            if self.recipe.task != self.task:
                raise InputError(f"{self._where}: task", f"must be {self.recipe.task}, as in the recipe", self.task)
            return from_dict(self.recipe.settings, values, str(self._where))
        return recorded_settings(values, self.task, str(self._where))

    def changed(self) -> dict[str, Any]:
        """Dotted key -> value of the settings changed from the defaults; all settings if the run has no such list."""
        if isinstance(self._found.get("changed"), dict):
            return dict(self._found["changed"])
        known = not self._is_own and self._is_installed
        defaults = as_dict(resolve(self.recipe, smoke=self._found["smoke"])) if known else {}
        return changes(defaults, self._found["settings"])

    @property
    def _where(self) -> Path:
        return self.folder / "recipe.json"

    @property
    def _is_own(self) -> bool:
        return bool(self._found["recipe"] == _OWN)

    @cached_property
    def _is_installed(self) -> bool:
        """Whether the recipe of that name is installed here, and unchanged since the run was made."""
        name = self._found["recipe"]
        return name in registered() and sha256(read(name).source.encode()) == self._found["source_sha256"]

    @cached_property
    def _found(self) -> Mapping[str, Any]:
        found = parse_json(read_capped(self._where, _JSON_LIMIT), self._where)
        if not isinstance(found, dict) or not found.keys() >= _KEYS.keys():
            raise InputError(self._where, f"must have the keys {', '.join(_KEYS)}", found)
        for key, kind in _KEYS.items():
            if not isinstance(found[key], kind):
                raise InputError(
                    f"{self._where}: {key}", f"must be a JSON value of the kind {kind.__name__}", found[key]
                )
        name = found["recipe"]
        if name != _OWN and is_path(name):
            raise InputError(f"{self._where}: recipe", f"must be {_OWN} in the run, or the name of a recipe", name)
        return found


_ZIP, _MODELS = b"PK\3\4", (".keras", ".h5", ".hdf5")
_OF_BUNDLE = "Give the run that it was exported from; `dltk validate`, `predict`, `bench` and `report` accept bundles."


def require_run_if_exists(path: Path) -> None:
    """Raise InputError that names what `path` is, if it exists and is not a run."""
    if (path / MANIFEST).is_file():
        raise InputError(path, "must be a run, not a bundle", hint=_OF_BUNDLE)
    if not path.is_file():
        return
    if path.suffix in _MODELS:
        hint = f"Make a run from it: dltk adopt {shlex.quote(str(path))} --recipe RECIPE --data DATA."
        raise InputError(path, "must be a run, not a model file", hint=hint)
    try:
        with path.open("rb") as stream:
            is_archive = stream.read(len(_ZIP)) == _ZIP
    except OSError as fault:  # no permission, a damaged disk, /proc/self/mem
        raise InputError(path, "must be a run, not an unreadable file", fault.strerror) from fault
    if is_archive:
        raise InputError(path, "must be a run, not an archive", hint=_OF_BUNDLE)
    raise InputError(path, "must be a run, not a file", hint="A run is a folder that `dltk finetune` writes.")
