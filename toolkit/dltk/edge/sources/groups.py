"""Groups in file names: which part of a name is the speaker, the session or the patient."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath

from dltk.base.errors import InputError, shorten

__all__ = ["group_reader", "likely_groups", "name_parts"]

_GROUP = "{group}"  # stands in `group_pattern` for the part that names the group
_MAX_STARS = 4  # more would let a pattern take long on a long name
_PART = re.compile(r"name:(\d{1,2})")
_USUAL = 0.95  # share of the names that must have a part before it is suggested
_RECURS = 0.8  # share of a part's values that must occur in several classes
_SHOWN = 4  # values in a suggestion

Reader = Callable[[str], str]


def group_reader(group: str | None, pattern: str | None) -> Reader | None:
    """File name -> its group, by `data.group=name:N` or `data.group_pattern`; None where neither is given.

    Raises:
        InputError: if both are given, or the pattern cannot be.
    """
    if group and pattern:
        raise InputError("data.group", "must be none where data.group_pattern is given", group)
    if pattern:
        return _by_pattern(pattern)
    found = _PART.fullmatch(group or "")
    return None if found is None else _by_part(int(found[1]))


def name_parts(name: str) -> list[str]:
    """The parts of a file name without its suffix, split at _ and -: 3, theo, 37 of `3/3_theo_37.wav`."""
    return re.split(r"[_-]", PurePath(name).stem)


def likely_groups(names: Sequence[str], classes: Sequence[Iterable[int]]) -> str:
    """A sentence about parts of `names` that may be a speaker or a session, with the setting; "" where none is.

    Such a part is not the same in all names, occurs twice and more per value, and its values recur across the classes.
    A number is a running number where a part that is none is there too, or where it is the only one.

    Args:
        names: file names (n,).
        classes: the class numbers of each (n,).
    """
    parts = [name_parts(name) for name in names]
    places = range(max((len(each) for each in parts), default=0))
    found = {place: values for place in places if (values := _recurring(parts, classes, place))}
    words = {place: values for place, values in found.items() if not all(value.isdigit() for value in values)}
    if not words and len(found) < 2:
        return ""
    listed = "; ".join(f"data.group=name:{place} ({_values(values)})" for place, values in (words or found).items())
    return (
        f"file names have parts that recur across classes: {listed}. If one names the speaker or the session, set it: "
        "then all samples of a group stay in one split"
    )


def _by_part(number: int) -> Reader:
    def read(name: str) -> str:
        parts = name_parts(name)
        if number >= len(parts):
            rule = f"its name must have a part {number} for data.group, split at _ and - and counted from 0"
            raise InputError(name, rule, ", ".join(parts), "Rename it, or set data.group_pattern.")
        return parts[number]

    return read


def _by_pattern(pattern: str) -> Reader:
    if pattern.count(_GROUP) != 1 or pattern.count("*") > _MAX_STARS:
        rule = f"must hold {_GROUP} once and at most {_MAX_STARS} *"
        raise InputError("setting data.group_pattern", rule, pattern, "For example *_{group}_* of yes_ann_03.wav.")
    words = (re.escape(word).replace(re.escape("*"), ".*?") for word in pattern.split(_GROUP))
    names = re.compile("(.+?)".join(words), re.DOTALL)

    def read(name: str) -> str:
        found = names.fullmatch(PurePath(name).stem)
        if found is None:
            raise InputError(name, "its name must fit data.group_pattern", hint="Rename it, or change the pattern.")
        return found[1]

    return read


def _recurring(parts: Sequence[list[str]], classes: Sequence[Iterable[int]], place: int) -> list[str]:
    """The values at `place`, sorted, if they look like groups."""
    seen: dict[str, set[int]] = {}
    count = 0
    for each, labels in zip(parts, classes, strict=True):
        if place < len(each):
            count += 1
            seen.setdefault(each[place], set()).update(labels)
    recurring = sum(len(labels) > 1 for labels in seen.values())
    is_usual = count >= _USUAL * len(parts) and 1 < len(seen) <= count // 2
    return sorted(seen) if is_usual and recurring >= _RECURS * len(seen) else []


def _values(values: Sequence[str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(shorten(value, 20) for value in values[:_SHOWN]) + more
