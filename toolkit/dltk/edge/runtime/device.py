"""Where latencies are measured: this machine, or (`dltk.remote`) one that ssh reaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.machine import machine
from dltk.edge.runtime.worker import WorkerResult, run_worker

__all__ = ["THIS_MACHINE", "Device"]


class Device(Protocol):
    """A machine that model files are timed on."""

    @property
    def machine(self) -> Mapping[str, Any]:
        """What `dltk.edge.runtime.machine` gives; with "host", how it was reached, where it is another machine."""

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
