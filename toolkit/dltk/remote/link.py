"""One ssh connection with a Python process at its other end."""

from __future__ import annotations

import io
import os
import re
import shlex
import signal
import subprocess
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import dltk
from dltk.base.errors import DltkError, EnvironmentFault, InputError, UsageError, as_error
from dltk.base.progress import SILENT, Progress
from dltk.remote import bootstrap
from dltk.remote.answers import GREETING, Form, fits
from dltk.remote.watch import LastWords, Patience
from dltk.remote.wire import MARK, read_reply, receive, send

__all__ = ["Link", "remote_command", "require_host", "bootstrap_payload"]

# No questions, no forwarding, and a dead network is noticed within a minute. All else is the user's configuration.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3",
            "ClearAllForwardings=yes", "RemoteCommand=none", "LogLevel=ERROR")  # fmt: skip
_SSH = ("ssh", "-T", "-x", "-a", *(word for option in _OPTIONS for word in ("-o", option)))
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII)
_GREETING_SECONDS, _CLOSING_SECONDS = 90, 15
# While it works the other side says every few seconds that it is there; and nothing that is asked takes hours.
_SILENT_SECONDS, _LONGEST_SECONDS = 60, 7200
_NOISE = 1000  # lines that a login shell may print before the greeting
_SSH_FAILED = 255
_ERROR_KEYS = ("kind", "where", "rule", "received", "hint", "measured")


def require_host(host: str, python: str) -> None:
    """Raise UsageError unless `host` is USER@HOST, or HOST, and `python` can be the name of a program."""
    if not _HOST.fullmatch(host) or len(host) > 255:
        hint = "Set ports and keys in ~/.ssh/config, under a name that you pass as --host."
        raise UsageError("--host", "must be USER@HOST", host, hint)
    if not python or python.startswith("-") or not python.isprintable():
        raise UsageError("--remote-python", "must be a program, such as python3 or env/bin/python", python)


