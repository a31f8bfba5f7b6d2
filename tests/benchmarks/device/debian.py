"""Debian packages of any architecture, unpacked into a folder: nothing is installed, and apt's own files stay."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from device.kit import Missing

__all__ = ["unpacked"]

_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def unpacked(folder: Path, suite: str, architecture: str, packages: Sequence[str]) -> Path:
    """`folder` with `packages` and all that they depend on, from Debian's `suite`; fetched once.

    Raises:
        Missing: if this is no Debian machine, or its mirror does not answer.
    """
    stamp, words = folder / ".unpacked", " ".join((suite, architecture, *packages))
    if stamp.is_file() and stamp.read_text() == words:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    apt = folder / "apt"
    environment = _private(apt, suite, architecture)
    _call(["apt-get", "-q", "update"], environment)
    _call(["apt-get", "-q", "-y", "--download-only", "--no-install-recommends", "install", *packages], environment)
    for archive in sorted((apt / "archives").glob("*.deb")):
        _call(["dpkg-deb", "-x", archive, folder])
    shutil.rmtree(apt)
    stamp.write_text(words)
    return folder


def _private(apt: Path, suite: str, architecture: str) -> Mapping[str, str]:
    """A configuration that keeps apt's state below `apt`, and in which nothing is installed yet."""
    if not _KEYS.is_file():
        raise Missing(f"Debian's keys are not at {_KEYS}: install debian-archive-keyring")
    for name in ("lists/partial", "archives/partial"):
        (apt / name).mkdir(parents=True)
    (apt / "status").touch()
    (apt / "sources.list").write_text(f"deb [signed-by={_KEYS}] {_mirror()} {suite} main\n")
    lines = {
        "Dir::State": apt,
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt,
        "Dir::Cache::archives": apt / "archives",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",  # the folder belongs to whoever runs this
        "Debug::NoLocking": "1",  # dpkg's lock is another's
    }
    (apt / "apt.conf").write_text("".join(f'{key} "{value}";\n' for key, value in lines.items()))
    return {"APT_CONFIG": str(apt / "apt.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def _mirror() -> str:
    """Where this machine gets Debian from."""
    found = _call(["apt-get", "indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)"])
    places = [line.removeprefix("Debian Debian ") for line in found.splitlines() if line.startswith("Debian Debian ")]
    if not places:
        raise Missing("apt knows no mirror of Debian: run `apt-get update` on a Debian machine")
    return places[0]


def _call(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Its stdout."""
    if shutil.which(str(command[0])) is None:
        raise Missing(f"{command[0]} is not here: Debian packages are fetched with it")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Missing(f"{command[0]} {command[-1]} failed: {' '.join(last)}")
    return done.stdout
