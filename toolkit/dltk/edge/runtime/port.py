"""What a runtime must provide, and what its sessions share: float32 tensors in and out, whatever the file holds inside.

`dltk.edge.runtime.tflite` and `dltk.edge.runtime.onnx` implement `Session`; `dltk.edge.runtime.sessions` picks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, UsageError
from dltk.edge.bundle.signature import Signature

__all__ = [
    "MOST_THREADS",
    "RUNTIMES",
    "Port",
    "refuse_model_errors",
    "Session",
    "require_ports",
    "require_threads",
    "join_outputs",
    "to_port",
]

MOST_THREADS = 256  # each is a stack and a place in the scheduler; no model of a device gains by more

RUNTIMES = {  # format -> modules that run it, in order of preference
    "tflite": ("ai_edge_litert", "tflite_runtime"),
    "onnx": ("onnxruntime",),
}


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

        Args:
            tensors: input name -> numbers (n, ...), shaped as the port; they are cast to its dtype.

        Returns:
            output name -> (n, ...).

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


def require_ports(session: Session, signature: Signature, where: str) -> None:
    """Raise InputError unless the file's inputs and outputs are the signature's."""
    for kind, ports, specs in (
        ("inputs", session.inputs, signature.inputs),
        ("outputs", session.outputs, signature.outputs),
    ):
        found = {port.name: port.shape[1:] for port in ports}
        wanted = {spec.name: spec.shape[1:] for spec in specs}
        if set(found) != set(wanted):
            raise InputError(f"{where}: {kind}", f"must be {', '.join(sorted(wanted))}", ", ".join(sorted(found)))
        for name, shape in wanted.items():
            same = len(shape) == len(found[name]) and all(
                there in (None, size) for size, there in zip(shape, found[name], strict=True)
            )
            if not same:
                raise InputError(f"{where}: {kind}: {name}", f"must have shape {shape} per sample", found[name])


class refuse_model_errors:
    """Turns whatever a runtime throws over a damaged file (of no common class) into InputError.

    Raises:
        InputError: at the end of the block, in place of such an exception.
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, Exception) and not isinstance(fault, InputError):
            raise InputError("model", self._rule, str(fault)) from fault


def to_port(tensors: Mapping[str, NDArray[Any]], port: Port) -> NDArray[Any]:
    """The tensor (n, ...) for `port` out of `tensors`, checked, and quantized where the file wants that.

    Rounds halves to even; clips to the stored type's range.

    Raises:
        InputError: if it is missing, holds no numbers, or has another shape than the port.
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
    """What the model gave at `port`, as real numbers in the same shape: float32 where the file holds quantized ones."""
    if port.scale is None:
        return stored
    return ((stored.astype(np.int32) - port.zero_point) * np.float32(port.scale)).astype(np.float32)


def join_outputs(batches: list[list[NDArray[Any]]], ports: tuple[Port, ...]) -> dict[str, NDArray[Any]]:
    """Outputs of consecutive batches, in the order of `ports`, joined and made real: float32 where they are quantized.

    Args:
        batches: per batch one array (batch, ...) per port, as stored.

    Returns:
        output name -> (n, ...).
    """
    columns = zip(*batches, strict=True)
    return {port.name: from_port(np.concatenate(column), port) for port, column in zip(ports, columns, strict=True)}


def _words(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('batch' if size is None else str(size) for size in shape)})"
