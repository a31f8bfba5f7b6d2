"""Files that name classes, one per line, and those that give each class a colour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped
from dltk.edge.sources.labels import check_label, check_labels
from dltk.edge.sources.masking.pixels import colour_number

__all__ = ["find_colours", "find_labels"]

_LABEL_FILES = ("labels.txt", "classes.txt", "class_names.txt", "label_names.txt", "codes.txt")
_COLOUR_FILES = ("class_dict.csv", "labelmap.txt", "label_colors.txt", "label_colours.txt", "colors.csv", "colours.csv")
_CLASSES = 256  # that a pixel of 8 bits can tell apart
_BYTES = 100_000
_COLOUR = re.compile(r"(?<!\d)(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})(?!\d)")


def find_labels(root: Path, given: str = "") -> tuple[tuple[str, ...], Path] | None:
    """The labels in the order of the class numbers, and their file: `given`, or labels.txt, classes.txt ... in `root`.

    Raises:
        InputError: if `given` is no file, two files name classes, or one names them as they cannot be.
    """
    path = _file(root, given, _LABEL_FILES, "data.classes")
    return None if path is None else (_labels(path), path)


def find_colours(root: Path, given: str = "") -> tuple[Mapping[int, str], Path] | None:
    """Colour -> label in the order of the file: `given`, or class_dict.csv, labelmap.txt ... in `root`.

    Each line holds three numbers from 0 to 255 and a name, in any order; a heading is passed over.

    Raises:
        InputError: if `given` is no file, two files give colours, or a line is none of these.
    """
    path = _file(root, given, _COLOUR_FILES, "data.colours")
    return None if path is None else (_colours(path), path)


def _file(root: Path, given: str, usual: tuple[str, ...], key: str) -> Path | None:
    if given:
        for path in (root / given, Path(given)):
            if path.is_file():
                return path
        raise InputError(f"setting {key}", "must be a file, in the folder of the data or by its path", given)
    found = [root / name for name in usual if (root / name).is_file()]
    if len(found) > 1:
        names = [path.name for path in found]
        raise InputError(root, "several files name classes", ", ".join(names), f"Give {key}={names[0]}, for example.")
    return found[0] if found else None


def _lines(path: Path) -> list[str]:
    try:
        return read_capped(path, _BYTES).decode("utf-8").splitlines()
    except UnicodeDecodeError as fault:
        raise InputError(path, "must be UTF-8", hint="Save it as UTF-8.") from fault


def _labels(path: Path) -> tuple[str, ...]:
    lines = _lines(path)
    known = check_labels(lines, path)
    if len(known) != len(lines) or set(known) != set(lines) or len(lines) > _CLASSES:
        rule = f"must name each of at most {_CLASSES} classes once, one per line"
        raise InputError(path, rule, f"{len(lines)} lines")
    return tuple(lines)


def _colours(path: Path) -> Mapping[int, str]:
    found: dict[int, str] = {}
    for number, line in enumerate(_lines(path), start=1):
        text, where = line.strip(), f"{path}, line {number}"
        if not text or text.startswith("#"):
            continue
        colour = _COLOUR.search(text)
        values = [int(each) for each in colour.groups()] if colour else []
        if colour is None or max(values) > 255:
            if number == 1 and not re.search(r"\d", text):
                continue  # a heading
            raise InputError(where, "must hold a name and three numbers from 0 to 255", text)
        name = f"{text[: colour.start()]} {text[colour.end() :]}".strip(" \t,;:\"'")
        key = colour_number(*values)
        if key in found:
            raise InputError(where, "a colour must have one name", ", ".join(map(str, values)))
        found[key] = check_label(name, where)
    if len(check_labels(found.values(), path)) != len(found) or len(found) > _CLASSES:
        raise InputError(path, f"must name each of at most {_CLASSES} classes once", f"{len(found)} colours")
    return found
