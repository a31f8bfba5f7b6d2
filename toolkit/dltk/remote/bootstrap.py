"""The first program on the other machine: it creates the folder, starts the agent in it, and cleans up.

Its text is sent through ssh and read by whatever Python 3 is there, so it imports nothing of dltk and uses nothing new:
an old one must be able to report that it is too old. On standard input follow the size of a zip of sources, a line,
and the zip.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile

__all__ = ["main"]

_OLDEST = [3, 11]
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
_START = "import sys; sys.path.insert(0, sys.argv[1]); from dltk.remote.agent import main; main(sys.argv[2])"


def main() -> None:
    """Run the agent until it ends; the folder is removed in any case."""
    size = int(sys.stdin.buffer.readline())
    sources = sys.stdin.buffer.read(size)
    if len(sources) != size:
        sys.exit(1)
    if list(sys.version_info[:2]) < _OLDEST:
        _refuse("Python", "must be 3.11 or newer", sys.version.split()[0], "Name one with --remote-python PATH.")
    for number in _SIGNALS:  # before the folder is there: from here on one of them unwinds the stack
        signal.signal(number, _end)
    folder = None
    try:
        folder = tempfile.mkdtemp(prefix="dltk-")
        light = os.path.join(folder, "light")
        zipfile.ZipFile(io.BytesIO(sources)).extractall(light)
        code = _run([sys.executable, "-I", "-c", _START, light, folder])
    except OSError as fault:
        _refuse("the temporary folder", "must take files", fault.strerror, "Free some space there, or set TMPDIR.")
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code if code >= 0 else 128 - code)


def _run(command: "list[str]") -> int:
    """The exit code of the agent; nothing writes into the folder after this ends."""
    light = subprocess.Popen(command)
    try:
        return light.wait()
    finally:
        light.terminate()
        light.wait()


def _end(*_: object) -> None:
    for number in _SIGNALS:  # a second one must not cut the clean-up short
        signal.signal(number, signal.SIG_IGN)
    sys.exit(1)


def _refuse(where: str, rule: str, received: object, hint: str) -> None:
    """Report it in the form of a reply, and end."""
    error = {"kind": "EnvironmentFault", "where": where, "rule": rule, "received": received, "hint": hint}
    sys.stdout.write("dltk-light " + json.dumps({"error": error, "bytes": 0}) + "\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
