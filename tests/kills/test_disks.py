"""Full disks and folders that cannot be written: what stood there stays, nothing partial is left, the error is a line.

Three ways: a small file system of its own (needs root) is a real full disk; a limit on the size of files goes the same
way through dltk, with EFBIG in place of ENOSPC; strace lets each system call in turn fail with the error given.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

import killed_publish
import small
import tiny
from dltk.base.disk import allocate
from dltk.base.errors import EnvironmentFault
from dltk.base.files import write_atomic
from dltk.bundle import publish
from dltk.edge.bundle.integrity import read_bundle
from kills import calls, stubs

pytest.importorskip("ai_edge_litert")
traced = pytest.mark.skipif(bool(calls.why_not()), reason=calls.why_not() or "can be traced")


@pytest.fixture(scope="module")
def sealings():
    model = tiny.tflite()
    return killed_publish.sealing("old", model), killed_publish.sealing("new", model)


@contextmanager
def mounted(folder: Path, size: str):
    """`folder` as a file system of that size; skips where this process may not mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free in the file system of `folder`."""
    with (folder / "filler").open("wb", buffering=0) as stream, suppress(OSError):
        while stream.write(bytes(4096)):
            pass


def one_line(text: str) -> bool:
    return text.startswith("Error: ") and text.count("\n") == 1 and "Traceback" not in text


def test_a_full_disk_costs_no_bundle(tmp_path, sealings):
    with mounted(tmp_path / "disk", "256k") as disk:
        publish(sealings[0], disk / "bundle")
        before = small.files(disk)
        fill(disk)
        with pytest.raises(EnvironmentFault, match="must have free space; received a full disk"):
            publish(sealings[1], disk / "bundle")
        (disk / "filler").unlink()
        assert small.files(disk) == before
        publish(sealings[1], disk / "bundle")  # and with room again
        assert read_bundle(disk / "bundle").manifest.name == "new"


def test_a_full_disk_costs_no_file(tmp_path):
    with mounted(tmp_path / "disk", "64k") as disk:
        write_atomic(disk / "report.html", b"old")
        fill(disk)
        said = tmp_path / "said"
        work = calls.as_command(lambda: write_atomic(disk / "report.html", bytes(100_000)), said)
        assert calls.plain(work) == 5
        assert one_line(said.read_text())
        assert (disk / "report.html").read_bytes() == b"old"
        assert len(list(disk.iterdir())) == 2


def test_a_map_on_a_full_disk_is_an_error_and_no_bus_error(tmp_path):
    """The caches of decoded samples and of features are memory maps."""
    with mounted(tmp_path / "disk", "256k") as disk:
        np.lib.format.open_memmap(disk / "map.npy", mode="w+", dtype=np.uint8, shape=(10_000_000,))
        with pytest.raises(OSError, match="No space left"):
            allocate(disk / "map.npy")


def test_a_run_on_a_full_disk_goes_on_once_there_is_room(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    monkeypatch.setattr(sys.modules["dltk.workflows.finetune"], "require_place", lambda *given: None)  # full later on
    whole = small.files(stubs.train(tmp_path / "whole").path)
    with mounted(tmp_path / "disk", "128k") as disk:
        fill(disk)
        os.truncate(disk / "filler", (disk / "filler").stat().st_size - 8 * 4096)  # room for the first files
        with pytest.raises(EnvironmentFault, match="a full disk"):
            stubs.train(disk / "run")
        (disk / "filler").unlink()
        found = small.files(stubs.train(disk / "run", resume=True).path)
    assert found.keys() == whole.keys()
    assert found["model.keras"] == whole["model.keras"]


def test_a_folder_that_may_only_be_read(tmp_path, sealings):
    with mounted(tmp_path / "disk", "256k") as disk:
        publish(sealings[0], disk / "bundle")
        before = small.files(disk)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        said = tmp_path / "said"
        works = [
            lambda: publish(sealings[1], disk / "bundle"),
            lambda: publish(sealings[1], disk / "other"),
            lambda: write_atomic(disk / "report.html", b"new"),
            lambda: stubs.train(disk / "run"),
        ]
        with pytest.MonkeyPatch.context() as patch:
            stubs.put_in_place(patch)
            for work in works:
                assert calls.plain(calls.as_command(work, said)) == 5
                assert one_line(said.read_text())
                assert "Read-only file system" in said.read_text()
        assert small.files(disk) == before


@pytest.mark.skipif(sys.platform == "win32", reason="limits of processes")
def test_a_file_that_may_not_grow(tmp_path, sealings):
    """As on FAT32 above 4 GB."""
    publish(sealings[0], tmp_path / "there" / "bundle")
    before, said = small.files(tmp_path / "there"), tmp_path / "said"

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # the manifest is larger
        publish(sealings[1], tmp_path / "there" / "bundle")

    assert calls.plain(calls.as_command(work, said)) == 5
    assert one_line(said.read_text())
    assert small.files(tmp_path / "there") == before


def _failing(tmp_path, sealings, chosen, error):
    target, said = tmp_path / "there" / "bundle", tmp_path / "said"
    work = calls.as_command(lambda: publish(sealings[1], target), said)
    for call, number in chosen:
        publish(sealings[0], target)
        if (call, number) == ("mkdir", 1):
            continue  # of the parent, which is there: that it cannot be made is no news
        assert calls.failing(work, call, number, error) == 5, (call, number)
        assert one_line(said.read_text()), said.read_text()
        # The last fsync is of the parent, after the swap: then the new one stands.
        assert read_bundle(target).manifest.name in {"old", "new"}
        assert [path.name for path in target.parent.iterdir()] == ["bundle"]


_KINDS = ("write", "fsync", "mkdir", "rename", "renameat2")


@traced
def test_a_system_call_that_finds_the_disk_full(tmp_path, sealings):
    publish(sealings[0], tmp_path / "there" / "bundle")
    found = calls.every(lambda: publish(sealings[1], tmp_path / "there" / "bundle"), _KINDS)
    _failing(tmp_path, sealings, calls.some(found, 6, seed=1), "ENOSPC")


@pytest.mark.slow
@traced
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EROFS", "EACCES"])
def test_every_system_call_that_fails(tmp_path, sealings, error):
    publish(sealings[0], tmp_path / "there" / "bundle")
    found = calls.every(lambda: publish(sealings[1], tmp_path / "there" / "bundle"), _KINDS)
    _failing(tmp_path, sealings, found, error)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_results_that_cannot_be_printed():
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "dltk.cli.main", "recipes"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5
    assert one_line(done.stderr)
