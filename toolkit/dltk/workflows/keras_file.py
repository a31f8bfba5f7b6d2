"""Open a Keras model that somebody brings, without running anything of theirs."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import read_capped, write_atomic
from dltk.workflows.keras2 import drop_settings

__all__ = ["open_keras"]

_LIMIT = 4_000_000_000  # bytes
_CONFIG_LIMIT = 64_000_000
_RUNS_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")  # layers that hold somebody's code
_OWN_MODULES = ("keras", "builtins")


def open_keras(path: Path) -> Any:
    """The model in a .keras or .h5 file as a Keras 3 model, uncompiled, opened in safe mode.

    Files of Keras 3, and those .h5 files of Keras 2 whose layers Keras 3 still has.

    Raises:
        InputError: if it is no such file, damaged, or holds layers that are not Keras' own.
    """
    path = Path(path)
    if path.is_dir():
        hint = "Save the model with model.save('model.keras')."
        raise InputError(path, "must be a .keras or .h5 file", "a folder (a SavedModel?)", hint)
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        read_capped(path, _LIMIT)  # a missing file is named as such
        raise InputError(path, "must be a .keras or .h5 file", path.suffix or path.name)
    data = read_capped(path, _LIMIT)
    config = _keras_config(data, path) if path.suffix == ".keras" else _h5_config(data, path)
    _refuse_code(config, path, strict=path.suffix == ".keras")
    if path.suffix == ".keras" or not drop_settings(_objects(config)):
        return _load(path, path)
    with tempfile.TemporaryDirectory(prefix="dltk-open-") as scratch:
        copy = Path(scratch, "model.h5")
        write_atomic(copy, _with_config(data, config))
        return _load(copy, path)


def _load(file: Path, path: Path) -> Any:
    """The model in `file`; messages name `path`, which the user gave."""
    from dltk.training import require_tensorflow

    _, keras = require_tensorflow()
    try:
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except Exception as fault:  # Keras raises many kinds; whatever it says, the file is what does not fit
        hint = "Keras 3 must be able to load it by itself."
        raise InputError(path, "must be a whole Keras model of Keras' own layers", _said(fault), hint) from fault
    if not getattr(model, "built", False) or not getattr(model, "inputs", None):
        raise InputError(
            path, "must be a Sequential or functional model with a known input shape", type(model).__name__
        )
    if len(model.inputs) == len(model.outputs) == 1 and isinstance(getattr(model, "input", None), list | tuple):
        # Keras 2 wrote a lone input as a list; Keras 3 then warns whenever the model is called with the tensor itself.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def _said(fault: Exception) -> str:
    """The line of a message of Keras that names the reason; before it may stand a layer's whole configuration."""
    lines = str(fault).strip().splitlines() or [type(fault).__name__]
    mark = "Exception encountered: "
    return next((line.removeprefix(mark) for line in reversed(lines) if line.startswith(mark)), lines[0])


def _keras_config(data: bytes, path: Path) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = archive.getinfo("config.json")
            if member.file_size > _CONFIG_LIMIT:
                raise InputError(f"{path}: config.json", f"must be at most {_CONFIG_LIMIT} bytes", member.file_size)
            return json.loads(archive.read(member))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, OSError, NotImplementedError) as fault:
        raise InputError(path, "must be a whole .keras file", str(fault)) from fault


def _h5_config(data: bytes, path: Path) -> Any:
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as opened:
            _refuse_links(opened, path, h5py)
            text = opened.attrs["model_config"]
            return json.loads(text)
    except KeyError as fault:
        hint = "It may hold weights only: save the whole model with model.save()."
        raise InputError(path, "must hold a whole model", "no model_config", hint) from fault
    except (OSError, ValueError, RecursionError, RuntimeError) as fault:
        raise InputError(path, "must be a whole HDF5 file", str(fault)) from fault


def _with_config(data: bytes, config: Any) -> bytes:
    """The HDF5 file `data` with `config` as the model's."""
    import h5py

    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as opened:
        opened.attrs["model_config"] = json.dumps(config)
    return stream.getvalue()


def _refuse_links(group: Any, path: Path, h5py: Any) -> None:
    """External and soft links would read what stands elsewhere on this machine."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise InputError(path, "must not link to other files", f"{type(link).__name__} {name!r}")
        if isinstance(group[name], h5py.Group):
            _refuse_links(group[name], path, h5py)


def _refuse_code(config: Any, path: Path, *, strict: bool) -> None:
    hint = "Rebuild it from Keras' own layers; dltk runs no code out of a model file."
    for item in _objects(config):
        kind, module = item.get("class_name"), item.get("module")
        named = (item.get("config") or {}).get("name") if isinstance(item.get("config"), dict) else None
        name = named or kind
        if kind in _RUNS_CODE:
            raise InputError(f"{path}: layer {name!r}", "must not hold code", kind, hint)
        custom = isinstance(module, str) and module.partition(".")[0] not in _OWN_MODULES
        if strict and (custom or _is_custom(item)):
            received = f"{module}.{kind}" if module else item.get("registered_name")
            raise InputError(f"{path}: {name!r}", "must be one of Keras' own classes", received, hint)


def _is_custom(item: dict[str, Any]) -> bool:
    """Keras writes `registered_name` with a package for what is not its own: "package>Class"."""
    return item.get("module") is None and ">" in str(item.get("registered_name") or "")


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Every serialized object in `config`; a stack, since files may nest as deep as they like."""
    waiting = [config]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            if "class_name" in item:
                yield item
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
