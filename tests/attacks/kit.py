"""What a hostile file is tried with: a place of its own, a secret beside it, a canary, and the words a user types."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import small

__all__ = ["LINUX", "MEMORY", "MARK", "SECONDS", "Attack", "Case", "Outcome", "Place", "judge", "prepare", "run"]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="inotify tells whether a secret was opened")
MARK = "kept-to-myself-7391"  # stands in every secret; must stand in nothing that comes out
SECONDS = 10  # of the processor: what refusing a file may take
MEMORY = 500_000_000  # bytes: what refusing a file may take, on top of what the imports take


@dataclass(frozen=True)
class Place:
    """Folders of one attack.

    Attributes:
        inside: what the user was given and works in.
        secret: a file outside of it.
        canary: a file that appears if code of the attack runs.
    """

    inside: Path
    secret: Path
    canary: Path


@dataclass(frozen=True)
class Case:
    """What the user types, and what must be said.

    Attributes:
        words: of the command line, after `dltk`.
        says: part of the one line.
        code: the exit code.
    """

    words: tuple[str, ...]
    says: str
    code: int = 3


Attack = Callable[[Place], Case]


@dataclass(frozen=True)
class Outcome:
    """What came of a case: see `driver.py`."""

    name: str
    code: int
    stdout: str
    stderr: str
    peak: int
    base: int
    read: bool
    seconds: float = 0.0  # of the processor
    events: list[str] = field(default_factory=list)


def prepare(attacks: Mapping[str, Attack], folder: Path) -> tuple[dict[str, Place], dict[str, Case]]:
    """Make every attack, each in a place of its own below `folder`."""
    places, cases = {}, {}
    for name, attack in attacks.items():
        place = Place(folder / name / "inside", folder / name / "secret.bin", folder / name / "canary")
        place.inside.mkdir(parents=True)
        place.secret.write_bytes((MARK.encode() + b"\n") * 1000)  # large enough for ONNX Runtime to believe it
        places[name], cases[name] = place, attack(place)
    return places, cases


def run(places: Mapping[str, Place], cases: Mapping[str, Case], *, heavy: bool = False) -> dict[str, Outcome]:
    """Each case in a fork of one process that has imported what the commands need; `heavy`: TensorFlow as well."""
    told = [
        {"name": name, "words": case.words, "cwd": str(places[name].inside), "secret": str(places[name].secret)}
        for name, case in cases.items()
    ]
    command = [sys.executable, str(Path(__file__).with_name("driver.py")), "heavy" if heavy else "light"]
    environment = small.environment(TF_CPP_MIN_LOG_LEVEL="3", HOME=os.environ.get("HOME", "/"))
    done = subprocess.run(command, input=json.dumps(told).encode(), stdout=subprocess.PIPE, env=environment, check=True)
    found = [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]
    return {outcome.name: outcome for outcome in found}


def judge(place: Place, case: Case, outcome: Outcome) -> None:
    """No code, no outside reads, one line that says what is wrong, the exit code, little memory."""
    said: Any = outcome.stderr.strip().splitlines()
    assert outcome.code == case.code, (outcome.code, outcome.stderr[-2000:])
    errors = [line for line in said if line.startswith("Error: ")]
    assert len(errors) == 1, outcome.stderr[-2000:]
    assert said[-1] == errors[0]  # nothing after it: no traceback, no second line
    assert "Traceback" not in outcome.stderr
    assert case.says in errors[0]
    assert not place.canary.exists()
    assert not outcome.events
    assert not outcome.read
    assert MARK not in outcome.stdout + outcome.stderr
    assert outcome.peak - outcome.base < MEMORY, (outcome.peak, outcome.base)
