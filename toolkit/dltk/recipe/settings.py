"""A recipe's settings: a frozen tree of dataclasses, changed only by typed `KEY=VALUE` pairs."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import canonical_json, sha256
from dltk.recipe.near import settings_hint, similar_keys

__all__ = [
    "Setting",
    "apply",
    "as_dict",
    "assign",
    "changes",
    "describe",
    "digest",
    "from_dict",
    "setting",
    "format_value",
    "with_smoke_values",
]

Tree = TypeVar("Tree")


def setting(default: Any, help: str, *, low: float | None = None, high: float | None = None, last: bool = False) -> Any:
    """A field of a settings group: its default, one line of help, and the closed interval a number must lie in.

    `last` lists it behind the others of its group, whichever class it is of.
    """
    return field(default=default, metadata={"help": help, "low": low, "high": high, "last": last})


@dataclass(frozen=True)
class Setting:
    """One leaf of a settings tree, for help texts."""

    key: str
    kind: str
    value: Any
    help: str


def assign(settings: Tree, pairs: Iterable[str], *, flag: str = "--set") -> Tree:
    """`settings` with each `KEY=VALUE` of `pairs` applied, its text converted to the field's type.

    Args:
        flag: the option that the pairs were given with.

    Raises:
        InputError: on an unknown key, a value of the wrong type, or one out of range.
    """
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            hint = f"For example {flag} {_example(settings, pair)}."
            raise InputError(f"{flag} {pair}", "must be KEY=VALUE", hint=hint)
        settings = _put(settings, key.strip().split("."), text.strip(), key.strip())
    return settings


def apply(settings: Tree, values: Mapping[str, Any]) -> Tree:
    """`settings` with dotted keys set to values that already have their type (smoke settings, a sweep)."""
    for key, value in values.items():
        settings = _put(settings, key.split("."), value, key)
    return settings


def with_smoke_values(settings: Tree, smoke: Mapping[str, Any], given: Iterable[str] = ()) -> Tree:
    """`settings` with the values of a recipe's `smoke`, except for the keys that were `given`."""
    kept = set(given)
    for key, value in smoke.items():
        if key not in kept:
            settings = apply(settings, {key: value(settings) if callable(value) else value})
    return settings


def as_dict(settings: Any) -> dict[str, Any]:
    """The tree as nested JSON values."""
    found = {item.name: getattr(settings, item.name) for item in fields(settings)}
    return {name: as_dict(value) if is_dataclass(value) else _plain(value) for name, value in found.items()}


def from_dict(defaults: Tree, values: Mapping[str, Any], where: str = "settings") -> Tree:
    """The tree that `as_dict` wrote, checked like typed-in values: an unknown key is an error."""
    for name, value in values.items():
        current = getattr(defaults, name, None)
        if is_dataclass(current) and isinstance(value, Mapping):
            defaults = replace(defaults, **{name: from_dict(current, value, f"{where}.{name}")})  # type: ignore[type-var]
        else:
            defaults = _put(defaults, [name], value, f"{where}.{name}")
    return defaults


