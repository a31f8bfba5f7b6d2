"""Recognizes data of object detection, which no recipe reads: COCO, YOLO, Pascal VOC, tables of boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import open_regular

__all__ = ["boxes_in", "no_boxes", "require_no_box_columns"]

_DEEPEST, _MOST_ENTRIES, _EACH = 3, 2_000, 5  # how far a folder is searched; files looked into, of each kind
_READ = 1_000_000  # bytes of a file that are looked at
_YOLO_LINE = re.compile(rb"\d{1,4}(?: +\d*\.?\d+(?:e-?\d+)?){4,}\s*")
_CORNERS = ({"xmin", "ymin", "xmax", "ymax"}, {"x1", "y1", "x2", "y2"}, {"x_min", "y_min", "x_max", "y_max"}, {"bbox"})
_HINT = "Give a folder with one subfolder per class, or a CSV path,label, or images with masks."


def no_boxes(where: object, kind: str) -> InputError:
    """The error for data of the `kind` that `boxes_in` found."""
    return InputError(where, "these are boxes, and no recipe of dltk detects objects yet", kind, _HINT)


def boxes_in(source: Path) -> str | None:
    """What kind of boxes a file or folder holds: "COCO (annotations.json)"; None where it holds none.

    Only the beginnings of a few files are read. It never raises: what cannot be read is no box.
    """
    try:
        files = list(_files(source)) if source.is_dir() else [source] if source.is_file() else []
        for suffixes, test, kind in (
            ((".json",), _is_coco, "COCO"),
            ((".xml",), _is_voc, "Pascal VOC"),
            ((".txt",), _is_yolo, "YOLO"),
        ):
            chosen = [path for path in files if path.suffix.lower() in suffixes and path.name != "classes.txt"]
            for path in chosen[:_EACH]:
                if test(_beginning(path)):
                    shown = path.relative_to(source) if path != source else path.name
                    return f"{kind} ({shown})"
    except (InputError, OSError):
        pass
    return None


def require_no_box_columns(header: Sequence[str], where: object) -> None:
    """Raise InputError if the columns of a table are corners of boxes."""
    names = {name.strip().casefold() for name in header}
    for corners in _CORNERS:
        if corners <= names:
            raise no_boxes(where, f"the columns {', '.join(sorted(corners))}")


def _files(root: Path) -> Iterator[Path]:
    """Files of `root` and of the folders in it, a few thousand at most."""
    places, seen = [(root, 0)], 0
    for folder, depth in places:
        for entry in sorted(folder.iterdir())[:_MOST_ENTRIES]:
            seen += 1
            if seen > 10 * _MOST_ENTRIES:
                return
            if entry.is_dir() and not entry.is_symlink() and depth < _DEEPEST and not entry.name.startswith("."):
                places.append((entry, depth + 1))
            elif entry.is_file():
                yield entry


def _beginning(path: Path) -> bytes:
    with open_regular(path, follow_links=True) as stream:
        return stream.read(_READ)


def _is_coco(data: bytes) -> bool:
    if b'"bbox"' in data:
        return True
    return all(f'"{key}"'.encode() in data for key in ("images", "annotations", "categories"))


def _is_voc(data: bytes) -> bool:
    return b"<annotation" in data[:500] and (b"<bndbox" in data or b"<object" in data)


def _is_yolo(data: bytes) -> bool:
    lines = [line for line in data.splitlines()[:20] if line.strip()]
    return bool(lines) and all(_YOLO_LINE.fullmatch(line) for line in lines)
