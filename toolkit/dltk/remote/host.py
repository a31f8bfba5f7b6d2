"""A machine behind ssh, as one of those that model files are timed on."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault
from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.worker import WorkerResult, run_worker
from dltk.remote.agent import ASSET
from dltk.remote.answers import TIMES, Form
from dltk.remote.link import Link
from dltk.remote.wire import pack

__all__ = ["Host", "connect"]

_RUNTIMES = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}


class Host:
    """A machine behind ssh, ready to measure; a `dltk.edge.runtime.device.Device`.

    Attributes:
        machine: as from `dltk.edge.runtime.machine` there, with "host".
        runtimes: the formats that it has a runtime for.

    Raises:
        EnvironmentFault: if NumPy is not installed there.
    """

    def __init__(self, link: Link, progress: Progress) -> None:
        self._link, self._progress = link, progress
        self._taken: dict[tuple[str, str], dict[str, float]] = {}
        python, has_numpy, machine, runtimes = (
            link.greeting[key] for key in ("python", "numpy", "machine", "runtimes")
        )
        self.machine: Mapping[str, Any] = {**machine, "host": link.host}
        self.runtimes: tuple[str, ...] = tuple(runtimes)
        if not has_numpy:
            raise self._missing_on_host("NumPy", f"Python {python} without it", _RUNTIMES["tflite"])

    def require(self, *formats: str) -> None:
        """Raise EnvironmentFault if no runtime for any of `formats` is installed there."""
        if not set(formats) & set(self.runtimes):
            received = ", ".join(self.runtimes) or "none"
            raise self._missing_on_host(f"a runtime for {' or '.join(formats)}", received, _RUNTIMES[formats[0]])

    def ask(self, head: Mapping[str, Any], form: Form, files: Mapping[str, bytes] | None = None) -> dict[str, Any]:
        """The result of a request to `dltk.remote.agent`, with files that go along; for Raises see `Link.ask`."""
        return self._link.ask(head, form, pack(files or {}), progress=self._progress if files else SILENT)

    def run(self, artifact: bytes, format: str, signature: Signature, raws: NDArray[Any]) -> WorkerResult:
        """See `Device.run`; `raws` (n, ...). A file is sent and measured once, however often it is asked for."""
        self.require(format)
        result = run_worker(artifact, format, signature, raws)
        key = (sha256(artifact), format)
        if key not in self._taken:
            self._taken[key] = self._time(artifact, format, signature, raws[:1])
        return replace(result, milliseconds=self._taken[key], memory=None)

    def _time(self, artifact: bytes, format: str, signature: Signature, raws: NDArray[Any]) -> dict[str, float]:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(raws), allow_pickle=False)
        assets = {f"{ASSET}{name}": data for name, data in signature.assets.items()}
        head = {"op": "time", "format": format, "signature": signature.as_dict()}
        found = self.ask(head, TIMES, {"model": artifact, "raws.npy": stream.getvalue(), **assets})
        return {name: float(found[name]) for name in TIMES}

    def _missing_on_host(self, what: str, received: str, runtime: str) -> EnvironmentFault:
        install = f"python3 -m venv env && env/bin/pip install 'numpy>=1.24,<3' {runtime}"
        hint = f"Run there: {install}. Then give --remote-python env/bin/python."
        return EnvironmentFault(self._link.host, f"needs {what}", received, hint)


@contextmanager
def connect(host: str, *, python: str = "python3", progress: Progress = SILENT) -> Iterator[Host]:
    """The machine that `ssh HOST` reaches, for as long as the block runs; its folder there goes at the end.

    Args:
        host: USER@HOST, or a name of the user's ssh configuration.
        python: the program there: Python 3.11 or newer, with NumPy and a runtime.

    Raises:
        UsageError: if `host` or `python` is none.
        EnvironmentFault: if the machine is out of reach, or lacks something; the message names what to install.
    """
    with closing(Link(host, python)) as link:
        yield Host(link, progress)
