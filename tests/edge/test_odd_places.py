"""Paths, keys and numbers that no system takes, and systems that lack something: one line each."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

import small
import tiny
from dltk.base.errors import EnvironmentFault, InputError, UsageError
from dltk.base.fetch import cache_folder
from dltk.base.files import building_folder, write_atomic
from dltk.edge import bench, load, replay
from dltk.edge.bundle.seal import check_seal, private_key
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.wav import read_wav
from dltk.edge.runtime.worker import run_worker
from dltk.edge.sources import read_table
from dltk.report import collect

ODD = ["a\0b", "x" * 256, "x/" * 5000, "\udcff" * 200]


@pytest.mark.parametrize("path", ODD, ids=["nul", "long name", "long path", "no UTF-8"])
@pytest.mark.parametrize("reads", [load, replay, bench, decode_image, read_wav, read_table])
def test_a_path_that_cannot_be_is_an_input_error(path, reads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        reads(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("path", ["a\0b", "x" * 256, "a/" + "x" * 256 + "/c"])
def test_nor_can_it_be_written(path, tmp_path):
    with pytest.raises(InputError):
        write_atomic(tmp_path / path, b"")
    with pytest.raises(InputError), building_folder(tmp_path / path, replace=True):
        pass


@pytest.mark.parametrize("threads", [0, -1, 257, 10**9, True, 1.5, "2"])
def test_threads_are_a_sane_number(bundle, threads):
    for reads in (load, bench):
        with pytest.raises(UsageError, match="threads: must be a whole number from 1 to 256"):
            reads(bundle, threads=threads)


def test_a_home_that_is_not_there_is_one_error(monkeypatch, tmp_path):
    code = (
        "import os, pwd\n"
        "for name in ('HOME', 'DLTK_CACHE', 'XDG_CACHE_HOME'): os.environ.pop(name, None)\n"
        "def unknown(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = unknown\n"
        "from dltk.cli.main import cli; cli(['cache'], prog_name='dltk')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=small.environment())
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1), done.stderr
    assert "this user has no home" in done.stderr
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    assert cache_folder("x") == tmp_path / "dltk-cache" / "x"


def test_a_full_temporary_folder_is_named(monkeypatch):
    def full(*given, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(EnvironmentFault, match=r"temporary folder /.*: must take files; .*No space.*set TMPDIR"):
        run_worker(b"x", "onnx", tiny.SIGNATURE, tiny.raws(1))


def test_a_key_file_holds_one_key():
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    made = [Ed25519PrivateKey.generate() for _ in range(2)]
    none, pem = serialization.NoEncryption(), serialization.Encoding.PEM
    private = [key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none) for key in made]
    public = [key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo) for key in made]
    assert private_key(private[0])
    with pytest.raises(InputError, match="must hold exactly one key; received 2"):
        private_key(private[0] + private[1])
    check_seal(b"data", made[0].sign(b"data"), public[0], "here")
    for data in (public[0] + public[1], public[0] * 2, public[0] + b"x" * 10_000):
        with pytest.raises(InputError, match=r"exactly one key|at most 10000 bytes"):
            check_seal(b"data", made[0].sign(b"data"), data, "here")


def test_report_asks_for_a_signature_too(bundle, tmp_path):
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate().public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert collect(bundle)["kind"] == "bundle"
    with pytest.raises(InputError, match="must be signed"):
        collect(bundle, verify=pem)
    (tmp_path / "public.pem").write_bytes(pem)
    done = small.invoke("report", str(bundle), "--verify", str(tmp_path / "public.pem"))
    assert done.exit_code == 3
