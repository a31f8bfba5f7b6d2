"""Damaged files, each tried in a process of its own: `python mutants.py TRIAL BUNDLE FIRST COUNT SECONDS ...`.

Imports once and forks for every seed, so that a crash or a hang costs one mutation and thousands are cheap. Prints a
JSON line a seed: {"seed", "outcome", "words"}. The outcome is the trial's own, or "crash" with the signal's name,
"hang" after SECONDS, "unexpected" with what was raised.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

__all__ = ["Outcome", "survey"]

SECONDS = 30.0  # for one mutation; a sound file takes a hundredth of a second, and the machine may be busy
_MEMORY = 6_000_000_000  # bytes of address space: a damaged shape must not take the machine's memory
_WORDS = 2000  # bytes of an outcome that are kept

Outcome = dict[str, str]
Trial = Callable[[int], tuple[str, str]]


def survey(
    trial: str, bundle: Path, count: int, *settings: str, first: int = 0, seconds: float = SECONDS
) -> list[Outcome]:
    """The outcome of `count` seeds from `first` on: each of `trial`, a function of `trials.py`, in a fork."""
    from importing import environment

    command = [sys.executable, __file__, trial, str(bundle), str(first), str(count), str(seconds), *settings]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), check=True, stdin=subprocess.DEVNULL)
    found: list[Outcome] = [json.loads(line) for line in done.stdout.splitlines()]
    if len(found) != count:
        raise AssertionError(f"{len(found)} outcomes of {count} mutations")
    return found


def _main(trial: str, bundle: Path, seeds: range, seconds: float, settings: Sequence[str]) -> None:
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # runtimes talk; a line of theirs must not stand among the outcomes
    os.dup2(1, 2)
    with tempfile.TemporaryDirectory(prefix="dltk-mutants-") as scratch:
        prepared: Trial = getattr(import_module("trials"), trial)(bundle, Path(scratch), *settings)
        for seed in seeds:
            outcome, words = _in_a_fork(prepared, seed, seconds)
            os.write(out, json.dumps({"seed": seed, "outcome": outcome, "words": words}).encode() + b"\n")


def _in_a_fork(trial: Trial, seed: int, seconds: float) -> tuple[str, str]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setpgrp()  # what it starts itself ends with it
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            told = trial(seed)
        except BaseException:
            told = "unexpected", traceback.format_exc()[-_WORDS // 2 :]
        os.write(writer, json.dumps(told).encode()[: 4 * _WORDS])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        ended, _, _ = select.select([stream], [], [], seconds)
        if not ended:
            os.killpg(child, signal.SIGKILL)
        said = stream.read() if ended else b""
    status = os.waitpid(child, 0)[1]
    if not ended:
        return "hang", f"no answer within {seconds:g} s"
    if os.WIFSIGNALED(status):
        return "crash", signal.Signals(os.WTERMSIG(status)).name
    if not said:
        return "crash", f"exit status {os.waitstatus_to_exitcode(status)}"
    outcome, words = json.loads(said)
    return outcome, words


if __name__ == "__main__":
    _trial, _bundle, _first, _count, _seconds, *_settings = sys.argv[1:]
    _main(_trial, Path(_bundle), range(int(_first), int(_first) + int(_count)), float(_seconds), _settings)
