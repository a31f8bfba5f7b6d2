"""Where latencies are measured: this machine, or (`dltk.remote`) one that ssh reaches."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.worker import WorkerResult, run_worker

__all__ = ["Device", "THIS_MACHINE", "machine"]


class Device(Protocol):
    """A machine that model files are timed on."""

    @property
    def machine(self) -> Mapping[str, Any]:
        """As from `dltk.edge.runtime.device`; with "host", how it was reached, where it is another machine."""

    def run(self, artifact: bytes, format: str, signature: Signature, raws: NDArray[Any]) -> WorkerResult:
        """Predictions of `artifact` for raw samples (n, ...), and its time for one of them with one thread.

        The predictions are this machine's, `milliseconds` are the device's.

        Raises:
            InputError: if the file does not load or run, here or there.
            EnvironmentFault: if a runtime is missing, or the device is out of reach.
        """


class _ThisMachine:
    @property
    def machine(self) -> Mapping[str, Any]:
        return machine()

    def run(self, artifact: bytes, format: str, signature: Signature, raws: NDArray[Any]) -> WorkerResult:
        return run_worker(artifact, format, signature, raws, time=True)


THIS_MACHINE: Device = _ThisMachine()


_TELLING_FLAGS = (  # instruction sets that decide how fast integer kernels are, and on x86 whether U8S8 saturates
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "neon",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)


def machine() -> dict[str, Any]:
    """{"cpu", "architecture", "instructions", "threads"}; instructions are those that matter for inference."""
    fields = _cpuinfo()
    flags = (fields.get("flags") or fields.get("Features") or "").split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "instructions": [flag for flag in _TELLING_FLAGS if flag in flags],
        "threads": cores or 1,
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor's fields; empty where there is no /proc."""
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
