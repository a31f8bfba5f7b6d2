"""A command in a child process, with its time, its largest resident size and its largest anonymous memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.shell import ROOT, Failure, shown, typed

__all__ = ["Measured", "measure"]

_EVERY = 0.2  # seconds between looks at /proc/PID/status


@dataclass(frozen=True)
class Measured:
    """What one command took.

    Attributes:
        seconds: from start to end.
        peak_resident: bytes; watched: the process' own VmHWM, else ru_maxrss, which also counts this script's size.
        peak_anonymous: bytes, the largest RssAnon seen; the page cache's share of a memory map is not in it.
        out: stdout.
    """

    seconds: float
    peak_resident: int
    peak_anonymous: int
    out: str


def measure(command: Sequence[str | Path], *, watch: bool = False, quiet: bool = False) -> Measured:
    """Run `command` in the root of the checkout; `watch` looks at its anonymous memory five times a second.

    Without `watch` the process is only waited for, so that its time is nothing but its own.
    """
    if not quiet:
        print(f"$ {shown(command)}", flush=True)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
    with tempfile.TemporaryFile("w+") as out:
        started = time.perf_counter()
        child = subprocess.Popen(typed(command), cwd=ROOT, env=environment, stdout=out)
        anonymous = resident = 0
        while watch:
            gone, status, usage = os.wait4(child.pid, os.WNOHANG)
            if gone:
                break
            found = _memory(child.pid)
            anonymous, resident = max(anonymous, found["RssAnon"]), max(resident, found["VmHWM"])
            time.sleep(_EVERY)
        else:
            _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)  # Popen must not wait for it again
        out.seek(0)
        text = out.read()
    if child.returncode:
        print(text, file=sys.stderr)
        raise Failure(f"`{shown(command)}` ended with exit code {child.returncode}")
    return Measured(seconds, resident or usage.ru_maxrss * 1024, anonymous, text)


def _memory(pid: int) -> dict[str, int]:
    """RssAnon and VmHWM in bytes; 0 where the process has just ended."""
    found = {"RssAnon": 0, "VmHWM": 0}
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        name = line.partition(":")[0]
        if name in found:
            found[name] = int(line.split()[1]) * 1024
    return found
