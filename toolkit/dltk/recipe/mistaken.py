"""What people give in the place of a run, and what to do with it."""

from __future__ import annotations

import shlex
from pathlib import Path

from dltk.base.errors import InputError
from dltk.edge.manifest import MANIFEST

__all__ = ["require_nothing_else"]

_ZIP, _MODELS = b"PK\3\4", (".keras", ".h5", ".hdf5")
_OF_BUNDLE = "Give the run that it was exported from; `dltk validate`, `predict`, `bench` and `report` take bundles."


def require_nothing_else(path: Path) -> None:
    """Raise InputError, saying what it is, where something that is no run stands at `path`."""
    if (path / MANIFEST).is_file():
        raise InputError(path, "must be a run, and is a bundle", hint=_OF_BUNDLE)
    if not path.is_file():
        return
    if path.suffix in _MODELS:
        hint = f"Make a run of it: dltk adopt {shlex.quote(str(path))} --recipe RECIPE --data DATA."
        raise InputError(path, "must be a run, and is a model file", hint=hint)
    try:
        with path.open("rb") as stream:
            is_archive = stream.read(len(_ZIP)) == _ZIP
    except OSError as fault:  # no permission, a damaged disk, /proc/self/mem
        raise InputError(path, "must be a run, and is a file that cannot be read", fault.strerror) from fault
    if is_archive:
        raise InputError(path, "must be a run, and is an archive, such as of a bundle", hint=_OF_BUNDLE)
    raise InputError(path, "must be a run, and is a file", hint="A run is a folder that `dltk finetune` makes.")
