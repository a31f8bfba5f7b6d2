"""What goes to the other machine before anything else: the text that starts there, and the light side as a zip."""

from __future__ import annotations

import io
import shlex
import zipfile
from pathlib import Path

import dltk
from dltk.remote import bootstrap

__all__ = ["remote_command", "starter"]

_PACKAGES = ("base", "edge", "remote")
# Runs what comes on standard input, after its length: the command line stays short and the same in every shell.
_RUN = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"


def remote_command(python: str) -> str:
    """The command line for the login shell of the other machine."""
    return f"exec {shlex.quote(python)} -I -c {shlex.quote(_RUN)}"


def starter() -> bytes:
    """What `remote_command` reads: length and text of `bootstrap`, length and bytes of the sources."""
    program, sources = Path(bootstrap.__file__).read_bytes(), _sources()
    return b"%d\n%b%d\n%b" % (len(program), program, len(sources), sources)


def _sources() -> bytes:
    root, stream = Path(dltk.__file__).parent, io.BytesIO()
    found = [root / "__init__.py", *(path for name in _PACKAGES for path in sorted((root / name).rglob("*.py")))]
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in found:
            archive.writestr(f"dltk/{path.relative_to(root).as_posix()}", path.read_bytes())
    return stream.getvalue()
