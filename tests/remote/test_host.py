"""A host as one of the machines that model files are timed on, and the files on their way there."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

import tiny
from dltk.base.errors import DltkError, EnvironmentFault, InputError, LimitError, as_error
from dltk.edge.runtime.worker import run_worker
from dltk.remote.host import connect
from dltk.remote.link import Link
from dltk.remote.wire import pack, unpack

pytest.importorskip("ai_edge_litert")


def test_answers_are_from_here_and_times_from_there_once_for_each_file(stub, monkeypatch):
    asked, ask = [], Link.ask
    monkeypatch.setattr(Link, "ask", lambda link, *given, **named: asked.append(given) or ask(link, *given, **named))
    data = tiny.tflite()
    with connect(stub.host) as host:
        first, again = (host.run(data, "tflite", tiny.SIGNATURE, tiny.raws(3)) for _ in range(2))
        with pytest.raises(InputError, match="must be a TFLite file"):
            host.run(b"no model", "tflite", tiny.SIGNATURE, tiny.raws(3))
    expected = run_worker(data, "tflite", tiny.SIGNATURE, tiny.raws(3))
    assert np.array_equal(first.outputs["logits"], expected.outputs["logits"])
    assert first.milliseconds == again.milliseconds
    assert first.milliseconds["p50"] > 0
    assert len(asked) == 1  # the one that does not load here is not sent
    assert host.machine["host"] == stub.host
    assert not stub.left


def test_what_does_not_load_there_is_an_input_error_that_names_the_machine(stub, monkeypatch):
    monkeypatch.setattr("dltk.remote.host.run_worker", lambda *given: None)
    with connect(stub.host) as host, pytest.raises(InputError, match=rf"^{stub.host}: .*must be a TFLite file"):
        host.run(b"no model", "tflite", tiny.SIGNATURE, tiny.raws(3))


def test_a_runtime_that_is_missing_there_is_named(stub):
    with connect(stub.host) as host:
        host.runtimes = ("onnx",)
        host.require("tflite", "onnx")
        with pytest.raises(EnvironmentFault, match=r"needs a runtime for tflite; received onnx.*ai-edge-litert"):
            host.require("tflite")


def test_a_fault_of_its_own_there_is_one_of_that_machine(stub):
    with connect(stub.host) as host:
        with pytest.raises(EnvironmentFault, match=f"{stub.host}: dltk there: must not fail; received .*KeyError"):
            host.ask({"op": "nothing"}, {})
        with pytest.raises(InputError, match="archive"):
            host.ask({"op": "validate"}, {}, {"../escaped": b""})
    assert not stub.left


def test_files_arrive_as_they_were(tmp_path):
    files = {"manifest.json": b"{}", "größe.bin": bytes(range(256)) * 50, "empty": b""}
    unpack(pack(files), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files


def entry(name, kind=tarfile.REGTYPE):
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, "/etc/passwd"
    return made


@pytest.mark.parametrize(
    "member",
    [
        entry("../up"), entry("/abs"), entry("a/b"), entry("."), entry(".hidden"), entry("a", tarfile.SYMTYPE),
        entry("a", tarfile.LNKTYPE), entry("a", tarfile.DIRTYPE), entry("a", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name} {member.type.decode()}",
)  # fmt: skip
def test_only_plain_files_are_unpacked(tmp_path, member):
    stream, inside = io.BytesIO(), tmp_path / "inside"
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(member)
    inside.mkdir()
    with pytest.raises(InputError, match="archive"):
        unpack(stream.getvalue(), inside)
    assert not list(inside.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_damaged_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="sound tar"):
        unpack(b"x" * 2000, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        DltkError("a", "b"),
        EnvironmentFault("a", "b", "c", "d"),
        LimitError("a", "b", 3, "d", measured={"passed": False}),
    ],
)
def test_an_error_is_the_same_in_another_process(error):
    again = as_error(error.as_dict())
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert getattr(again, "measured", None) == getattr(error, "measured", None)
