"""One ssh connection with a Python process at its other end."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dltk.base.errors import DltkError, EnvironmentFault, InputError, UsageError, as_error
from dltk.base.progress import SILENT, Progress
from dltk.remote.light import remote_command, starter
from dltk.remote.wire import MARK, read_answer, receive, send

__all__ = ["Link", "require_host"]

# No questions, no forwarding, and a dead network is noticed within a minute. All else is the user's configuration.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=15", "ServerAliveCountMax=3",
            "ClearAllForwardings=yes", "RemoteCommand=none", "LogLevel=ERROR")  # fmt: skip
_SSH = ("ssh", "-T", "-x", "-a", *(word for option in _OPTIONS for word in ("-o", option)))
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII)
_GREETING_SECONDS, _CLOSING_SECONDS = 90, 15
_NOISE = 1000  # lines that a login shell may print before the greeting
_SSH_FAILED = 255


def require_host(host: str, python: str) -> None:
    """Raise UsageError unless `host` is USER@HOST, or HOST, and `python` can be the name of a program."""
    if not _HOST.fullmatch(host) or len(host) > 255:
        hint = "Ports and keys stand in ~/.ssh/config, under a name that --host takes, too."
        raise UsageError("--host", "must be USER@HOST", host, hint)
    if not python or python.startswith("-") or not python.isprintable():
        raise UsageError("--remote-python", "must be a program, such as python3 or env/bin/python", python)


class Link:
    """Started by the constructor; `close` ends the other side, which takes its folder away.

    Attributes:
        host: as the user wrote it.
        greeting: what the other side says of itself.

    Raises:
        UsageError: if `host` or `python` is none.
        EnvironmentFault: if there is no ssh here, the machine is out of reach, or Python is missing there.
    """

    def __init__(self, host: str, python: str) -> None:
        require_host(host, python)
        self.host, self._python, self.greeting = host, python, dict[str, Any]()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 -- what stderr holds; closed by `close`
        try:
            # A session of its own: Ctrl-C reaches dltk alone, which then ends the other side in order.
            self._process = subprocess.Popen(
                [*_SSH, "--", host, remote_command(python)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                start_new_session=True,
            )
        except FileNotFoundError as fault:
            self._words.close()
            raise EnvironmentFault("--host", "needs the ssh of OpenSSH", hint="Install openssh-client.") from fault
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        try:
            self.greeting = self._greet()
        except BaseException:
            self.close()
            raise

    def ask(self, head: Mapping[str, Any], payload: bytes = b"", *, progress: Progress = SILENT) -> dict[str, Any]:
        """The result of a request.

        Raises:
            DltkError: as it was raised there, with the machine's name before its place.
            EnvironmentFault: if the connection or the other side ends.
        """
        try:
            with progress.bar(f"copying to {self.host}, KB", max(1, len(payload) // 1000)) as bar:
                send(self._to, head, payload, sent=lambda count: bar.advance(count // 1000))
            found = receive(self._from)
        except (OSError, InputError) as fault:
            raise self._ended() from fault
        if found is None:
            raise self._ended()
        return self._result(found[0])

    def close(self) -> None:
        """End the other side: it sees its input end, takes its folder away, and is waited for."""
        for stream in (self._to, self._from):
            with suppress(OSError):  # what was not sent yet no longer matters
                stream.close()
        for end in (self._process.terminate, self._process.kill):
            try:
                self._process.wait(_CLOSING_SECONDS)
                break
            except subprocess.TimeoutExpired:
                end()
        self._process.wait()
        self._words.close()

    def _greet(self) -> dict[str, Any]:
        watch = threading.Timer(_GREETING_SECONDS, self._process.kill)
        watch.start()
        try:
            with suppress(OSError):  # it ended: the reason is in its return code
                self._to.write(starter())
                self._to.flush()
            for _ in range(_NOISE):
                line = self._from.readline(1_000_000)
                if line.startswith(MARK):
                    return self._result(self._answer(line.removeprefix(MARK)))
                if not line:
                    break
            raise self._ended()
        finally:
            watch.cancel()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return read_answer(line)
        except InputError as fault:
            raise self.misfit() from fault

    def _result(self, head: dict[str, Any]) -> dict[str, Any]:
        if "error" not in head:
            return dict(head.get("result", head))
        try:
            told = dict(head["error"])
            told["where"] = f"{self.host}: {told['where']}"
            if told["kind"] == DltkError.__name__:  # a fault of dltk's own, over there
                told["kind"] = EnvironmentFault.__name__
            error = as_error(told)
        except (KeyError, TypeError, ValueError) as fault:
            raise self.misfit() from fault
        raise error

    def misfit(self) -> EnvironmentFault:
        """What answers is not what dltk sent there."""
        return EnvironmentFault(self.host, "must answer as dltk does", hint="What does its login shell print?")

    def _ended(self) -> EnvironmentFault:
        """Why the other side no longer answers."""
        try:
            code = self._process.wait(_CLOSING_SECONDS)
        except subprocess.TimeoutExpired:  # it is there and talks something else
            return self.misfit()
        said = self._last_words()
        if code == _SSH_FAILED and not self.greeting:
            hint = f"`ssh {self.host} true` must work without a password (`ssh-copy-id {self.host}`)."
            return EnvironmentFault(self.host, "ssh must reach it and log in", said, hint)
        if code == _SSH_FAILED:
            return EnvironmentFault(self.host, "the connection must hold", said)
        if code < 0 and not self.greeting:
            return EnvironmentFault(self.host, f"must answer within {_GREETING_SECONDS} s")
        if not self.greeting:
            hint = "Install it there, or name another with --remote-python PATH."
            return EnvironmentFault(self.host, f"needs Python 3.11 or newer as {self._python}", said, hint)
        ended = signal.Signals(code - 128).name if 128 < code < 128 + signal.NSIG else said
        return EnvironmentFault(self.host, "must not end before it has answered", ended)

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "no word"
