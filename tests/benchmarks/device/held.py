"""Answers of a target held against this machine's, of the same files and golden samples."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.arrays import read_npz
from dltk.edge.bundle.integrity import read_manifest
from dltk.edge.bundle.manifest import Artifact
from dltk.edge.metrics import mean_cosine

__all__ = ["Answer", "Held", "answers", "files_of", "here", "hold"]

_SCRIPT = Path(__file__).with_name("answers.py")
_FLOAT = 1e-5  # x max(1, largest output): two processors may add in another order
_DYNAMIC = 0.999  # such a file rounds activations while it runs: a last bit before that may be a whole step behind it
_PATIENCE = 600  # seconds for one file: an emulated processor is slow, and a hang must end

Command = Callable[..., tuple[list[str], dict[str, str] | None]]


@dataclass(frozen=True)
class Answer:
    """What came of one file.

    Attributes:
        outputs: name -> (n, ...), real numbers; None where it did not run.
        reason: why not.
        refused: whether dltk said so; else the process ended.
        steps: output name -> what one step of the integer that the file stores is worth.
        report: of golden.npz: what `dltk validate` found.
    """

    outputs: Mapping[str, NDArray[np.float32]] | None = None
    reason: str = ""
    refused: bool = False
    steps: Mapping[str, float] = field(default_factory=dict)
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Held:
    """One file's answers beside this machine's."""

    promise: str
    measured: str
    met: bool


def files_of(bundle: Path, *formats: str) -> list[tuple[Artifact, Path]]:
    """The artifacts of `formats`, with their places."""
    return [(each, bundle / each.file) for each in read_manifest(bundle).artifacts if each.format in formats]


def here(script: Path, *words: str | Path, python: Path | str = sys.executable) -> tuple[list[str], None]:
    """The command that runs `script` on this machine."""
    return [str(python), str(script), *map(str, words)], None


def answers(command: Command, places: Sequence[Path], out: Path) -> dict[Path, Answer]:
    """What each of `places` (artifacts, or golden.npz of bundles) gives; one that kills the process is one that fails.

    Args:
        command: (script, words...) -> command line and environment.
        out: folder for the outputs.
    """
    found: dict[Path, Answer] = {}
    while left := [place for place in places if place not in found]:
        line, environment = command(_SCRIPT, out, *left)
        try:
            done = subprocess.run(
                line, env=environment, capture_output=True, text=True, check=False, timeout=_PATIENCE * len(left)
            )
            printed, end = done.stdout, f"ended with {done.returncode}: {done.stderr.strip()[-300:]}"
        except subprocess.TimeoutExpired as late:
            printed, end = (late.stdout or b"").decode(), "did not end"
        told = [json.loads(row) for row in printed.splitlines() if row.startswith("{")]
        for place, row in zip(left, told[1::2], strict=False):  # a line before each file, and one after it
            found[place] = _answer(row, out)
        if not told:
            found |= dict.fromkeys(left, Answer(reason=f"Python {end}"))
        elif len(told) < 2 * len(left):
            found[left[len(told) // 2]] = Answer(reason=f"the process {end}")
    return found


def _answer(told: dict[str, Any], out: Path) -> Answer:
    if told["state"] != "ran":
        return Answer(reason=str(told["reason"]), refused=True)
    if "report" in told:
        return Answer(report=told["report"])
    return Answer(outputs=read_npz(out / f"{told['file']}.npz"), steps=told["steps"])


def hold(precision: str, there: Answer, ours: Answer, *, most_steps: int, steps: Mapping[str, float]) -> Held:
    """`there` beside `ours`: within 1e-5 for float files, within `most_steps` of their outputs for integer ones.

    Args:
        most_steps: 0: equal to the bit.
        steps: output name -> its step, for files that give real numbers themselves.
    """
    whole = precision.startswith("int")
    promise = f"within {_FLOAT:g} x max(1, largest)"
    if whole:
        promise = f"within {most_steps} steps" if most_steps else "bit-identical"
    elif precision == "dynamic":
        promise = f"cosine at least {_DYNAMIC:g}"
    if there.outputs is None or ours.outputs is None:
        return Held(promise, f"not run: {there.reason or ours.reason}", False)
    pairs = [(there.outputs[name], wanted, name) for name, wanted in ours.outputs.items()]
    if all(np.array_equal(found, wanted) for found, wanted, _ in pairs):
        return Held(promise, "bit-identical", True)
    if whole:
        apart = max(float(np.abs(a - b).max()) / _step(b, ours.steps.get(n, steps.get(n))) for a, b, n in pairs)
        return Held(promise, f"differs by {apart:.2f} steps", apart <= most_steps + 0.01)  # rounding of the quotient
    if precision == "dynamic":
        cosine = min(float(mean_cosine(b, a)) for a, b, _ in pairs)
        return Held(promise, f"{cosine:.6f}", cosine >= _DYNAMIC)
    apart = max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b, _ in pairs)
    return Held(promise, f"differs by {apart:.2g}", apart <= _FLOAT)


def _step(outputs: NDArray[np.float32], known: float | None) -> float:
    """`known`, or the smallest distance of two different outputs: they are all whole numbers of steps."""
    return known or float(np.diff(np.unique(outputs)).min())
