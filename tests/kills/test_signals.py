"""Ctrl-C and SIGTERM at many moments: fixed exit codes, no traceback, nothing partial that stays."""

from __future__ import annotations

from contextlib import suppress

import pytest

import killed_publish
import small
import tiny
from dltk.base.files import building_folder, write_atomic
from dltk.bundle import publish
from dltk.cli.main import cli
from dltk.edge.bundle.integrity import read_bundle
from kills import calls, stubs

pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.skipif(bool(calls.why_not()), reason=calls.why_not() or "can be traced")

CODES = {"INT": 130, "TERM": 143}
both = pytest.mark.parametrize("name", CODES)
moments = pytest.mark.parametrize("count", [3, pytest.param(20, marks=pytest.mark.slow)])


@pytest.fixture(scope="module")
def sealings():
    model = tiny.tflite()
    return killed_publish.sealing("old", model), killed_publish.sealing("new", model)


def _ends(work, said, call, number, name):
    """The child ends by the signal, or well where that came with its last calls; it says one line at most."""
    code = calls.signalled_before(calls.as_command(work, said), call, number, name)
    assert code in (0, CODES[name]), (call, number)
    assert "Traceback" not in said.read_text()
    assert said.read_text().count("\n") <= 1
    return code


@both
@moments
def test_a_bundle_and_a_signal(tmp_path, sealings, name, count):
    target, codes = tmp_path / "there" / "bundle", []
    publish(sealings[0], target)
    work = lambda: publish(sealings[1], target)  # noqa: E731
    for call, number in calls.some(calls.every(work), count, seed=5):
        publish(sealings[0], target)
        codes.append(_ends(work, tmp_path / "said", call, number, name))
        read_bundle(target)
        with suppress(KeyboardInterrupt), building_folder(target, replace=True):
            raise KeyboardInterrupt  # the next start
        assert [path.name for path in target.parent.iterdir()] == ["bundle"], (call, number)
    assert codes.count(CODES[name]) >= len(codes) // 2


@both
@moments
def test_a_run_and_a_signal(tmp_path, monkeypatch, name, count):
    stubs.put_in_place(monkeypatch)
    whole = small.files(stubs.train(tmp_path / "whole").path)
    work = lambda: stubs.train(tmp_path / "run")  # noqa: E731
    for place, (call, number) in enumerate(calls.some(calls.every(work), count, seed=6)):
        run = tmp_path / f"run{place}"
        _ends(lambda run=run: stubs.train(run), tmp_path / "said", call, number, name)
        found = small.files(stubs.train(run, resume=True).path)
        assert found.keys() == whole.keys(), (call, number)  # a leftover would be among them
        assert found["model.keras"] == whole["model.keras"]


@both
@moments
def test_a_report_and_answers_and_a_signal(tmp_path, sealings, name, count):
    """`dltk report` and `dltk predict --out` as they are, from where the command is parsed."""
    bundle, out, said = tmp_path / "bundle", tmp_path / "out" / "report.txt", tmp_path / "said"
    publish(sealings[0], bundle)
    work = lambda: cli(["report", str(bundle), "--out", str(out)])  # noqa: E731
    found = calls.every(work)
    for call, number in calls.some(found, count, seed=7):
        write_atomic(out, b"old")
        _ends(work, said, call, number, name)
        assert out.read_bytes() == b"old" or out.read_text().startswith("old: a bundle"), out.read_text()
        write_atomic(out, b"old")  # the next start
        assert [path.name for path in out.parent.iterdir()] == ["report.txt"]
