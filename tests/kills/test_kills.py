"""SIGKILL while a bundle or a Run is written: the old or the new one stands whole, and the next start tidies up."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

import killed_publish
import small
import tiny
from dltk.base import swap
from dltk.base.files import building_folder
from dltk.bundle import publish
from dltk.edge.bundle.integrity import read_bundle
from kills import calls, stubs

pytest.importorskip("ai_edge_litert")
traced = pytest.mark.skipif(bool(calls.why_not()), reason=calls.why_not() or "can be traced")


@pytest.fixture(scope="module")
def sealings():
    model = tiny.tflite()
    return killed_publish.sealing("old", model), killed_publish.sealing("new", model)


@pytest.fixture
def exchanges(request, monkeypatch):
    """With the system's exchange of two folders, and as on a file system that has none: by two renames."""
    if not request.param:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    return request.param


both = pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "two-renames"], indirect=True)


class _Publishing:
    """A bundle that stands, and one that is to replace it; the process says so once `publish` has returned."""

    def __init__(self, folder: Path, sealings) -> None:
        self.target, self.said = folder / "there" / "bundle", folder / "said"
        self.old, self.new = sealings
        self.again()

    def again(self) -> None:
        publish(self.old, self.target)
        self.said.write_bytes(b"")

    def __call__(self) -> None:
        publish(self.new, self.target)
        handle = os.open(self.said, os.O_WRONLY)
        os.write(handle, b"done")
        os.close(handle)

    def check(self, where: object, *, always_there: bool) -> str:
        """Which one stands after a kill; with two renames it may take the next start to bring it back."""
        if always_there:
            read_bundle(self.target)  # raises unless every file is what its manifest says
        with suppress(KeyboardInterrupt), building_folder(self.target, replace=True):
            raise KeyboardInterrupt  # a next start, which writes nothing itself
        assert [path.name for path in self.target.parent.iterdir()] == ["bundle"], where
        stands = read_bundle(self.target).manifest.name
        assert stands == "new" or not self.said.read_bytes(), f"{where}: acknowledged, and lost"
        return stands


def _before_calls(work, chosen, always_there):
    stood = []
    for call, number in chosen:
        assert calls.killed_before(work, call, number), (call, number)
        stood.append(work.check((call, number), always_there=always_there))
        work.again()
    return stood


@traced
@both
def test_a_bundle_and_a_kill_before_a_system_call(tmp_path, sealings, exchanges):
    work = _Publishing(tmp_path, sealings)
    found = calls.every(work)
    assert {"write", "fsync", "mkdir", "renameat2" if exchanges else "rename"} <= {call for call, _ in found}
    work.again()
    _before_calls(work, calls.some(found, 10, seed=1), exchanges)


@pytest.mark.slow
@traced
@both
def test_a_bundle_and_a_kill_before_every_system_call(tmp_path, sealings, exchanges):
    work = _Publishing(tmp_path, sealings)
    found = calls.every(work)
    work.again()
    assert set(_before_calls(work, found, exchanges)) == {"old", "new"}


@pytest.mark.slow
@both
def test_a_bundle_and_200_random_kills(tmp_path, sealings, exchanges):
    work = _Publishing(tmp_path, sealings)
    count, stood = calls.moments(work), []
    for moment in sorted({*random.Random(3).sample(range(1, count), 200), count - 1}):  # the last: it is done by then
        work.again()
        calls.killed_at(work, moment)
        stood.append(work.check(moment, always_there=exchanges))
    assert set(stood) == {"old", "new"}


class _Training:
    """A Run that is begun and brought to its end; each time in a folder of its own."""

    def __init__(self, folder: Path, wanted: dict[str, bytes]) -> None:
        self.folder, self.recipe, self.count, self.wanted = folder, stubs.recipe_file(folder), 0, wanted
        self.again()

    def again(self) -> None:
        self.count += 1
        self.run = self.folder / f"run{self.count}"

    def __call__(self) -> None:
        stubs.train(self.run, recipe=self.recipe)
        (self.folder / f"said{self.count}").write_bytes(b"done")

    def check(self, where: object, *, always_there: bool) -> str:
        """`--resume` of what a kill left gives what an undisturbed run gives; nothing is half believed."""
        acknowledged = (self.folder / f"said{self.count}").is_file()
        assert not acknowledged or _without_times(self.run) == self.wanted, f"{where}: acknowledged, and lost"
        stubs.train(self.run, recipe=self.recipe, resume=True)
        assert _without_times(self.run) == self.wanted, where
        return "new" if acknowledged else "old"


def _without_times(run: Path) -> dict[str, bytes]:
    """Files of a Run but those that hold seconds; a leftover would be among them."""
    found = small.files(run)
    del found["history.csv"], found["checkpoints/fit.npz"]
    return found


@pytest.fixture
def training(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    (tmp_path / "undisturbed").mkdir()
    run = stubs.train(tmp_path / "undisturbed" / "run", recipe=stubs.recipe_file(tmp_path / "undisturbed"))
    return _Training(tmp_path, _without_times(run.path))


@traced
def test_a_run_and_a_kill_before_a_system_call(training):
    found = calls.every(training)
    assert {"write", "fsync", "mkdir", "rename"} <= {call for call, _ in found}
    training.again()
    _before_calls(training, [("fsync", 3), ("rename", 2), *calls.some(found, 10, seed=2)], True)  # in recipe.json first


@pytest.mark.slow
@traced
def test_a_run_and_a_kill_before_every_system_call(training):
    found = calls.every(training)
    training.again()
    _before_calls(training, found, True)


@pytest.mark.slow
def test_a_run_and_200_random_kills(training):
    count = calls.moments(training)
    for moment in sorted(random.Random(4).sample(range(1, count), 200)):
        training.again()
        calls.killed_at(training, moment)
        training.check(moment, always_there=True)
