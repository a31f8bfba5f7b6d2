"""Open an untrusted Keras model without executing its code."""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import read_capped, scratch_folder
from dltk.models.files.config import (
    drop_settings,
    make_stateless,
    require_own_layers,
    require_same_activations,
    serialized,
)
from dltk.models.files.container import contents
from dltk.models.files.extent import require_modest_activations

__all__ = ["load_checked", "open_keras", "read_model"]


def open_keras(path: Path) -> Any:
    """The model in a .keras or .h5 file as a Keras 3 model, uncompiled, opened in safe mode.

    Files of Keras 3, and those .h5 files of Keras 2 whose layers Keras 3 still has.

    Raises:
        InputError: if it is no such file, damaged, or holds layers that are not Keras' own.
    """
    path = Path(path)
    data, config = read_model(path)
    settings = path.suffix != ".keras" and drop_settings(serialized(config))
    with ExitStack() as stack:
        file = path
        if make_stateless(serialized(config)) or settings:
            file = stack.enter_context(scratch_folder("dltk-open-")) / f"model{path.suffix}"
            file.write_bytes(_with_config(data, config))
        return _load(file, path)


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
    found = contents(data, path)
    require_own_layers(found.config, path)
    if found.keras.startswith("2."):
        require_same_activations(serialized(found.config), path)
    return data, found.config


def load_checked(file: Path) -> Any:
    """The model in `file`, which `read_model` has passed, uncompiled. Keras raises many kinds of errors.

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


def _load(file: Path, path: Path) -> Any:
    """The model in `file`; messages name `path`, which the user gave."""
    from dltk.models.backend import require_tensorflow

    _, keras = require_tensorflow()
    try:
        model = load_checked(file)
    except Exception as fault:  # Keras raises many kinds; whatever it says, the file is what does not fit
        hint = "Keras 3 must be able to load it by itself."
        raise InputError(path, "must be a whole Keras model of Keras' own layers", _reason_line(fault), hint) from fault
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


def _reason_line(fault: Exception) -> str:
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
