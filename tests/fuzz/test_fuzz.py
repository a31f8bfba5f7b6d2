"""Nothing but dltk's own errors comes out of any reader, within its memory; see `fuzzing.py`."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")
pytest.importorskip("onnxruntime")

import fuzzing
import small
from fuzz_values import tried

SECONDS = 300.0
GUIDED = ("signatures", "archives", "images", "tables", "values of plans", "histories", "words of a machine")


@pytest.mark.parametrize("name", fuzzing.TARGETS)
def test_a_round(name):
    target = fuzzing.TARGETS[name]
    assert tried(target) == target.round


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_five_minutes():
    """The same examples each time, as many as there is time for: a failure is found again by its target's name."""
    counts = {name: tried(target, SECONDS / len(fuzzing.TARGETS)) for name, target in fuzzing.TARGETS.items()}
    print(sum(counts.values()), "examples:", counts)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris has wheels for Linux on x86-64 only")
@pytest.mark.parametrize("name", GUIDED)
def test_guided_by_coverage(name):
    # By a shell between: of a child, Linux counts the peak of the process that it was forked from, gigabytes here.
    command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable]
    command += [str(Path(__file__).with_name("guided.py")), name, "12"]
    done = subprocess.run(command, capture_output=True, text=True, env=small.environment(), check=False, timeout=200)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " runs in " in done.stderr
