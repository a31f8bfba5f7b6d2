"""Opens an untrusted Keras model: checked first, then opened in safe mode, no larger than its file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dltk.base.archives import ARCHIVE_FAULTS, require_modest_archive
from dltk.base.errors import InputError
from dltk.models.files.extent import require_few_layers
from dltk.models.files.hdf5 import HDF5_FAULTS, require_plain_hdf5

__all__ = ["checked_config", "load_checked", "serialized"]

_LIMIT = 4_000_000_000  # bytes of all members of a .keras file, unpacked
_CONFIG_LIMIT = 64_000_000
_WEIGHTS = "model.weights.h5"
_RUNS_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")  # layers that hold somebody's code
_OWN_MODULES = ("keras", "builtins")


def checked_config(data: bytes, path: Path) -> Any:
    """The configuration in the bytes of a .keras or .h5 file, once the whole file has been looked through.

    Raises:
        InputError: if the file is damaged, leads out of itself, unpacks to much more than it is, or names code or
            layers that are not Keras' own.
    """
    is_archive = path.suffix == ".keras"
    config = _of_archive(data, path) if is_archive else _of_hdf5(data, path)
    require_few_layers(config, path)
    if is_archive and isinstance(config, dict):
        config["compile_config"] = None  # loss, metrics and optimizer: the model is opened without them
    _refuse_code(config, path, strict=is_archive)
    return config


def load_checked(file: Path) -> Any:
    """The model in `file`, which `checked_config` has passed, uncompiled. Keras raises many kinds of errors.

    Keras would make every weight that the configuration asks for before it looks at those in the file: a line
    of JSON can ask for terabytes. Here weights are promised, compared with the file, and made only then.
    """
    import keras
    from keras.src.backend.common import global_state

    with keras.StatelessScope(initialize_variables=False) as scope:
        try:
            model = keras.saving.load_model(file, compile=False, safe_mode=True)
        except BaseException:
            # Promises stay with Keras, and whoever builds a model next would have them made.
            global_state.set_global_attribute("uninitialized_variables", [])
            raise
    with keras.StatelessScope():
        pass  # the end of a scope makes what was promised
    for variable in getattr(model, "variables", ()):
        value = scope.get_current_value(variable)
        if value is not None:
            variable.assign(value)
    return model


def serialized(config: Any) -> Iterator[dict[str, Any]]:
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


def _of_archive(data: bytes, path: Path) -> Any:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_modest_archive(archive, path, packed=len(data), limit=_LIMIT)
            member = archive.getinfo("config.json")
            if member.file_size > _CONFIG_LIMIT:
                raise InputError(f"{path}: config.json", f"must be at most {_CONFIG_LIMIT} bytes", member.file_size)
            config = json.loads(archive.read(member))
            if _WEIGHTS in archive.namelist():
                require_plain_hdf5(io.BytesIO(archive.read(_WEIGHTS)), f"{path}: {_WEIGHTS}")
            return config
    except ARCHIVE_FAULTS as fault:
        raise InputError(path, "must be a whole .keras file", str(fault)) from fault


def _of_hdf5(data: bytes, path: Path) -> Any:
    import h5py

    require_plain_hdf5(io.BytesIO(data), path)
    try:
        with h5py.File(io.BytesIO(data), "r") as opened:
            text = opened.attrs.get("model_config")
            if text is None:
                hint = "It may hold weights only: save the whole model with model.save()."
                raise InputError(path, "must hold a whole model", "no model_config", hint)
            return json.loads(text)
    except HDF5_FAULTS as fault:
        raise InputError(path, "must be a whole HDF5 file", str(fault)) from fault


def _refuse_code(config: Any, path: Path, *, strict: bool) -> None:
    hint = "Rebuild it from Keras' own layers; dltk runs no code out of a model file."
    for item in serialized(config):
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