class Link:
    """Started by the constructor; `close` ends the remote process, which removes its folder.

    Attributes:
        host: as the user wrote it.
        greeting: facts that the remote process sends about itself.

    Raises:
        UsageError: if `host` or `python` is none.
        EnvironmentFault: if there is no ssh here, the machine is out of reach, or Python is missing there.
    """

    def __init__(self, host: str, python: str) -> None:
        require_host(host, python)
        self.host, self._python, self.greeting = host, python, dict[str, Any]()
        try:
            # A session of its own: Ctrl-C reaches dltk alone, which then ends the other side in order.
            self._process = subprocess.Popen(
                [*_SSH, "--", host, remote_command(python)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as fault:
            raise EnvironmentFault("--host", "needs the ssh of OpenSSH", hint="Install openssh-client.") from fault
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        self._words = LastWords(self._process.stderr)
        self._patience = Patience(_GREETING_SECONDS, _GREETING_SECONDS, self._kill)
        try:
            self.greeting = self._handshake()
        except BaseException:
            self.close()
            raise

    def ask(
        self, head: Mapping[str, Any], form: Form, payload: bytes = b"", *, progress: Progress = SILENT
    ) -> dict[str, Any]:
        """The result of a request, of the form `form`.

        Raises:
            DltkError: as it was raised there, with the machine's name before its place.
            EnvironmentFault: if the connection or the remote process ends, is silent for a minute, or sends an invalid
            reply.
        """
        self._patience = Patience(_SILENT_SECONDS, _LONGEST_SECONDS, self._kill)
        try:
            with self._patience.watching():
                self._send(head, payload, progress)
                found = self._received()
        except (OSError, InputError) as fault:
            raise self._connection_lost() from fault
        if found is None:
            raise self._connection_lost()
        result = self._result(found)
        if not fits(result, form):
            raise self.misfit()
        return result

    def _send(self, head: Mapping[str, Any], payload: bytes, progress: Progress) -> None:
        with progress.bar(f"copying to {self.host}, KB", max(1, len(payload) // 1000)) as bar:

            def sent(count: int) -> None:
                self._patience.note_sign_of_life()
                bar.advance(count // 1000)

            send(self._to, head, payload, sent=sent)

    def _received(self) -> dict[str, Any] | None:
        """The next reply; before it, the remote process may send signs of life."""
        while (found := receive(self._from)) is not None:
            if set(found[0]) != {"working"}:
                return found[0]
            self._patience.note_sign_of_life()
        return None

    def close(self) -> None:
        """End the remote process: its input ends, it removes its folder, and this process waits for it."""
        for stream in (self._to, self._from):
            with suppress(OSError):  # what was not sent yet no longer matters
                stream.close()
        for end in (self._process.terminate, self._kill):
            try:
                self._process.wait(_CLOSING_SECONDS)
                break
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()
        self._words.close(_CLOSING_SECONDS)

    def _kill(self) -> None:
        """End ssh and what it started, such as a ProxyCommand, which would hold the pipes open."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _handshake(self) -> dict[str, Any]:
        with self._patience.watching():
            with suppress(OSError):  # it ended: the reason is in its return code
                self._to.write(bootstrap_payload())
                self._to.flush()
            for _ in range(_NOISE):
                line = self._from.readline(1_000_000)
                if line.startswith(MARK):
                    greeting = self._result(self._answer(line.removeprefix(MARK)))
                    if not fits(greeting, GREETING):
                        raise self.misfit()
                    return greeting
                if not line:
                    break
            raise self._connection_lost()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return read_reply(line)
        except InputError as fault:
            raise self.misfit() from fault

    def _result(self, head: dict[str, Any]) -> dict[str, Any]:
        if "error" not in head:
            found = head.get("result", head)
            if not isinstance(found, dict):
                raise self.misfit()
            return dict(found)
        try:
            told = {key: head["error"][key] for key in head["error"] if key in _ERROR_KEYS}
            told["where"] = f"{self.host}: {told['where']}"
            if told["kind"] == DltkError.__name__:  # a fault of dltk's own, over there
                told["kind"] = EnvironmentFault.__name__
            error = as_error(told)
        except (KeyError, TypeError, ValueError) as fault:
            raise self.misfit() from fault
        if not isinstance(error, DltkError):
            raise self.misfit()
        raise error

    def misfit(self) -> EnvironmentFault:
        """The error for a reply that dltk did not send."""
        return EnvironmentFault(self.host, "must reply as dltk does", hint="What does its login shell print?")

    def _connection_lost(self) -> EnvironmentFault:
        """Why the remote process no longer replies."""
        try:
            code = self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:  # it is there and talks something else
            return self.misfit()
        said = self._words.line(_CLOSING_SECONDS)
        if self._patience.lost and self.greeting:
            rule = f"must not be silent for {_SILENT_SECONDS} s, nor work for {_LONGEST_SECONDS} s"
            return EnvironmentFault(self.host, rule, said)
        if code == _SSH_FAILED and not self.greeting:
            hint = f"`ssh {self.host} true` must work without a password (`ssh-copy-id {self.host}`)."
            return EnvironmentFault(self.host, "ssh must reach it and log in", said, hint)
        if code == _SSH_FAILED:
            return EnvironmentFault(self.host, "the connection must hold", said)
        if code < 0 and not self.greeting:
            return EnvironmentFault(self.host, f"must reply within {_GREETING_SECONDS} s")
        if not self.greeting:
            hint = "Install it there, or name another with --remote-python PATH."
            return EnvironmentFault(self.host, f"needs Python 3.11 or newer as {self._python}", said, hint)
        ended = signal.Signals(code - 128).name if 128 < code < 128 + signal.NSIG else said
        return EnvironmentFault(self.host, "must not end before it has replied", ended)


_PACKAGES = ("base", "edge", "remote")
# Runs what comes on standard input, after its length: the command line stays short and the same in every shell.
_RUN = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"


def remote_command(python: str) -> str:
    """The command line for the login shell of the other machine."""
    return f"exec {shlex.quote(python)} -I -c {shlex.quote(_RUN)}"


def bootstrap_payload() -> bytes:
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
