"""The sessions of the runtimes that are installed: which there are, and one over the bytes of a model."""

from __future__ import annotations

from collections.abc import Collection
from importlib import metadata
from importlib.util import find_spec

import numpy as np

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.install import pip_extra, pip_install
from dltk.edge.runtime.port import RUNTIMES, Session

__all__ = ["available", "open_session", "install_hint"]

# First version built for NumPy 2; None: there is none. On NumPy 2 an older one fails, up to a segmentation fault.
_FOR_NUMPY_2 = {"ai_edge_litert": (1, 1), "onnxruntime": (1, 19), "tflite_runtime": None}
# Its interpreter raises AttributeError as soon as a number of threads is given, whatever the model and NumPy.
_BROKEN = {"ai_edge_litert": "1.1.0"}


def available() -> tuple[str, ...]:
    """The formats that a runtime is installed for. Nothing is imported."""
    return tuple(form for form, modules in RUNTIMES.items() if any(find_spec(module) for module in modules))


def install_hint(formats: Collection[str] = RUNTIMES) -> str:
    """What to do where none of `formats` has a runtime; it helps with dltk and without."""
    commands = [f"`{pip_extra(form)}`" for form in RUNTIMES if form in formats]
    return f"Run {' or '.join(commands)}."


def open_session(format: str, data: bytes, *, threads: int = 1) -> Session:
    """A session over the bytes of a "tflite" or "onnx" model, on the CPU with `threads` threads.

    Raises:
        EnvironmentFault: if the runtime is not installed, is broken, or was built for NumPy 1 and NumPy 2 is here.
        InputError: if the bytes are no model that it can load.
    """
    if format not in RUNTIMES:
        raise InputError(f"format {format!r}", f"must be one of {', '.join(RUNTIMES)}")
    if format not in available():
        raise EnvironmentFault(
            f"{format} models",
            f"need {' or '.join(RUNTIMES[format])}",
            hint=install_hint([format]),
        )
    _require_usable(next(module for module in RUNTIMES[format] if find_spec(module)))
    if format == "tflite":
        from dltk.edge.runtime.tflite import TfliteSession

        return TfliteSession(data, threads=threads)
    from dltk.edge.runtime.onnx import OnnxSession

    return OnnxSession(data, threads=threads)


def _require_usable(module: str) -> None:
    name = module.replace("_", "-")
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:  # built from source, under another name: nothing is known about it
        return
    if found == _BROKEN.get(module):
        hint = f"Run `{pip_install(name, upgrade=True)}`."
        raise EnvironmentFault(f"{name} {found}", "fails when the number of threads is set", hint=hint)
    if int(np.__version__.partition(".")[0]) < 2:
        return
    first = _FOR_NUMPY_2[module]
    if first is None or tuple(int(part) for part in found.split(".")[:3] if part.isdigit()) < first:
        newer = f" or `{pip_install(name, upgrade=True)}`" if first else ""
        hint = f"Run `{pip_install('numpy<2')}`{newer}."
        raise EnvironmentFault(f"{name} {found}", "needs NumPy 1", f"NumPy {np.__version__}", hint)
