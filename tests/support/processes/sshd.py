"""A real sshd of one's own on loopback: keys, configuration and port are of this test alone."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["Refused", "key", "serve"]

_SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PermitUserEnvironment no
SetEnv {environment}
"""
_CLIENT = """
Host loopback
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/client_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
Host closed
    HostName 127.0.0.1
    Port {closed}
Host stranger
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {folder}/other_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


class Refused(Exception):
    """There can be no sshd here: the text says why."""


@contextmanager
def serve(folder: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Run sshd until the block ends; gives a folder with a program `ssh`, to be put first on PATH.

    That ssh knows `loopback` (lets in), `stranger` (whose key is refused) and `closed` (where nobody listens).

    Args:
        folder: takes keys and configuration.
        environment: what programs see that are started through ssh.

    Raises:
        Refused: if sshd or ssh is missing, or does not run as this user.
    """
    server, client = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin"), shutil.which("ssh")
    if not server or not client or not shutil.which("ssh-keygen"):
        raise Refused("sshd is not here: apt-get install openssh-server")
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        raise Refused("sshd wants its folder: mkdir -m 755 /run/sshd")
    words = {"folder": folder, "port": _free_port(), "closed": _free_port(), "user": getpass.getuser()}
    words["environment"] = " ".join(f'{name}="{value}"' for name, value in environment.items())
    for name in ("host_key", "client_key", "other_key"):
        key(folder / name)
    (folder / "sshd_config").write_text(_SERVER.format(**words))
    (folder / "ssh_config").write_text(_CLIENT.format(**words))
    known = (folder / "host_key.pub").read_text()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{words['port']} {known}")
    (folder / "bin").mkdir()
    program = folder / "bin" / "ssh"
    program.write_text(f'#!/bin/sh\nexec {client} -F {shlex.quote(str(folder / "ssh_config"))} "$@"\n')
    program.chmod(0o755)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([server, "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    try:
        _wait(process, int(words["port"]), folder / "log")
        yield folder / "bin"
    finally:
        process.terminate()
        process.wait()


def key(path: Path) -> None:
    """A new key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise Refused(f"sshd does not run here: {log.read_text().strip()}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise Refused("sshd does not listen within 10 s")
