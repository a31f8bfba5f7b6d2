"""`dltk bench --host`: the whole way, what can be missing on it, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

import stub_ssh
from dltk.cli.main import cli
from dltk.edge.runtime.machine import machine

ONE = ("--artifact", "model.int8.tflite")
HERE = ("--remote-python", sys.executable)  # the login shell's own python3 may be any


def run(*words):
    return CliRunner().invoke(cli, ["bench", *(str(word) for word in words)])


def refused(code, *words):
    """The one line that a command which fails says."""
    done = run(*words)
    assert done.exit_code == code, done.output
    assert not done.stdout
    *_, line = done.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "Traceback" not in done.stderr
    return line


def test_the_whole_way(way, digits):
    done = run(digits, "--host", way.host, *HERE, *ONE, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["machine"] == {**machine(), "host": way.host}
    assert [artifact["status"] for artifact in found["validation"]["artifacts"]] == ["passed"] * 5
    (artifact,) = found["artifacts"]
    assert 0 < artifact["p50_ms"] <= artifact["p99_ms"]
    assert artifact["bytes"] == (digits / "model.int8.tflite").stat().st_size
    assert not way.left


def test_it_is_said_whose_times_these_are(tmp_path, monkeypatch, digits):
    """Also where a login shell has more to say."""
    stub_ssh.install(tmp_path, monkeypatch, before="echo 'Welcome to the pi.'; echo '{\"bytes\": 3}'")
    done = run(digits, "--host", "pi", *ONE)
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith(f"pi: {machine()['cpu']}")
    assert second == "5 of 5 artifacts give their recorded predictions on 8 golden samples"


def test_other_answers_there_are_a_missed_limit(way, wrong):
    line = refused(4, wrong, "--host", way.host, *HERE)
    assert f"{way.host}: bundle: must give its recorded predictions; received model.float32.onnx" in line
    assert not way.left


def test_a_machine_without_packages_is_told_what_to_install(way, digits, bare_python):
    line = refused(5, digits, "--host", way.host, "--remote-python", bare_python)
    assert f"{way.host}: needs NumPy; received Python 3." in line
    assert "Run there: python3 -m venv env && env/bin/pip install 'numpy>=1.24,<3' ai-edge-litert." in line
    assert not way.left


def test_a_machine_without_python_is_told_so(way, digits):
    line = refused(5, digits, "--host", way.host, "--remote-python", "no/such python")
    assert "needs Python 3.11 or newer as no/such python" in line
    assert "not found" in line or "No such file" in line


def test_an_old_python_is_told_so(stub, digits, tmp_path):
    old = tmp_path / "old"
    code = 'import sys; sys.version_info = (3, 9, 2); sys.version = "3.9.2 (main)"; '
    old.write_text(f"#!/bin/sh\nexec {sys.executable} -I -c '{code}'\"$3\"\n")
    old.chmod(0o755)
    line = refused(5, digits, "--host", stub.host, "--remote-python", old)
    assert f"{stub.host}: Python: must be 3.11 or newer; received 3.9.2." in line


@pytest.mark.parametrize(("host", "said"), [("closed", "Connection refused"), ("stranger", "Permission denied")])
def test_a_machine_out_of_reach(loopback, digits, host, said):
    line = refused(5, digits, "--host", host)
    assert line.startswith(f"Error: {host}: ssh must reach it and log in; received ")
    assert said in line
    assert "without a password" in line


MACHINE = '{"cpu": "x", "architecture": "y", "instructions": [], "threads": 1}'
GREETING = f'{{"machine": {MACHINE}, "numpy": true, "python": "3.11.2", "runtimes": ["tflite"], "bytes": 0}}'


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("echo 'ssh: no route' >&2; exit 255", "ssh must reach it and log in; received ssh: no route"),
        (f"echo 'dltk-light {GREETING}'; sleep 1; exit 255", "the connection must hold; received no word"),
        (f"echo 'dltk-light {GREETING}'; sleep 1; exit 139", "must not end before it has replied; received SIGSEGV"),
        (f"echo 'dltk-light {GREETING}'; echo nonsense; sleep 1; exit 1", "must not end before it has replied"),
        ("echo 'dltk-light {\"bytes\": 0}'; sleep 1; exit 0", "must reply as dltk does"),
        ('echo \'dltk-light {"error": {"kind": "SystemExit"}, "bytes": 0}\'', "must reply as dltk does"),
        ("echo 'dltk-light junk'; sleep 1", "must reply as dltk does"),
        ("ulimit -f 100", "the disk must have free space; received a full disk"),
    ],
)
def test_what_goes_wrong_there_is_one_line_here(tmp_path, monkeypatch, digits, before, said):
    """The last one stands for a full disk: no file may be over 51,200 bytes, and model.float32.tflite is."""
    folder = stub_ssh.install(tmp_path, monkeypatch, before=before)
    line = refused(5, digits, "--host", "pi")
    assert line.startswith("Error: pi: ")
    assert said in line
    assert not list(folder.glob("dltk-*"))


def test_there_is_no_ssh_here(tmp_path, monkeypatch, digits):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Install openssh-client" in refused(5, digits, "--host", "pi")


def test_a_damaged_bundle_is_not_sent(stub, digits, tmp_path):
    copy = shutil.copytree(digits, tmp_path / "copy")
    data = bytearray((copy / "model.int8.tflite").read_bytes())
    data[1000] ^= 1
    (copy / "model.int8.tflite").write_bytes(data)
    assert "model.int8.tflite: must have SHA-256" in refused(3, copy, "--host", stub.host)
    assert "Did you mean" in refused(3, digits, "--host", stub.host, "--artifact", "model.int8.tflit")
    assert not (stub.folder.parent / "calls").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--host", "-oProxyCommand=touch x"),
        ("--host", ""),
        ("--host", "pi;touch x"),
        ("--host", "pi@pi@pi"),
        ("--host", "pi@$(id)"),
        ("--host", "pi\n"),
        ("--host", "-pi@pi"),
        ("--host", "p" * 256),
        ("--host", "pi", "--remote-python", "-c"),
        ("--host", "pi", "--remote-python", ""),
        ("--host", "pi", "--remote-python", "python3\nid"),
        ("--remote-python", "python3"),
    ],
)
def test_wrong_wishes_reach_no_ssh(stub, digits, words):
    assert words[-2] in refused(2, digits, *words)
    assert not (stub.folder.parent / "calls").exists()


def test_no_shell_reads_the_name_of_the_python(stub, digits, tmp_path):
    mark = tmp_path / "mark"
    line = refused(5, digits, "--host", stub.host, "--remote-python", f"python3'; touch {mark}; $(touch {mark})")
    assert "needs Python 3.11" in line
    assert not mark.exists()


def measuring(host, folder, digits):
    """A dltk of its own, while it measures."""
    command = [sys.executable, "-m", "dltk.cli.main", "bench", digits, "--host", host, *HERE]
    dltk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait(lambda: any(folder.glob("dltk-*/dltk-worker-*")))
    return dltk


@pytest.mark.parametrize("name", ["stub", pytest.param("loopback", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_who_is_ended_leaves_nothing_there(request, digits, name, number, code):
    way = request.getfixturevalue(name)
    for _ in range(5):  # on a machine under load it may have ended well before the signal comes
        dltk = measuring(way.host, way.folder, digits)
        dltk.send_signal(number)
        dltk.communicate()
        if dltk.returncode:
            break
    assert dltk.returncode == code
    if number == signal.SIGKILL:
        wait(lambda: not way.left)  # nobody waited for the other side
    assert not way.left


def test_a_machine_that_goes_down_leaves_nothing_and_is_told_of(tmp_path, monkeypatch, digits):
    folder = stub_ssh.install(tmp_path, monkeypatch, before=f"echo $$ > {tmp_path}/pid")
    dltk = measuring("pi", folder, digits)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    _, words = dltk.communicate()
    assert dltk.returncode == 5
    assert b"Error: pi: must not end before it has replied" in words
    assert not list(folder.glob("dltk-*"))


def wait(wanted, seconds=60):
    """Until it is so; the time is for a machine under load."""
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.02)
