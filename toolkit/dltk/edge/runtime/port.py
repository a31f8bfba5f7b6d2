"""One face for the runtimes: a model's bytes in, float32 tensors in and out, whatever the file holds inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError, UsageError
from dltk.base.install import pip_extra, pip_install

__all__ = [
    "MOST_THREADS",
    "RUNTIMES",
    "Port",
    "Refused",
    "Session",
    "available",
    "open_session",
    "remedy",
    "require_threads",
    "stack",
    "to_port",
]

MOST_THREADS = 256  # each is a stack and a place in the scheduler; no model of a device gains by more

RUNTIMES = {  # format -> modules that run it, in order of preference
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "onnx": ("onnxruntime",),
}

# First version built for NumPy 2; None: there is none. On NumPy 2 an older one fails, up to a segmentation fault.
_FOR_NUMPY_2 = {"ai_edge_litert": (1, 1), "onnxruntime": (1, 19), "tflite_runtime": None}
# Its interpreter raises AttributeError as soon as a number of threads is given, whatever the model and NumPy.
_BROKEN = {"ai_edge_litert": "1.1.0"}


@dataclass(frozen=True)
class Port:
    """One input or output as it stands in the file.

    Attributes:
        name: the signature's.
        dtype: NumPy's name; "int8" where the file takes or gives quantized numbers.
        shape: batch first, as None.
        scale, zero_point: real = scale * (stored - zero_point); None where the file holds plain numbers.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    scale: float | None = None
    zero_point: int = 0


class Session(Protocol):
    """A model that is ready to run. Safe to use from several threads at once."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def run(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Outputs of a batch of any size n >= 1; quantized ports are converted here, so callers see float32.

        Raises:
            InputError: if names or shapes do not fit, or the model fails while it runs.
        """

    def operators(self) -> dict[str, int]:
        """Operator name -> how often it stands in the main graph of the file."""

    def float_operators(self) -> dict[str, int]:
        """Those that give float32 when run, without conversions to and from integers: the part that is not integer."""

    def delegated_share(self) -> float | None:
        """Share of the file's operators that a delegate took (XNNPACK), or None where the runtime has none."""


def require_threads(threads: int) -> None:
    """Raise UsageError unless a runtime may be given so many threads."""
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise UsageError("threads", f"must be a whole number from 1 to {MOST_THREADS}", threads)


class Refused:
    """Turns whatever a runtime throws over a damaged file (of no common class) into InputError."""

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, Exception) and not isinstance(fault, InputError):
            raise InputError("model", self._rule, str(fault)) from fault


def available() -> tuple[str, ...]:
    """The formats that a runtime is installed for. Nothing is imported."""
    return tuple(form for form, modules in RUNTIMES.items() if any(find_spec(module) for module in modules))


def remedy(formats: Collection[str] = RUNTIMES) -> str:
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
            hint=remedy([format]),
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


def to_port(tensors: Mapping[str, NDArray[Any]], port: Port) -> NDArray[Any]:
    """The tensor for `port` out of `tensors`, checked, and quantized where the file wants that.

    Rounds halves to even; clips to the stored type's range.
    """
    if port.name not in tensors:
        raise InputError(f"input {port.name!r}", "must be given", sorted(tensors))
    found = np.asarray(tensors[port.name])
    if found.dtype.kind not in "biuf":
        raise InputError(f"input {port.name!r}", "must hold numbers", f"{found.dtype} values")
    fits = found.ndim == len(port.shape) and all(
        size in (None, there) for size, there in zip(port.shape, found.shape, strict=True)
    )
    if not fits or not len(found):
        raise InputError(f"input {port.name!r}", f"must have shape {_words(port.shape)}", found.shape)
    if port.scale is None:
        return np.ascontiguousarray(found, dtype=port.dtype)
    limits = np.iinfo(port.dtype)
    steps = np.rint(found / np.float32(port.scale)) + port.zero_point
    return np.ascontiguousarray(np.clip(steps, limits.min, limits.max).astype(port.dtype))


def from_port(stored: NDArray[Any], port: Port) -> NDArray[Any]:
    """What the model gave at `port`, as real numbers."""
    if port.scale is None:
        return stored
    return ((stored.astype(np.int32) - port.zero_point) * np.float32(port.scale)).astype(np.float32)


def stack(batches: list[list[NDArray[Any]]], ports: tuple[Port, ...]) -> dict[str, NDArray[Any]]:
    """Outputs of consecutive batches, in the order of `ports`, joined and made real."""
    columns = zip(*batches, strict=True)
    return {port.name: from_port(np.concatenate(column), port) for port, column in zip(ports, columns, strict=True)}


def _words(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('batch' if size is None else str(size) for size in shape)})"
