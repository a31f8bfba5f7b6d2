"""A device's Python: the packages that are named, in a folder of their own, and no way to what is installed here."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["packages", "run"]

_START = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
if {old}:
    sys.version_info = (3, 9, 0, "final", 0)
runpy.run_path(sys.argv[0], run_name={name!r})
"""


def packages(folder: Path, *names: str) -> Path:
    """A folder that holds links to the distributions `names`, and to nothing else."""
    folder.mkdir()
    for name in names:
        for file in importlib.metadata.files(name) or ():
            top = file.parts[0]
            if not (folder / top).exists() and not top.startswith("."):
                os.symlink(Path(str(file.locate())).parents[len(file.parts) - 1] / top, folder / top)
    return folder


def run(
    site: Path, script: Path, *words: object, old: bool = False, name: str = "__main__"
) -> subprocess.CompletedProcess:
    """`python script WORDS` with the packages in `site` and the standard library; `old`: as Python 3.9 calls itself."""
    code = _START.format(old=old, name=name)
    command = [sys.executable, "-I", "-S", "-c", code, str(site), str(script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