def changes(defaults: Mapping[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value of everything in `values` that differs from `defaults`, both as `as_dict` writes them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        before = defaults.get(name)
        if isinstance(value, Mapping):
            found |= changes(before if isinstance(before, Mapping) else {}, value, f"{prefix}{name}.")
        elif name not in defaults or before != value:
            found[f"{prefix}{name}"] = value
    return found


def digest(settings: Any) -> str:
    """SHA-256 of the tree as canonical JSON; equal settings have equal digests."""
    return sha256(canonical_json(as_dict(settings)))


def describe(settings: Any, prefix: str = "") -> Iterator[Setting]:
    """Every leaf in order of the tree."""
    hints = typing.get_type_hints(type(settings))
    for item in sorted(fields(settings), key=lambda item: bool(item.metadata.get("last"))):
        value = getattr(settings, item.name)
        if is_dataclass(value):
            yield from describe(value, f"{prefix}{item.name}.")
        else:
            yield Setting(f"{prefix}{item.name}", _kind_name(hints[item.name]), value, item.metadata.get("help", ""))


def _put(settings: Any, path: list[str], value: Any, key: str, root: Any = None) -> Any:
    """`settings`, a group within `root` or the whole tree, with one value changed."""
    root = settings if root is None else root
    names = [item.name for item in fields(settings)]
    if path[0] not in names:
        hint = settings_hint(key, (leaf.key for leaf in describe(root)))
        raise InputError(f"setting {key}", "is not known", hint=hint)
    current = getattr(settings, path[0])
    if is_dataclass(current):
        if len(path) == 1:
            raise InputError(f"setting {key}", "is a group", hint=f"Set one of its keys: {_keys(current, key)}.")
        return replace(settings, **{path[0]: _put(current, path[1:], value, key, root)})
    if len(path) > 1:
        raise InputError(f"setting {key}", f"{path[0]!r} is a single value, not a group")
    item = next(item for item in fields(settings) if item.name == path[0])
    kind = typing.get_type_hints(type(settings))[path[0]]
    parsed = _parse(kind, value, key) if isinstance(value, str) else _check_type(kind, value, key)
    _check_range(parsed, item.metadata, key)
    return replace(settings, **{path[0]: parsed})


def _example(settings: Any, word: str) -> str:
    """An example pair: the key nearest to `word`, or the first that has a value, with its value."""
    leaves = {leaf.key: leaf for leaf in describe(settings)}
    key = next(
        iter(similar_keys(word, leaves)), next((key for key in leaves if leaves[key].value not in ((), None)), "")
    )
    return f"{key}={format_value(leaves[key].value)}" if key else "KEY=VALUE"


def format_value(value: Any) -> str:
    """`value` as written in `KEY=VALUE`."""
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _parse(kind: Any, text: str, key: str) -> Any:
    """`text` as a value of type `kind`."""
    options = _options(kind)
    if type(None) in options and text.lower() in ("none", "null", ""):
        return None
    for option in options:
        if typing.get_origin(option) is Literal:
            for choice in typing.get_args(option):
                if str(choice) == text:
                    return choice
        elif typing.get_origin(option) is tuple:
            inner = typing.get_args(option)[0]
            return tuple(_parse(inner, part.strip(), key) for part in text.split(",") if part.strip())
        elif (found := _scalar(option, text)) is not None:
            return found
    raise _wrong_type(kind, text, key)


def _scalar(kind: Any, text: str) -> Any:
    if kind is bool:
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    if kind is str:
        return text
    try:
        number = kind(text.replace("_", "")) if kind in (int, float) else None
    except ValueError:
        return None
    return number if number is None or math.isfinite(number) else None


def _check_type(kind: Any, value: Any, key: str) -> Any:
    for option in _options(kind):
        origin = typing.get_origin(option)
        if option is type(None) and value is None:
            return None
        if origin is Literal and value in typing.get_args(option):
            return value
        if origin is tuple and isinstance(value, (list, tuple)):
            return tuple(_check_type(typing.get_args(option)[0], part, key) for part in value)
        if option is float and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if option in (int, bool, str) and type(value) is option:
            return value
    raise _wrong_type(kind, value, key)


def _check_range(value: Any, metadata: Mapping[str, Any], key: str) -> None:
    low, high = metadata.get("low"), metadata.get("high")
    for number in value if isinstance(value, tuple) else (value,):
        if _is_number(number) and not _inside(number, low, high):
            limits = f"{'any' if low is None else low} and {'any' if high is None else high}"
            raise InputError(f"setting {key}", f"must lie between {limits}", number)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _inside(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)


def _wrong_type(kind: Any, value: Any, key: str) -> InputError:
    choices = [str(c) for o in _options(kind) if typing.get_origin(o) is Literal for c in typing.get_args(o)]
    hint = did_you_mean(str(value), choices) if choices else ""
    return InputError(f"setting {key}", f"must be {_kind_name(kind)}", value, hint)


def _options(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in (Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _kind_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", type(None): "none"}
    parts = []
    for option in _options(kind):
        if typing.get_origin(option) is Literal:
            parts.append("one of " + ", ".join(map(str, typing.get_args(option))))
        elif typing.get_origin(option) is tuple:
            parts.append("a list of " + _kind_name(typing.get_args(option)[0]))
        else:
            parts.append(names.get(option, str(option)))
    return " or ".join(parts)


def _keys(group: Any, key: str) -> str:
    return ", ".join(f"{key}.{item.name}" for item in fields(group))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
