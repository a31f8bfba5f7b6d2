"""Two processes at once: into one bundle, into one Run."""

from __future__ import annotations

import os
import time

import pytest

import killed_publish
import small
import tiny
from dltk.base import siblings, swap
from dltk.base.errors import InputError
from dltk.base.files import building_folder, sweep, write_atomic
from dltk.bundle import publish
from dltk.edge.bundle.integrity import read_bundle
from kills import calls, stubs

pytest.importorskip("ai_edge_litert")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
TIMES = 20


def _side_by_side(*works):
    """The exit codes of children that begin at the same time."""
    reading, writing = os.pipe()
    children = []
    for work in works:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # ends for all when the parent closes its end
            calls._end(work)
        children.append(child)
    os.close(writing)
    os.close(reading)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "two-renames"])
def test_two_exports_into_one_folder_end_with_one_of_the_two(tmp_path, monkeypatch, exchanges):
    if not exchanges:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    model, target = tiny.tflite(), tmp_path / "bundle"

    def exporting(name):
        def work() -> None:
            for _ in range(TIMES):
                publish(killed_publish.sealing(name, model), target)

        return work

    assert _side_by_side(exporting("one"), exporting("two")) == [0, 0]
    assert read_bundle(target).manifest.name in {"one", "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_two_finetunes_into_one_run_of_which_one_is_refused(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    slow, step = tmp_path / "slow", stubs.Counting.step

    def waiting(self, batch):
        slow.write_bytes(b"")
        time.sleep(0.2)
        return step(self, batch)

    monkeypatch.setattr(stubs.Counting, "step", waiting)
    said = [tmp_path / "said1", tmp_path / "said2"]
    works = [calls.as_command(lambda: stubs.train(tmp_path / "run"), path) for path in said]
    assert sorted(_side_by_side(*works)) == [0, 3]
    refused = "".join(path.read_text() for path in said)
    assert refused.count("\n") == 1
    assert "another process is writing to this run" in refused or "never overwritten" in refused
    monkeypatch.setattr(stubs.Counting, "step", step)
    assert small.files(tmp_path / "run").keys() == small.files(stubs.train(tmp_path / "whole").path).keys()


def test_a_run_that_is_resumed_twice_has_one_writer(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    run = stubs.train(tmp_path / "run")
    (run.path / "metrics.json").unlink()  # not finished, then
    with run.alone(), pytest.raises(InputError, match="another process is writing to this run"):
        stubs.train(tmp_path / "run", resume=True)
    assert stubs.train(tmp_path / "run", resume=True).is_finished


def test_what_is_being_written_is_never_swept(tmp_path, monkeypatch):
    """Not even from a container in which that number is nobody's; nor is a number that is somebody else's a shield."""
    with building_folder(tmp_path / "target", replace=True) as building:
        monkeypatch.setattr(siblings, "_alive", lambda pid: False)
        sweep(tmp_path)
        write_atomic(tmp_path / "file", b"sweeps, too")
        assert building.is_dir()
        monkeypatch.undo()
    left = tmp_path / f".dltk-{os.getpid()}-left"
    left.write_bytes(b"of a process that had this number before")
    sweep(tmp_path)
    assert left.exists()  # so young it could be this one's
    os.utime(left, (0, 0))
    sweep(tmp_path)
    assert not left.exists()


def test_what_came_to_stand_there_meanwhile_is_not_replaced(tmp_path):
    (tmp_path / "run").mkdir()

    def meanwhile() -> None:
        with building_folder(tmp_path / "run", replace=False) as building:
            (building / "new").write_bytes(b"new")
            (tmp_path / "run" / "notes").write_bytes(b"of mine")

    with pytest.raises(InputError, match="must not exist yet"):
        meanwhile()
    assert small.files(tmp_path) == {"run/notes": b"of mine"}
    (tmp_path / "run" / "notes").unlink()
    with building_folder(tmp_path / "run", replace=False) as building:
        (building / "new").write_bytes(b"new")
    assert small.files(tmp_path) == {"run/new": b"new"}
