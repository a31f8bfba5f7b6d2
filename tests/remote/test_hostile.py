"""A machine that answers anything, or nothing: one line here, in bounded time and memory, whatever it says."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time

import numpy as np
import pytest

import small
import stub_ssh
from dltk.base.errors import DltkError, EnvironmentFault
from dltk.remote import link
from dltk.remote.answers import BENCH, GREETING, VALIDATION, fits
from dltk.remote.bench import bench_on

MACHINE = {"cpu": "x", "architecture": "y", "instructions": ["avx2"], "threads": 4}
HELLO = {"python": "3.11.1", "numpy": True, "machine": MACHINE, "runtimes": ["tflite", "onnx"]}
PASSED = {"file": "m.onnx", "format": "onnx", "precision": "float32", "status": "passed"}
VALID = {"result": {"samples": 8, "files": 3, "artifacts": [PASSED]}}
TIMED = PASSED | {
    "status": "measured", "p50_ms": 1.0, "p90_ms": 1.0, "p99_ms": 1.0, "runs": 3, "bytes": 5, "download_bytes": 5,
    "peak_bytes": None, "model_bytes": 7, "delegated_share": 0.5,
}  # fmt: skip
MEASURED = {"result": {"bundle": "b", "machine": MACHINE, "threads": 1, "artifacts": [TIMED]}}
# Any value, in the place of any other.
ODD = [None, True, -1, 1e308, 10**30, "", "\x1b]0;x\x07", [], [[]], {}, {"a": 1}, ["x"] * 2000]


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """Puts a machine there that prints these lines, each once something was asked, and then does what `after` says."""

    monkeypatch.setattr(link, "_CLOSING_SECONDS", 0.5)

    def install(*answers, after="exec sleep 30", noise=""):
        words = []
        for number, answer in enumerate(answers):
            line = answer if isinstance(answer, bytes) else json.dumps({**answer, "bytes": 0}).encode()
            (tmp_path / f"answer{number}").write_bytes((b"dltk-light " if not number else b"") + line + b"\n")
            words.append(f"cat {shlex.quote(str(tmp_path / f'answer{number}'))}")
        words = "\n".join(["exec 3<&0", "cat <&3 >/dev/null &", noise, *words, f"{after}", "exit 1"])
        return stub_ssh.install(tmp_path / "ssh", monkeypatch, before=words)

    return install


def test_the_answers_of_dltk_fit_their_forms(answering, digits):
    assert (fits(HELLO, GREETING), fits(VALID["result"], VALIDATION), fits(MEASURED["result"], BENCH)) == (True,) * 3
    answering(HELLO, VALID, MEASURED)
    assert bench_on("pi", digits)["artifacts"] == [TIMED]


def paths(value, path=()):
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in paths(item, (*path, key)))]


def changed(value, path, put):
    if not path:
        return put
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], put)
    return copy


@pytest.mark.parametrize(("whole", "form"), [(HELLO, GREETING), (VALID, VALIDATION), (MEASURED, BENCH)])
def test_every_field_with_every_odd_value_fits_or_not_and_never_raises(whole, form):
    for path in paths(whole):
        for value in ODD:
            fits(changed(whole, path, value), form)
            fits(value, form)


@pytest.mark.parametrize("seed", range(6))
def test_a_changed_answer_is_one_error_and_prints_in_any_case(answering, digits, monkeypatch, seed):
    """Two fields of one of the three answers, through the command and what it prints."""
    generator = np.random.default_rng(seed)
    answers = [HELLO, VALID, MEASURED]
    place = seed % 3
    for _ in range(2):
        where = paths(answers[place])[1:]
        path = where[generator.integers(len(where))]
        try:
            answers[place] = changed(answers[place], path, ODD[generator.integers(len(ODD))])
        except (KeyError, IndexError, TypeError):  # the first change took the place of the second away
            continue
    answering(*answers)
    done = small.invoke("bench", str(digits), "--host", "pi")
    assert done.exception is None or isinstance(done.exception, (SystemExit, DltkError)), done.exception
    assert done.exit_code in (0, 5)
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON", b"[]", b"{}", b'{"bytes": 0, "error": 7}', b'{"bytes": 0, "error": {"kind": "int", "where": 0}}',
        b'{"bytes": 0, "error": {"kind": "LimitError", "where": 1, "rule": [], "hint": {}, "measured": "x"}}',
        b'{"bytes": -1}', b'{"bytes": 1000000000000}', b'{"bytes": 0, "result": 3}', b'{"bytes": 0, "result": null}',
        b"[" * 100_000, b"\xff\xfe", b'{"bytes": 0, "result": [' + b"[]," * 2_000_000 + b"[]]}",
    ],
    ids=range(13),
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1])
def test_a_line_that_is_no_answer_is_one_error(answering, digits, monkeypatch, line, place):
    answering(*[HELLO][:place], line)
    with pytest.raises(DltkError) as caught:
        bench_on("pi", digits)
    assert str(caught.value).startswith("pi: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("asked", [0, 1], ids=["at the start", "after its greeting"])
def test_one_that_says_nothing_is_given_up(answering, digits, monkeypatch, asked):
    monkeypatch.setattr(link, "_SILENT_SECONDS", 1)
    monkeypatch.setattr(link, "_GREETING_SECONDS", 1)
    answering(*[HELLO][:asked])
    start = time.monotonic()
    with pytest.raises(EnvironmentFault, match=r"pi: must (not be silent for 1 s|reply within 1 s)"):
        bench_on("pi", digits)
    assert time.monotonic() - start < 30


def test_one_that_works_for_ever_is_given_up(answering, digits, monkeypatch, tmp_path):
    """It says that it is at work, again and again."""
    monkeypatch.setattr(link, "_SILENT_SECONDS", 3)
    monkeypatch.setattr(link, "_LONGEST_SECONDS", 2)
    (tmp_path / "working").write_text('{"working": true, "bytes": 0}\n')
    answering(HELLO, noise=f"later() {{ while sleep 0.2; do cat {tmp_path}/working; done; }}", after="later; true")
    with pytest.raises(EnvironmentFault, match="nor work for 2 s"):
        bench_on("pi", digits)


def test_chatter_on_stderr_takes_no_memory_and_no_disk(answering, digits, tmp_path):
    """A gigabyte in lines and one without: all of it is read, some kilobytes are kept."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    noise = "yes chatter | head -c 60000000 >&2; head -c 60000000 /dev/zero >&2; echo >&2"
    answering(HELLO, noise=noise, after="echo last word >&2")
    code = (
        "import resource, sys; from dltk.remote.bench import bench_on; from dltk.base.errors import DltkError\n"
        "import numpy; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: bench_on('pi', sys.argv[1])\n"
        "except DltkError as fault: print(fault)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)"
    )
    environment = small.environment(TMPDIR=str(folder))
    done = subprocess.run([sys.executable, "-c", code, digits], capture_output=True, text=True, env=environment)
    said, grown = done.stdout.splitlines()
    assert said.startswith("pi: must not end before it has replied; received last word")
    assert int(grown) < 100
    assert not list(folder.iterdir())
