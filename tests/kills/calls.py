"""Children that die before a system call: strace gives SIGKILL on entry, and the call is not made.

The children are forks, so that hundreds are cheap: what they do is imported already.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import click

from dltk.cli.boundary import end_cleanly_on_sigterm, error_boundary

CALLS = ("write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "mkdir", "rename", "renameat2", "unlink",
         "unlinkat", "rmdir", "chmod")  # fmt: skip
Work = Callable[[], object]


@cache
def why_not() -> str:
    """Why processes cannot be traced here; empty where they can."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "needs strace"
    done = subprocess.run(["strace", "-e", "inject=fsync:signal=KILL", "true"], capture_output=True, check=False)
    return "" if done.returncode == 0 else "strace may not trace here"


def counted(work: Work) -> Counter[str]:
    """How many system calls of each kind in `CALLS` `work` makes."""
    with tempfile.NamedTemporaryFile() as log:
        status = _traced(work, ["-o", log.name, "-e", f"trace={','.join(CALLS)}"])
        assert status == 0, status
        made = re.findall(r"^(?:\d+ +)?(\w+)\(", Path(log.name).read_text(), re.MULTILINE)
    return Counter(name for name in made if name in CALLS)


def killed_before(work: Work, call: str, number: int) -> bool:
    """Do `work` in a child that dies before its call `number` (from 1) of the kind `call`; whether it came to that."""
    status = _traced(work, ["-o", os.devnull, "-e", f"inject={call}:signal=KILL:when={number}"])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def signalled_before(work: Work, call: str, number: int, name: str) -> int:
    """The exit code of a child that gets the signal `name` ("INT", "TERM") as it makes that call."""
    return _traced(work, ["-o", os.devnull, "-e", f"inject={call}:signal={name}:when={number}"])


def failing(work: Work, call: str, number: int, error: str) -> int:
    """The exit code of a child whose call `number` of the kind `call` fails with `error` ("ENOSPC")."""
    return _traced(work, ["-o", os.devnull, "-e", f"inject={call}:error={error}:when={number}"])


def every(work: Work, kinds: tuple[str, ...] = CALLS) -> list[tuple[str, int]]:
    """Every call of those kinds that `work` makes, by its kind and number."""
    return [(call, number + 1) for call, count in counted(work).items() if call in kinds for number in range(count)]


def some(found: list[tuple[str, int]], count: int, seed: int) -> list[tuple[str, int]]:
    """`count` of `found`, the same ones at every call; at least one of each kind."""
    draw = random.Random(seed)
    mixed = draw.sample(found, len(found))
    firsts = list({call: (call, number) for call, number in mixed}.values())
    return firsts + [each for each in mixed if each not in firsts][: max(0, count - len(firsts))]


def moments(work: Work) -> int:
    """How many calls of Python and C functions `work` makes, from which a random moment is drawn."""
    reading, writing = os.pipe()

    def counting() -> None:
        os.write(writing, str(_profiled(work, -1)).encode())

    assert _forked(counting) == 0
    os.close(writing)
    with os.fdopen(reading) as stream:
        return int(stream.read())


def killed_at(work: Work, moment: int) -> bool:
    """Do `work` in a child that dies at a call of `moments`; whether it came to that."""
    status = _forked(lambda: _profiled(work, moment))
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def as_command(work: Work, said: Path) -> Work:
    """`work` as the command line does it: signals, errors, exit codes; stderr goes into the file `said`."""

    def run() -> None:
        own = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(own, 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        signal.signal(signal.SIGINT, signal.default_int_handler)
        end_cleanly_on_sigterm()
        try:
            with error_boundary():
                work()
        except click.exceptions.Exit as ended:
            raise SystemExit(ended.exit_code) from ended

    return run


def plain(work: Work) -> int:
    """The exit code of a child that does `work`."""
    return _forked(work)


def _profiled(work: Work, moment: int) -> int:
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def _forked(work: Work) -> int:
    child = os.fork()
    if child == 0:
        _end(work)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _end(work: Work) -> NoReturn:
    """Do `work` and end, without what pytest would do as it ends."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _traced(work: Work, options: list[str]) -> int:
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(ready, 1)  # until strace holds it
        _end(work)
    os.close(ready)
    command = ["strace", "-p", str(child), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        assert "attached" in tracer.stderr.readline()
        os.write(go, b"x")
        os.close(go)
        _, status = os.waitpid(child, 0)
        tracer.wait(timeout=30)
    return os.waitstatus_to_exitcode(status)
