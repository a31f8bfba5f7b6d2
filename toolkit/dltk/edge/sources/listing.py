"""Lists labelled files, from one folder per class or from a CSV; decodes none of them, writes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.input.images.heif import require_decoder
from dltk.edge.input.soundfiles import require_decoder as require_sound_decoder
from dltk.edge.sources.boxes import boxes_in, no_boxes, require_no_box_columns
from dltk.edge.sources.groups import group_reader
from dltk.edge.sources.kinds import IMAGES, SOUNDS, FileKind
from dltk.edge.sources.listings.folders import list_folder
from dltk.edge.sources.listings.found import Layout, Listing, with_sound_classes
from dltk.edge.sources.listings.split_tables import list_split_tables, split_tables
from dltk.edge.sources.listings.tables import list_table, read_listed

__all__ = ["Layout", "Listing", "list_files"]

_AS_FOUND = Layout()


def list_files(
    source: str | Path, kind: FileKind = IMAGES, *, group: str | None = None, group_pattern: str | None = None,
    multi_label: bool = False, least_classes: int = 2, layout: Layout = _AS_FOUND
) -> Listing:  # fmt: skip
    """The files of `source`: a folder with one subfolder per class (also inside folders of splits), or a CSV.

    In a folder, a file whose suffix is not one of `kind` is passed over and named; so is one without a suffix that does
    not begin like one. With fewer than two `least_classes`, class folders may be empty: a finished model is scored.

    The CSV has columns `path` and `label`, or such that can be found or are named in `layout`; it may have `split`, and
    a column called `group` if that is given. Its relative paths start at the CSV's folder and stay inside it; a file
    elsewhere is named by its absolute path. With `multi_label` a cell holds labels separated by `|`, or nothing.

    `group_pattern` takes a file's group from its name without the suffix: `{group}` stands for the group, `*` for
    anything, as little as possible: `*_{group}_*` finds "ann" in `yes_ann_03.wav`. So does the `group` `name:1`: that
    part of the name, split at _ and - and counted from 0.

    Raises:
        InputError: if `source` has another layout, or one that can be read in two ways, holds boxes, labels that cannot
            be (see `check_labels`), or a name that `group_pattern` does not fit.
        EnvironmentFault: if a HEIC image, a FLAC or an Ogg recording is among them, and its extra is missing.
    """
    path, read_group = Path(source), group_reader(group, group_pattern)
    if read_group is not None:
        group = None
    if path.is_dir():
        found = _of_folder(path, kind, layout, group, multi_label, least_classes)
    elif not path.exists():
        raise InputError(path, "must exist", hint="Check the path.")
    else:
        if path.suffix.lower() != ".csv" and (boxes := boxes_in(path)):
            raise no_boxes(path, boxes)
        table, notes = read_listed(path, layout)
        require_no_box_columns(table.header, path)
        found = list_table(table, kind, layout, group=group, multi_label=multi_label, least_classes=least_classes)
        found = replace(found, dialect=table.dialect, notes=(*notes, *found.notes))
    found = with_sound_classes(found, layout, path, least_classes=least_classes)
    if kind is IMAGES:
        require_decoder(found.paths)  # before thousands of other files are decoded
    if kind is SOUNDS:
        require_sound_decoder(found.paths)
    return found if read_group is None else replace(found, groups=tuple(map(read_group, found.names)))


def _of_folder(
    path: Path, kind: FileKind, layout: Layout, group: str | None, multi_label: bool, least_classes: int
) -> Listing:
    try:
        if not group and (tables := split_tables(path)):
            return list_split_tables(path, tables, kind, layout, multi_label=multi_label, least_classes=least_classes)
        for wish, name in ((group, "data.group"), (multi_label, "data.multi_label")):
            if wish:
                hint = "Give a CSV with columns path,label."
                hint = hint if name != "data.group" else f"{hint[:-1]}, or name a part of the file names: name:0."
                raise InputError(name, "needs a CSV", f"the folder {path}", hint)
        return list_folder(path, kind, layout, least_classes=least_classes)
    except OSError as fault:
        raise InputError(fault.filename or path, "must be a readable folder", fault.strerror) from fault
    except InputError as fault:
        if boxes := boxes_in(path):
            raise no_boxes(path, boxes) from fault
        raise
