"""What hostile, malformed and odd files, kills, full disks, fuzzing and eight threads do to dltk.

A row that is a list of cases is measured by its tests: each case is one, and what is counted is how many did not hold.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from dltk.edge.runtime.machine import machine
from support.figures import Figure, at_most
from support.shell import ROOT, Failure, heading

__all__ = ["safety"]

_TESTS = ROOT / "tests"
_FUZZED = 60.0  # seconds


@dataclass(frozen=True)
class _Cases:
    """Tests, and what each of them holds dltk to.

    Attributes:
        what: in words, as "{count} ..." of what did not hold.
        files: below tests/.
        names: part of the tests' names, as pytest's -k takes it.
        why: what is looked for.
    """

    what: str
    files: tuple[str, ...]
    names: str = ""
    why: str = ""


_CASES = (
    _Cases(
        "{count} hostile files that execute code, read other files, use 500 MB, or give no one-line error",
        ("attacks/test_light.py", "attacks/test_heavy.py"),
        why="canaries, inotify on a secret, audit events, peak memory, the one line",
    ),
    _Cases(
        "{count} malformed data sets without one clear error, or with a user's file changed",
        ("attacks/test_malformed_data.py",),
        why="file and line, or key; every byte of the data set before and after",
    ),
    _Cases(
        "{count} unusual images that training and device decode or refuse differently",
        ("data/kinds/test_odd_images.py",),
        why="bit-identical, or refused for the same reason",
    ),
    _Cases(
        "{count} series of SIGKILLs while a bundle or a Run is written: partial, lost, or lost after reported success",
        ("kills/test_kills.py",),
        why="200 random moments each and before every system call, with and without the system's exchange of folders",
    ),
    _Cases(
        "{count} points in training at which a SIGKILL changes the final weights of the resumed run",
        ("training/test_resume.py",),
        "killed_run",
        "by SHA-256; one point is inside a checkpoint; shuffle, augmentation, dropout, batch norm, Adam, cosine",
    ),
    _Cases(
        "{count} series of full disks, SIGINTs, SIGTERMs and concurrent processes that leave partial files",
        ("kills/test_disks.py", "kills/test_signals.py", "kills/test_two.py", "kills/test_caches.py"),
        why="20 moments per signal, every system call failing, full and read-only disks, two exports into one folder",
    ),
    _Cases(
        "{count} series of up to 10,000 predictions in eight threads: a wrong prediction, or memory growth of 2 MB",
        ("edge/test_load_threads.py",),
        why="one and six models, TFLite and ONNX; models loaded and released",
    ),
)


def safety(*, limit: int = 0) -> list[Figure]:
    """A figure a row of cases, and one of fuzzing; with `limit` the slow tests are left out."""
    return [*(_measured(each, quick=bool(limit)) for each in _CASES), _fuzzed(limit / 100 or _FUZZED)]


def _measured(cases: _Cases, *, quick: bool) -> Figure:
    heading(cases.files[0])
    with tempfile.TemporaryDirectory(prefix="dltk-bench-") as folder:
        report = Path(folder, "report.xml")
        words = ["-q", "-n", "2", f"--junitxml={report}", *(("-k", cases.names) if cases.names else ())]
        words += ["-m", "not slow"] if quick else []
        files = [str(_TESTS / name) for name in cases.files]
        subprocess.run([sys.executable, "-m", "pytest", *words, *files], cwd=ROOT, check=False)
        if not report.is_file():
            raise Failure(f"the tests of {', '.join(cases.files)} did not run")
        (suite,) = ElementTree.parse(report).getroot().iter("testsuite")
    count = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    ran, bad = count["tests"] - count["skipped"], count["failures"] + count["errors"]
    skipped = f"; {count['skipped']} not run here" if count["skipped"] else ""
    return _figure("of " + cases.what.format(count=ran), str(bad) if ran else "not run", cases.why + skipped, bad, ran)


def _fuzzed(seconds: float) -> Figure:
    heading("fuzzing")
    command = [sys.executable, str(_TESTS / "fuzz/fuzzing.py"), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found: Mapping[str, int] = json.loads(done.stdout) if done.returncode == 0 else {}
    words = ", ".join(f"{name} {count:,}" for name, count in found.items()) or done.stderr.strip()[-300:]
    what = f"unexpected exceptions in {sum(found.values()):,} hypothesis examples, {seconds:g} s"
    return _figure(what, "0" if found else "at least 1", words, 0 if found else 1, 1)


def _figure(what: str, value: str, spread: str, bad: int, ran: int) -> Figure:
    command = "python tests/benchmarks/bench.py --only safety"
    return Figure("safety", what, command, value, spread, "0", at_most(bad, 0) if ran else None, machine())
