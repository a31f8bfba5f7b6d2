"""dltk's light part on the other machine: requests from standard input, replies to standard output.

Started by `bootstrap` in a folder of its own. It ends with its input, also in the middle of a measurement.
"""

from __future__ import annotations

import os
import platform
import queue
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.runtime.machine import machine
from dltk.remote.wire import MARK, receive, send, unpack

__all__ = ["ASSET", "main"]

_MOST = 8_000_000_000  # bytes that come with a request
_BUNDLE = Path("bundle")
_TELLING_SECONDS = 10
ASSET = "asset-"  # leads the names of a signature's files, beside "model" and "raws.npy"
Message = tuple[dict[str, Any], bytes]


def main(folder: str) -> None:
    """Send a greeting, then reply to requests until the input ends."""
    # A copy of the true output, and everything else that prints goes to stderr: runtimes are talkative.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.chdir(folder)
    os.environ["TMPDIR"] = folder  # what workers and runtimes leave goes with the folder
    send(answers, _greeting(), mark=MARK)
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    # A file object of its own: the interpreter does not wait for it at its end.
    threading.Thread(target=_read, args=(os.fdopen(os.dup(0), "rb"), requests), daemon=True).start()
    while True:
        head, payload = requests.get()
        with _heartbeat(answers):
            answer = _answer(head, payload)
        send(answers, answer)


@contextmanager
def _heartbeat(answers: IO[bytes]) -> Iterator[None]:
    """Send a sign of life every few seconds, since work may take minutes: silence means that the machine hangs."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_TELLING_SECONDS):
            send(answers, {"working": True})

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _read(stream: IO[bytes], requests: queue.SimpleQueue[Message]) -> None:
    while (message := receive(stream, most=_MOST)) is not None:
        requests.put(message)
    os.kill(os.getpid(), signal.SIGTERM)  # unwinds the main thread, which ends the worker that it waits for


def _greeting() -> dict[str, Any]:
    has_numpy, runtimes = find_spec("numpy") is not None, list[str]()
    if has_numpy:
        from dltk.edge.runtime.sessions import available

        runtimes = list(available())
    return {"python": platform.python_version(), "numpy": has_numpy, "machine": machine(), "runtimes": runtimes}


def _answer(head: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        return {"result": _OPERATIONS[head["op"]](head, payload)}
    except DltkError as error:
        return {"error": error.as_dict()}
    except OSError as fault:
        hint = "Free some space there, or set TMPDIR."
        return {"error": EnvironmentFault("the temporary folder", "must take files", str(fault), hint).as_dict()}
    except Exception as fault:  # any other must not end the connection without a word
        traceback.print_exc()
        return {"error": EnvironmentFault("dltk there", "must not fail", f"{type(fault).__name__}: {fault}").as_dict()}


def _validate(head: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    """Unpack a bundle and replay it."""
    from dltk.edge.replay import replay

    _BUNDLE.mkdir()
    unpack(payload, _BUNDLE)
    return replay(_BUNDLE, max_memory=head["max_memory"])


def _bench(head: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    """Measure a bundle that was unpacked before."""
    from dltk.edge.bench import bench

    return bench(_BUNDLE, threads=head["threads"], artifact=head["artifact"], max_memory=head["max_memory"])


def _time(head: Mapping[str, Any], payload: bytes) -> dict[str, Any]:
    """Measure one model file; `milliseconds` of `dltk.edge.runtime.worker.WorkerResult`."""
    import numpy as np

    from dltk.edge.runtime.worker import run_worker

    with tempfile.TemporaryDirectory(prefix="model-") as name:
        folder = Path(name)
        unpack(payload, folder)
        bare = Signature.from_dict(head["signature"], "signature")
        signature = bare.with_assets(lambda asset: (folder / f"{ASSET}{asset}").read_bytes())
        raws = np.load(folder / "raws.npy", allow_pickle=False)
        result = run_worker((folder / "model").read_bytes(), head["format"], signature, raws, time=True)
    if result.milliseconds is None:
        raise InputError("model", "must be measured")
    return result.milliseconds


_OPERATIONS: dict[str, Callable[[Mapping[str, Any], bytes], dict[str, Any]]] = {
    "validate": _validate,
    "bench": _bench,
    "time": _time,
}
