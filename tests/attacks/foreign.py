"""Hostile Keras files, weights and Runs, through the commands of a workstation."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from attacks.kit import Attack, Case, Place
from attacks.parts import npy, npz_of

__all__ = ["FOREIGN", "RUNS"]

Config = dict[str, Any]


def _adopt(name: str, says: str) -> Case:
    return Case(("adopt", name, "--recipe", "cnn", "--data", "digits", "--run", "run"), says)


def _layer(kind: str, config: Config, **more: Any) -> Config:
    """A layer as the functional API writes it, between the input and the dense one."""
    return {"class_name": kind, "config": {"name": "evil", **config}, **more}


def _keras(make: Callable[[Config, Place], Config | None], says: str) -> Callable[[Path], Attack]:
    """A sound .keras file whose configuration `make` has changed, or replaced."""

    def of(sound: Path) -> Attack:
        def attack(place: Place) -> Case:
            with zipfile.ZipFile(sound) as archive:
                members = {name: archive.read(name) for name in archive.namelist()}
            config = json.loads(members["config.json"])
            config = make(config, place) or config
            members["config.json"] = json.dumps(config).encode()
            with zipfile.ZipFile(place.inside / "model.keras", "w") as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
            return _adopt("model.keras", says)

        return attack

    return of


def _instead(layer: Callable[[Place], Config]) -> Callable[[Config, Place], None]:
    """The second layer becomes another one."""

    def change(config: Config, place: Place) -> None:
        config["config"]["layers"][1] |= layer(place)

    return change


def _touch(place: Place) -> str:
    return f"open({str(place.canary)!r}, 'w')"


def _lambda(place: Place) -> Config:
    """Bytecode that makes the canary, as Keras 3 writes a lambda."""
    import base64
    import marshal

    code = compile(f"lambda x: {_touch(place)}", "x", "eval").co_consts[0]
    packed = {"class_name": "__lambda__", "config": {"code": base64.b64encode(marshal.dumps(code)).decode()}}
    return _layer("Lambda", {"function": packed}, module="keras.layers")


def _raw(change: Callable[[Path, Place], object], says: str) -> Callable[[Path], Attack]:
    """Any .keras file."""

    def of(sound: Path) -> Attack:
        def attack(place: Place) -> Case:
            path = place.inside / "model.keras"
            shutil.copy(sound, path)
            change(path, place)
            return _adopt("model.keras", says)

        return attack

    return of


def _add(name: Callable[[Place], str], data: bytes) -> Callable[[Path, Place], None]:
    def change(path: Path, place: Place) -> None:
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name(place), data)

    return change


def _weights(change: Callable[[Any, Place], object], says: str) -> Callable[[Path], Attack]:
    """An .h5 file that `change` has worked on, opened."""

    def of(sound: Path) -> Attack:
        def attack(place: Place) -> Case:
            import h5py

            path = place.inside / "model.h5"
            shutil.copy(sound.with_suffix(".h5"), path)
            with h5py.File(path, "a") as opened:
                change(opened, place)
            return _adopt("model.h5", says)

        return attack

    return of


def _config_of(change: Callable[[Config, Place], object]) -> Callable[[Any, Place], None]:
    def work(opened: Any, place: Place) -> None:
        config = json.loads(opened.attrs["model_config"])
        change(config, place)
        opened.attrs["model_config"] = json.dumps(config)

    return work


def _external(opened: Any, place: Place) -> None:
    import h5py

    outside = [(str(place.secret), 0, h5py.h5f.UNLIMITED)]
    opened["model_weights"].create_dataset("elsewhere", (100,), "f4", external=outside)


def _external_link(opened: Any, place: Place) -> None:
    import h5py

    opened["model_weights/elsewhere"] = h5py.ExternalLink(str(place.secret), "/x")


def _loop(opened: Any, place: Place) -> None:
    import h5py

    opened["model_weights/again"] = h5py.SoftLink("/model_weights")


def _virtual(opened: Any, place: Place) -> None:
    import h5py

    layout = h5py.VirtualLayout((100,), "f4")
    layout[:] = h5py.VirtualSource(str(place.secret), "x", (100,))
    opened["model_weights"].create_virtual_dataset("elsewhere", layout)


def _terabytes(opened: Any, place: Place) -> None:
    opened["model_weights"].create_dataset("large", (10**12,), "f4", chunks=(1000,))


_CALL = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
_DEEP = '{"class_name": "Functional", "config": ' + "[" * 100_000 + "]" * 100_000 + "}"


def _called(place: Place) -> Config:
    return _layer("Activation", {"activation": _CALL}, module="keras.layers")


def _wide(units: int) -> Callable[[Config, Place], None]:
    def change(config: Config, place: Place) -> None:
        config["config"]["layers"][-1]["config"]["units"] = units

    return change


def _deep_config(path: Path, place: Place) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", _DEEP)


# Name -> an attack by a model file, made of a sound .keras file with its .h5 beside it.
FOREIGN: Mapping[str, Callable[[Path], Attack]] = {
    "keras-lambda": _keras(_instead(_lambda), "must not hold code"),
    "keras-function-of-os": _keras(_instead(_called), "must be one of Keras' own classes"),
    "keras-class-of-os": _keras(
        _instead(lambda place: _layer("system", {"command": f"touch {place.canary}"}, module="os")),
        "must be one of Keras' own classes",
    ),
    "keras-registered-class": _keras(
        _instead(lambda place: _layer("Evil", {}, module=None, registered_name="pack>Evil")),
        "must be one of Keras' own classes",
    ),
    "keras-saved-model-layer": _keras(
        _instead(lambda place: _layer("TFSMLayer", {"filepath": str(place.secret.parent)}, module="keras.layers")),
        "must not hold code",
    ),
    "keras-file-getter": _keras(
        _instead(
            lambda place: _layer(
                "Activation",
                {"activation": {"module": "keras.utils", "class_name": "function", "config": "get_file"}},
                module="keras.layers",
            )
        ),
        "model.keras",
    ),
    "keras-wide-layer": _keras(_wide(10**9), "must have the shape (batch, 10)"),
    "keras-endless-layer": _keras(_wide(10**30), "must have the shape (batch, 10)"),
    "keras-deep": _raw(_deep_config, "must be a whole .keras file"),
    "keras-zip-slip": _raw(_add(lambda place: f"../../..{place.canary}", b"x"), "must not lead out of it"),
    "keras-bomb": _raw(_add(lambda place: "assets/zeros", bytes(10**9)), "model.keras"),
    "keras-is-a-pickle": _raw(lambda path, place: path.write_bytes(pickle.dumps(os.getcwd)), "must be a whole"),
    "h5-lambda": _weights(_config_of(_instead(_lambda)), "must not hold code"),
    "h5-external-storage": _weights(_external, "must not read data out of other files"),
    "h5-external-link": _weights(_external_link, "must not link to other files"),
    "h5-virtual": _weights(_virtual, "must not"),
    "h5-loop": _weights(_loop, "must not link"),
    "h5-terabytes": _weights(_terabytes, "model.h5"),
    "h5-wide-layer": _weights(_config_of(_wide(10**9)), "must have the shape (batch, 10)"),
}


# --- Runs


def _pickled(place: Place) -> bytes:
    call = b"cos\nsystem\n(S'touch " + os.fsencode(place.canary) + b"'\ntR."
    return npz_of(npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", call), "raws.npy")


def _run(word: str, says: str, change: Callable[[Path, Place], object]) -> Callable[[Path], Attack]:
    """A compressed Run that `change` has worked on."""

    def of(sound: Path) -> Attack:
        def attack(place: Place) -> Case:
            shutil.copytree(sound, place.inside / "run")
            change(place.inside / "run", place)
            return Case((word, "run", *(("--out", "out") if word == "export" else ())), says)

        return attack

    return of


def _put(file: str, data: Callable[[Place], bytes], word: str = "export") -> Callable[[Path], Attack]:
    return _run(word, file, lambda run, place: (run / file).write_bytes(data(place)))


def _bomb(place: Place) -> bytes:
    stream = BytesIO()
    np.savez_compressed(stream, raws=np.zeros((10**8, 3), np.uint8), targets=np.zeros(1))
    return stream.getvalue()


def _linked(run: Path, place: Place) -> None:
    (run / "evaluation.npz").unlink()
    (run / "evaluation.npz").symlink_to(place.secret)


def _deep(place: Place) -> bytes:
    return b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


RUNS: Mapping[str, Callable[[Path], Attack]] = {  # the same, made of a compressed Run
    "run-pickle": _put("evaluation.npz", _pickled),
    "run-plan-pickle": _put("quantization.npz", _pickled),
    "run-bomb": _put("evaluation.npz", _bomb),
    "run-link": _run("export", "evaluation.npz", _linked),
    "run-deep": _put("recipe.json", _deep),
    "run-model-is-a-pickle": _put("model.keras", lambda place: pickle.dumps(os.getcwd)),
    "run-report-deep": _put("report.json", _deep, "report"),
}
