"""Run dltk's commands as a user would: shown before they run, and loud where they fail."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "Failure", "console_script", "heading", "once", "reach_tests", "run", "run_json", "shown", "typed"]

ROOT = Path(__file__).resolve().parents[3]
_NOT_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # they would let one environment see another


class Failure(SystemExit):
    """Ends the script with a line on stderr and exit code 1."""

    def __init__(self, text: str) -> None:
        print(f"\nFAILED: {text}", file=sys.stderr, flush=True)
        super().__init__(1)


def console_script(python: Path | str = sys.executable) -> Path:
    """The command `dltk` of the environment that `python` belongs to."""
    found = Path(python).parent / "dltk"
    if not found.is_file():
        raise Failure(f"{found} is missing: install dltk into this environment first (`make demo` does)")
    return found


def shown(command: Sequence[str | Path]) -> str:
    """`command` as one would type it in the root of the checkout."""
    return shlex.join([Path(command[0]).name, *typed(command)[1:]])


def typed(command: Sequence[str | Path]) -> list[str]:
    """`command` with the paths of the checkout made relative to its root; the program itself stays as it is."""
    return [str(command[0]), *(str(word).removeprefix(f"{ROOT}/") for word in command[1:])]


def heading(text: str) -> None:
    """A line that says what comes next."""
    print(f"\n== {text}", flush=True)


def reach_tests() -> None:
    """Let what is imported from here on be a helper of the tests, which draw, damage and serve the same way."""
    sys.path.append(str(ROOT / "tests" / "support"))
    import importing

    importing.reach()


def run(command: Sequence[str | Path], *, where: str = "", capture: bool = False) -> tuple[str, float]:
    """Print `command`, run it in the root of the checkout, and stop everything if it fails.

    Args:
        where: printed before the command: which environment it runs in.
        capture: return what it writes to stdout instead of showing it.

    Returns:
        stdout (empty unless captured) and the seconds it took.
    """
    print(f"{where}$ {shown(command)}", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    started = time.perf_counter()
    done = subprocess.run(
        typed(command),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE if capture else None,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        if done.stdout:
            print(done.stdout, file=sys.stderr)
        raise Failure(f"`{shown(command)}` ended with exit code {done.returncode}")
    return done.stdout or "", seconds


def once(target: Path, command: Sequence[str | Path]) -> Path:
    """The run in `target`, which `command` makes: a finished one stays as it is, an interrupted one goes on."""
    if not (target / "metrics.json").is_file():
        if target.is_dir() and not any(target.iterdir()):
            shutil.rmtree(target)
        run([*command, "--resume"] if target.is_dir() else command)
    return target


def run_json(command: Sequence[str | Path], *, where: str = "") -> tuple[Any, float]:
    """`run` a command whose stdout is JSON; returns the value and the seconds."""
    text, seconds = run(command, where=where, capture=True)
    try:
        return json.loads(text), seconds
    except ValueError as fault:
        raise Failure(f"`{shown(command)}` printed no JSON: {fault}") from fault
