"""A TFLite file in TensorFlow Lite Micro, the runtime of microcontrollers, compared with LiteRT."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError, LimitError
from dltk.base.files import scratch_folder
from dltk.base.install import pip_extra
from dltk.edge.bundle.arrays import npz_bytes
from dltk.edge.runtime.port import Port, join_outputs, to_port
from dltk.validate import micro_child

__all__ = ["MicroResult", "micro_distance", "micro_runtime", "run_micro"]

_DISTRIBUTION = "tflite-micro"

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class MicroResult:
    """What a file did in TensorFlow Lite Micro.

    Attributes:
        outputs: name -> real numbers (n, ...).
        arena_bytes: memory for tensors that it ran in, on this machine and with the reference kernels.
    """

    outputs: dict[str, NDArray[Any]]
    arena_bytes: int


def micro_runtime() -> str:
    """Name and version of the interpreter.

    Raises:
        EnvironmentFault: if it is not installed.
    """
    try:
        return f"{_DISTRIBUTION} {version(_DISTRIBUTION)}"
    except PackageNotFoundError as fault:
        hint = f"Run `{pip_extra('micro')}` (Linux on x86-64)."
        rule = "are proven, and their memory measured, in tflite-micro, which is not installed"
        raise EnvironmentFault("C sources", rule, hint=hint) from fault


def run_micro(
    data: bytes,
    inputs: Sequence[Port],
    outputs: Sequence[Port],
    tensors: Mapping[str, NDArray[Any]],
    where: object,
    *,
    timeout: float = 600.0,
) -> MicroResult:
    """Run a TFLite file on input tensors, name -> (n, ...), in a child process.

    Args:
        inputs, outputs: as they stand in the file, in its order.
        where: what messages call the file.

    Raises:
        InputError: if it does not load or run there.
        LimitError: if it runs longer than `timeout` seconds.
        EnvironmentFault: if tflite-micro is not installed.
    """
    micro_runtime()
    fed = {str(place): to_port(tensors, port) for place, port in enumerate(inputs)}
    with scratch_folder("dltk-micro-") as folder:
        (folder / "model").write_bytes(data)
        (folder / "inputs.npz").write_bytes(npz_bytes(fed))
        command = [sys.executable, "-I", micro_child.__file__, str(folder), str(len(outputs))]
        try:
            done = subprocess.run(command, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired as fault:
            raise LimitError(where, f"must run in TensorFlow Lite Micro within {timeout:g} s") from fault
        if done.returncode:
            raise InputError(where, "must run in TensorFlow Lite Micro", _reason(folder, done.returncode))
        with np.load(folder / "outputs.npz", allow_pickle=False) as arrays:
            found = [arrays[str(place)] for place in range(len(outputs))]
        return MicroResult(join_outputs([found], tuple(outputs)), int((folder / "arena").read_text()))


def micro_distance(
    outputs: Outputs, wanted: Outputs, steps: Mapping[str, float], *, most_steps: int, tolerance: float
) -> dict[str, Any]:
    """How far `outputs` lie from what LiteRT gave, `wanted`, both name -> (n, ...), and how far they may.

    With `steps`, output name -> quantization step in real numbers: at most `most_steps`. Without: at most `tolerance` x
    max(1, largest output).

    Returns:
        {"measure": "steps" or "max_abs", "error", "tolerance", "passed"}.
    """
    differences = {name: float(np.abs(outputs[name] - values).max()) for name, values in wanted.items()}
    if steps:
        most = max(round(difference / steps[name]) for name, difference in differences.items())
        return {"measure": "steps", "error": most, "tolerance": most_steps, "passed": most <= most_steps}
    error, largest = max(differences.values()), max(float(np.abs(values).max()) for values in wanted.values())
    passed = error <= tolerance * max(1.0, largest)
    return {"measure": "max_abs", "error": error, "tolerance": tolerance, "passed": passed}


def _reason(folder: Path, code: int) -> str:
    """The interpreter's message, before Python's own."""
    log = folder / "log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    said, _, raised = text.partition("Traceback (most recent call last)")
    lines = [line.strip() for line in said.splitlines() if line.strip()] or raised.strip().splitlines()[-1:]
    return "; ".join(lines[:2]) or f"an end with code {code}"
