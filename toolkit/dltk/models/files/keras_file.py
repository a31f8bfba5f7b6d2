"""Open an untrusted Keras model without executing its code."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dltk.base.archives import ARCHIVE_FAULTS
from dltk.base.errors import InputError
from dltk.base.files import parse_json, read_capped, scratch_folder, write_atomic
from dltk.models.files.extent import require_modest_activations
from dltk.models.files.foreign import checked_config, load_checked, serialized
from dltk.models.files.hdf5 import HDF5_FAULTS
from dltk.models.files.keras2 import drop_settings, require_same_activations

__all__ = ["answer_one_call", "open_keras", "read_model"]

_METADATA = 100_000  # bytes; Keras writes about 80


def open_keras(path: Path) -> Any:
    """The model in a .keras or .h5 file as a Keras 3 model, uncompiled, opened in safe mode.

    Files of Keras 3, and those .h5 files of Keras 2 whose layers Keras 3 still has.

    Raises:
        InputError: if it is no such file, damaged, or holds layers that are not Keras' own.
    """
    path = Path(path)
    data, config = read_model(path)
    settings = path.suffix != ".keras" and drop_settings(serialized(config))
    if not answer_one_call(serialized(config)) and not settings:
        return _load(path, path)
    with scratch_folder("dltk-open-") as scratch:
        copy = scratch / f"model{path.suffix}"
        write_atomic(copy, _with_config(data, config))
        return _load(copy, path)


def read_model(path: Path) -> tuple[bytes, Any]:
    """The bytes of a .keras or .h5 file and the model's configuration, looked through without TensorFlow.

    Raises:
        InputError: if it is no such file, damaged, or holds layers that are not Keras' own.
    """
    if path.is_dir():
        received, hint = "a folder", "Save the model with model.save('model.keras')."
        if (path / "recipe.json").is_file():
            typed = shlex.quote(str(path))
            received, hint = "a run", f"Use it with `dltk compress {typed}` or `dltk export {typed}`."
        elif (path / "saved_model.pb").is_file():
            received = "a SavedModel"
        raise InputError(path, "must be a .keras or .h5 file", received, hint)
    data = read_capped(path)  # a missing file is named as such
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise InputError(path, "must be a .keras or .h5 file", path.suffix or path.name)
    config = checked_config(data, path)
    if _keras_of(data).startswith("2."):
        require_same_activations(serialized(config), path)
    return data, config


def _keras_of(data: bytes) -> str:
    """The version of Keras that the file `data` records; "" if it records none."""
    stream = io.BytesIO(data)
    try:
        if not zipfile.is_zipfile(stream):
            import h5py

            with h5py.File(stream, "r") as opened:
                version = opened.attrs.get("keras_version", "")
            return version.decode() if isinstance(version, bytes) else str(version)
        with zipfile.ZipFile(stream) as archive:
            is_small = archive.getinfo("metadata.json").file_size <= _METADATA
            found = parse_json(archive.read("metadata.json"), "metadata.json") if is_small else None
        return str(found.get("keras_version", "")) if isinstance(found, dict) else ""
    except (InputError, *ARCHIVE_FAULTS, *HDF5_FAULTS):
        return ""


def _load(file: Path, path: Path) -> Any:
    """The model in `file`; messages name `path`, which the user gave."""
    from dltk.models.backend import require_tensorflow

    _, keras = require_tensorflow()
    try:
        model = load_checked(file)
    except Exception as fault:  # Keras raises many kinds; whatever it says, the file is what does not fit
        hint = "Keras 3 must be able to load it by itself."
        raise InputError(path, "must be a whole Keras model of Keras' own layers", _said(fault), hint) from fault
    if not getattr(model, "built", False) or not getattr(model, "inputs", None):
        raise InputError(
            path, "must be a Sequential or functional model with a known input shape", type(model).__name__
        )
    require_modest_activations(model, file.stat().st_size, path)
    ends = (getattr(model, "input", None), getattr(model, "output", None))
    if len(model.inputs) == len(model.outputs) == 1 and any(isinstance(end, list | tuple | dict) for end in ends):
        # Keras 2 wrote a lone input as a list, and people name theirs; Keras 3 then takes the tensor itself no more.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return model


def _said(fault: Exception) -> str:
    """The line of a message of Keras that names the reason; before it may stand a layer's whole configuration."""
    lines = str(fault).strip().splitlines() or [type(fault).__name__]
    mark = "Exception encountered: "
    return next((line.removeprefix(mark) for line in reversed(lines) if line.startswith(mark)), lines[0])


def _with_config(data: bytes, config: Any) -> bytes:
    """The .keras or HDF5 file `data` with `config` as the model's."""
    import h5py

    stream = io.BytesIO(data)
    if zipfile.is_zipfile(stream):
        made = io.BytesIO()
        with zipfile.ZipFile(stream) as old, zipfile.ZipFile(made, "w") as new:
            for name in old.namelist():
                new.writestr(name, json.dumps(config) if name == "config.json" else old.read(name))
        return made.getvalue()
    with h5py.File(stream, "r+") as opened:
        opened.attrs["model_config"] = json.dumps(config)
    return stream.getvalue()


_SHAPES = ("batch_shape", "batch_input_shape")


def answer_one_call(layers: Iterable[dict[str, Any]]) -> list[str]:
    """Take state between calls and fixed batch sizes out of the configurations of `layers`, in place.

    Args:
        layers: `{"class_name": ..., "config": {...}}`, as a model's configuration holds them.

    Returns:
        Names of the layers that were changed.
    """
    changed = []
    for layer in layers:
        config = layer.get("config")
        if not isinstance(config, dict):
            continue
        stateful = config.get("stateful") is True
        fixed = [key for key in _SHAPES if isinstance(config.get(key), list) and config[key][:1] not in ([], [None])]
        if stateful:
            config["stateful"] = False
        for key in fixed:
            config[key] = [None, *config[key][1:]]
        if stateful or fixed:
            changed.append(str(config.get("name", layer.get("class_name"))))
    return changed
