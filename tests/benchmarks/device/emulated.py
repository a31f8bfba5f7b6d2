"""A Python of another processor: Debian's, with wheels for it, run by QEMU.

QEMU 7.2 crashes in the runtimes; 10 and later do not. Both Pythons are 3.11, as in Debian 12.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from device.debian import unpacked
from device.kit import Missing
from support.shell import ROOT

__all__ = ["Emulated", "emulated", "wheels"]

_EMULATOR_SUITE, _ROOT_SUITE = "trixie", "bookworm"
_PYTHON = "3.11"
_HOST = {"x86_64": "amd64", "aarch64": "arm64"}  # as Debian calls it


@dataclass(frozen=True)
class Emulated:
    """Runs scripts in the emulated Python.

    Attributes:
        emulator: the QEMU program.
        root: folder that the emulated programs look in first; what is not there they see of this machine.
        packages: folders that modules are imported from.
        libraries: folders of shared libraries that stand apart.
    """

    emulator: Path
    root: Path
    packages: tuple[Path, ...]
    libraries: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, processor: str, script: Path, *words: str | Path) -> tuple[list[str], dict[str, str]]:
        """The command that runs `script`, and its whole environment."""
        python = self.root / f"usr/bin/python{_PYTHON}"
        named = {
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, self.libraries)),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        line = [self.emulator, "-cpu", processor, "-L", self.root, python, "-s", script, *words]
        return [str(word) for word in line], {key: value for key, value in named.items() if value}


def emulated(
    work: Path,
    architecture: str,
    program: str,
    packages: Sequence[str],
    site: Path,
    libraries: Sequence[str] = (),
) -> Emulated:
    """Fetch what is not there yet: QEMU beside `work` (targets share it), a root with Debian's `packages` in it.

    Args:
        architecture: Debian's name of it.
        program: of QEMU.
        site: folder of wheels unpacked by `wheels`.
        libraries: folders below the root, of shared libraries that are chosen by links that only an installation makes.

    Raises:
        Missing: if something cannot be had.
    """
    host = _HOST.get(os.uname().machine)
    if host is None:
        raise Missing(f"nothing is known of QEMU on {os.uname().machine}")
    qemu = unpacked(work.parent / "qemu", _EMULATOR_SUITE, host, ["qemu-user"]) / "usr/bin" / program
    root = unpacked(work / "root", _ROOT_SUITE, architecture, packages)
    source = work / "dltk"  # a copy, as a device has it: `toolkit` may change while the emulator runs
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "toolkit", source, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    from_debian = root / "usr/lib/python3/dist-packages"
    return Emulated(qemu, root, (source, site, from_debian), tuple(root / name for name in libraries))


def wheels(folder: Path, wanted: Sequence[str], platforms: Sequence[str]) -> Path:
    """Wheels of another processor, unpacked into `folder` once; `wanted` are exact ("numpy==2.4.6").

    Raises:
        Missing: naming the wheel that there is not.
    """
    stamp, words = folder / ".wheels", " ".join(wanted)
    if stamp.is_file() and stamp.read_text() == words:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    named = [word for platform in platforms for word in ("--platform", platform)]
    command = [
        *(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", _PYTHON, *named, "-d", folder / "fetched", *wanted),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        faults = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        raise Missing(f"a wheel for {platforms[0]} cannot be had: {faults[-1]}")
    for wheel in sorted((folder / "fetched").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    shutil.rmtree(folder / "fetched")
    stamp.write_text(words)
    return folder
