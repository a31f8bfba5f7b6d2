"""A bundle, and two machines to measure it on: one behind a real sshd, one behind a program that stands in for ssh."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

import sshd
import stub_ssh
import tiny

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Way:
    """A machine, as `--host` takes it, and the folder in which the other side makes its own."""

    host: str
    folder: Path

    @property
    def left(self) -> list[Path]:
        """What the other side left there."""
        return list(self.folder.glob("dltk-*"))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A running sshd: the folder with its `ssh`, and the temporary folder at the other end."""
    folder, there = tmp_path_factory.mktemp("sshd"), tmp_path_factory.mktemp("there")
    try:
        with sshd.serve(folder, {"TMPDIR": str(there)}) as programs:
            yield programs, there
    except sshd.Refused as fault:
        pytest.skip(str(fault))


@pytest.fixture
def loopback(server, monkeypatch):
    """Behind the real sshd."""
    programs, there = server
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    return Way("loopback", there)


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Behind the program that stands in for ssh."""
    return Way("pi@raspberrypi", stub_ssh.install(tmp_path / "ssh", monkeypatch))


@pytest.fixture(params=["stub", "loopback"])
def way(request):
    """Both, one after the other."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def digits():
    """The bundle that is kept in the repository."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("onnxruntime")
    return ROOT / "exported" / "digits"


@pytest.fixture
def wrong(tmp_path):
    """A sound bundle with a file that gives other answers than its golden samples say."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    models = {"model.float32.tflite": tiny.tflite(), "model.float32.onnx": tiny.onnx(shift=1.0)}
    tiny.write_bundle(tmp_path / "wrong", models)
    return tmp_path / "wrong"


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory):
    """A Python without any package."""
    import venv

    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"
