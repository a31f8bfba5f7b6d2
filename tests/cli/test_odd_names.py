"""Names that a file system cannot hold, or that are no text, end in one line; a full folder for temporary files too."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from dltk.base.errors import EnvironmentFault
from dltk.base.files import scratch_folder
from small import QUIET, invoke

pytestmark = QUIET

LONG = "x" * 300


def one_line(done, code):
    assert done.exit_code == code, done.output
    assert done.stderr.count("Error: ") == 1
    assert "Traceback" not in done.output
    return done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("finetune", "cnn", "--data", "digits", "--smoke", "--run", LONG),
        ("finetune", "cnn", "--data", LONG, "--smoke", "--run", "r"),
        ("finetune", "cnn", "--data", f"a/{LONG}", "--smoke", "--run", "r"),
        ("adopt", f"{LONG}.keras", "--recipe", "cnn", "--data", "digits", "--run", "r"),
        ("compress", LONG),
        ("export", LONG),
        ("report", LONG),
    ],
)
def test_a_name_over_255_bytes(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    said = one_line(invoke(*words), 3)
    assert "File name too long" in said or "nothing there" in said or "must exist" in said
    assert list(tmp_path.iterdir()) == []


def test_names_of_a_run_and_a_bundle_that_are_no_utf8(trained, tmp_path):
    for words in (
        ("finetune", "cnn", "--data", "digits", "--smoke", "--run", tmp_path / os.fsdecode(b"r\xe9n")),
        ("compress", trained.path, "--run", tmp_path / os.fsdecode(b"r\xe9n")),
        ("export", trained.path, "--out", tmp_path / os.fsdecode(b"b\xe9")),
    ):
        assert "must have a name in UTF-8" in one_line(invoke(*words), 3)
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_for_temporary_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(EnvironmentFault, match=rf"{tmp_path}: the disk must have free space.*set TMPDIR"),
        scratch_folder("a"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(EnvironmentFault, match=rf"{tmp_path}/none.*must be writable.*set TMPDIR"), scratch_folder("a"):
        pass


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="of Linux: a regular file that no read gets through")
@pytest.mark.parametrize("command", ["predict", "validate", "bench", "report", "export", "compress"])
def test_a_file_that_cannot_be_read_is_one_error(command):
    done = invoke(command, "/proc/self/mem", *(["x"] if command == "predict" else []))
    assert done.exit_code == 3, done.output
    assert "/proc/self/mem: must be a" in done.stderr
