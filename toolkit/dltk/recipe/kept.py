"""The settings of a run as a tree, from plain values alone: opening a run executes no code of its recipe.

Settings that later steps read belong to known groups: those of `dltk.recipe`, and those of the installed recipes of
the same task. Values of such a group are checked like typed ones; values that only the recipe's own `build` reads are
passed through unchanged.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Any

from dltk.base.errors import DltkError, InputError
from dltk.recipe import groups
from dltk.recipe.load import load, registered
from dltk.recipe.settings import apply

__all__ = ["TRUST", "MissingRecordedSetting", "recorded_settings"]

TRUST = (
    "If you trust the author of the run, pass --trust-recipe to `dltk compress` or `dltk export`: it may execute code."
)
_READ = ("data", "spectrum", "augment", "calibration", "compress")  # the groups that are read after training
_DEEPEST = 8
_KNOWN = 5  # fields that show which group is meant, where an earlier version of it had not half of today's


class MissingRecordedSetting(InputError, AttributeError):
    """A setting that a later step needs and that the run does not have; `getattr` with a default passes over it."""


def recorded_settings(values: Mapping[str, Any], task: str, where: str) -> Any:
    """The tree that `as_dict` wrote; reading a setting that does not exist raises `MissingRecordedSetting`.

    Args:
        task: name of the run's task, whose installed recipes define the groups.
        where: name of the file that `values` come from, for messages.

    Raises:
        InputError: if a value is not plain, or not of its group's kind.
    """
    templates = _templates(task)
    found = {}
    for name, value in values.items():
        if name in _READ and isinstance(value, Mapping):
            known = [getattr(each, name) for each in templates if is_dataclass(getattr(each, name, None))]
            found[name] = _group(value, known, f"{where}: settings.{name}")
        else:
            leaf = next((each for each in templates if name in _names(each)), None)
            found[name] = _leaf(name, value, leaf, f"{where}: settings.{name}")
    return _tree(found, f"{where}: settings")


def _templates(task: str) -> list[Any]:
    """The settings of the installed recipes of `task`; only installed code is imported."""
    found = []
    for name in registered():
        with suppress(DltkError):  # a broken one is its own user's to mend
            recipe = load(name)
            found += [recipe.settings] if recipe.task == task else []
    return found


def _group(values: Mapping[str, Any], known: list[Any], where: str) -> Any:
    """`values` as the group that has their fields, if there is one; fields missing from `values` get their defaults."""
    best, shared = None, 0.0
    for kind in _kinds(known):
        count = len(_names(kind) & set(values))
        rank = count - len(_names(kind)) / 1000  # of those that say as much, the one that asks for least
        fits = 2 * count >= len(_names(kind)) or (count >= _KNOWN and 2 * count >= len(values))
        if fits and rank > shared:
            best, shared = kind, rank
    own = {name: value for name, value in values.items() if best is None or name not in _names(best)}
    if best is None:
        return _tree(_plain(own, where, 1), where)
    try:
        group = apply(best(), {name: value for name, value in values.items() if name not in own})
    except InputError as fault:
        raise InputError(
            f"{where}: {fault.where}", fault.rule, fault.received, f"{fault.hint} {TRUST}".strip()
        ) from fault
    return _tree({**vars(group), **_plain(own, where, 1)}, where, best)


def _kinds(known: list[Any]) -> Iterator[type]:
    """The classes of `known`, the dataclasses they are made from, and the groups common to all tasks."""
    seen: dict[type, None] = {}
    for each in known:
        seen |= {kind: None for kind in type(each).__mro__ if is_dataclass(kind)}
    shared = (groups.Augment, groups.SoundAugment, groups.Augmentation, groups.Calibration, groups.PruneAndQuantize)
    yield from seen | dict.fromkeys(shared)


def _leaf(name: str, value: Any, template: Any, where: str) -> Any:
    if template is None or is_dataclass(getattr(template, name)) or isinstance(value, Mapping):
        return _value(value, where, 0)
    try:
        return getattr(apply(template, {name: value}), name)
    except InputError as fault:
        raise InputError(where, fault.rule, fault.received, TRUST) from fault


def _plain(values: Mapping[str, Any], where: str, depth: int) -> dict[str, Any]:
    return {name: _value(value, f"{where}.{name}", depth) for name, value in values.items()}


def _value(value: Any, where: str, depth: int) -> Any:
    if isinstance(value, Mapping):
        if depth >= _DEEPEST:
            raise InputError(where, f"groups of settings nest at most {_DEEPEST} deep")
        return _tree(_plain(value, where, depth + 1), where)
    if isinstance(value, list):
        if any(isinstance(item, (list, Mapping)) for item in value):
            raise InputError(where, "a list of settings must hold single values", value)
        return tuple(value)
    return value


def _tree(values: Mapping[str, Any], where: str, base: type | None = None) -> Any:
    """A frozen dataclass with `values`, of the class `base` where one is given."""
    for name in values:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise InputError(where, "the name of a setting must be a plain word", name)

    def missing(self: Any, name: str) -> Any:
        raise MissingRecordedSetting(f"{where}.{name}", "is needed, and the run does not have it", hint=TRUST)

    own = [(name, Any, field(default=None)) for name in values if base is None or name not in _names(base)]
    kind = make_dataclass(
        "Settings" if base is None else base.__name__,
        own,
        bases=() if base is None else (base,),
        frozen=True,
        namespace={"__getattr__": missing},
    )
    return kind(**values)


def _names(group: Any) -> set[str]:
    return {item.name for item in fields(group)}
