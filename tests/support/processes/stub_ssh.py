"""In place of ssh: a program of that name that runs the command here, so that all but the transport can be tested."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

__all__ = ["install"]

# As sshd does: a login shell in the home folder that gets one line, and an environment of its own.
_SCRIPT = """#!/bin/sh
echo "$@" >> {folder}/calls
while [ "$1" != -- ]; do shift; done
shift 2
{before}
cd {home}
exec env -i HOME="$PWD" PATH={path} TMPDIR={tmp} sh -c "$*"
"""


def install(folder: Path, monkeypatch, *, before: str = "", python: str | Path = sys.executable) -> Path:
    """Put the stub first on PATH; its `python3` is `python`.

    Args:
        before: lines of the shell that run first; `exit` in them is ssh's own end.

    Returns:
        The folder in which the other side makes its own.
    """
    for name in ("bin", "home", "tmp"):
        (folder / name).mkdir(parents=True)
    words = {"folder": folder, "home": folder / "home", "tmp": folder / "tmp"}
    words["path"] = f"{Path(python).parent}:/usr/bin:/bin"
    program = folder / "bin" / "ssh"
    program.write_text(_SCRIPT.format(before=before, **{key: shlex.quote(str(text)) for key, text in words.items()}))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=":")
    return folder / "tmp"
