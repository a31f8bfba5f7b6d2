"""What stands in a cell of a table of files: the path of a file, or the name of a split."""

from __future__ import annotations

import os
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only

__all__ = ["resolve_listed_path", "split_of"]


def resolve_listed_path(base: Path, name: str, where: str) -> Path:
    """The file that a CSV in folder `base` calls `name`.

    Raises:
        InputError: naming `where`, if it is empty, or relative and outside `base`.
    """
    if not name.strip():
        raise InputError(where, "path must not be empty")
    path = Path(name)
    if path.is_absolute():
        return path
    if ".." in path.parts and not Path(os.path.normpath(base / path)).is_relative_to(base):
        raise InputError(where, "a relative path must stay in the CSV's folder", name, "Write the absolute path.")
    return base / path


@installed_only
def split_of(cell: str, where: str) -> str:
    """ "train", "validation" or "test" that a cell of the column `split` means.

    Raises:
        InputError: naming `where`, if it means none of them.
    """
    from dltk.edge.sources.labels import split_name

    split = split_name(cell)
    if split is None:
        raise InputError(where, "split must be train, validation or test", cell)
    return split
