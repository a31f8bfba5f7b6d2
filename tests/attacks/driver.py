"""Runs commands, each in a fork: `python driver.py light|heavy < CASES`. Prints a JSON line a case: see `kit.Outcome`.

What the commands import is imported once, before the forks, so that dozens are cheap and what a fork takes on top of
it can be told. Watched: memory, whether the case's secret is opened by anyone in any way (inotify), and what Python
itself says of processes, connections and pickles (audit events).
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import resource
import signal
import sys
import traceback
import warnings
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from typing import Any

SECONDS = 100  # for a case; the slowest sound one takes a tenth
_ADDRESSES = {"light": 8_000_000_000, "heavy": 40_000_000_000}  # bytes: no attack may take the whole machine
_LIGHT = (
    "numpy", "PIL.Image", "ai_edge_litert.interpreter", "onnxruntime", "tokenizers", "dltk.cli.main",
    "dltk.cli.commands.predict", "dltk.cli.commands.validate", "dltk.cli.commands.report",
    "dltk.edge.replay", "dltk.report",
)  # fmt: skip
_HEAVY = (
    "tensorflow",
    "keras",
    "h5py",
    "sklearn.datasets",
    "dltk.workflows",
    "dltk.cli.commands.adopt",
    "dltk.cli.main",
)
_TOLD = ("os.system", "os.exec", "os.posix_spawn", "socket.connect", "urllib.Request", "pickle.find_class")
_OPENED = 0x20  # IN_OPEN


def main(weight: str) -> None:
    out = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)  # of TensorFlow's own log; the error lines go through sys.stderr
    warnings.simplefilter("ignore")
    for name in _HEAVY if weight == "heavy" else _LIGHT:
        import_module(name)
    for case in json.load(sys.stdin):
        os.write(out, json.dumps(_watched(case, weight)).encode() + b"\n")


def _watched(case: dict[str, Any], weight: str) -> dict[str, Any]:
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    if watch < 0 or libc.inotify_add_watch(watch, os.fsencode(case["secret"]), _OPENED) < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "wb") as stream:
            stream.write(json.dumps(_run(case, weight)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(child, 0)
    found = json.loads(told) if told else {"stdout": "", "stderr": "", "peak": 0, "base": 0, "events": []}
    if not told:
        found["code"] = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    try:
        found["read"] = bool(os.read(watch, 4096))
    except BlockingIOError:
        found["read"] = False
    os.close(watch)
    return {"name": case["name"], **found}


def _run(case: dict[str, Any], weight: str) -> dict[str, Any]:
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES[weight],) * 2)
    os.chdir(case["cwd"])
    events: list[str] = []
    sys.addaudithook(lambda event, arguments: _note(event, arguments, events))
    base, stdout, stderr = _memory("VmRSS"), io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            import_module("dltk.cli.main").cli(case["words"], prog_name="dltk")
            code: Any = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
    peak = max(_memory("VmHWM"), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
    told = {"stdout": stdout.getvalue()[-5000:], "stderr": stderr.getvalue()[-5000:]}
    return {"code": code, **told, "peak": peak, "base": base, "seconds": _seconds(), "events": events}


def _seconds() -> float:
    """Of the processor, of the fork and of its own children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _note(event: str, arguments: tuple[Any, ...], events: list[str]) -> None:
    foreign = event == "subprocess.Popen" and arguments[0] != sys.executable  # dltk's own workers are Pythons
    if event in _TOLD or foreign:
        events.append(f"{event} {arguments!r}"[:200])


def _memory(key: str) -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


if __name__ == "__main__":
    main(sys.argv[1])
