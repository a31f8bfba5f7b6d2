"""A Keras 3 model as the bytes of a .keras file that depend on the model alone."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from dltk.base.files import scratch_folder

__all__ = ["keras_bytes"]

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows


def keras_bytes(model: Any) -> bytes:
    """`model` as Keras saves it, without times and addresses: equal models give equal bytes.

    Keras' own `save` writes in place, and a kill during it leaves half a file; these bytes can be written atomically.
    """
    with scratch_folder("dltk-save-") as scratch:
        path = Path(scratch, "model.keras")
        model.save(path)
        return _deterministic_archive(path.read_bytes())


def _deterministic_archive(data: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            member = old.read(name)
            if name == "metadata.json":
                member = json.dumps(json.loads(member) | {"date_saved": ""}, sort_keys=True).encode()
            elif name == "config.json":
                member = json.dumps(_renumbered(json.loads(member), {})).encode()
            new.writestr(zipfile.ZipInfo(name, _DATE), member)
    return stream.getvalue()


def _renumbered(value: Any, numbers: dict[int, int]) -> Any:
    """`value` with the ids of shared objects, which Keras takes from memory addresses, counted from 1."""
    if isinstance(value, list):
        return [_renumbered(item, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renumbered(item, numbers) for key, item in value.items()}
    if isinstance(found.get("shared_object_id"), int):
        found["shared_object_id"] = numbers.setdefault(found["shared_object_id"], len(numbers) + 1)
    return found
