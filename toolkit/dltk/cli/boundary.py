"""The one place where errors become a line on stderr, a JSON document on stdout, and an exit code."""

from __future__ import annotations

import errno
import io
import logging
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from dltk.base.disk import disk_fault
from dltk.base.errors import DltkError, LimitError
from dltk.base.terminal import escape_control_characters, json_text
from dltk.cli.options import write
from dltk.cli.usage import as_usage

__all__ = ["INTERRUPTED", "Kept", "TERMINATED", "Unmet", "end_cleanly_on_sigterm", "error_boundary", "hide_native_log"]

INTERRUPTED, TERMINATED = 130, 143

# Whatever a third party's code was writing; and a name over 255 bytes, which any look at a path may meet.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG)
_CLEAN_UP = 5.0  # seconds that it is given
_OUR_FAULT = "This is an internal error of dltk: please report it, with the traceback on stderr."
_last_term = -_CLEAN_UP


class Unmet(Exception):
    """A command did not reach what was asked, such as a limit; it still shows its results.

    Args:
        fault: the error, which gives the message and the exit code.
        value: the command's document; `--json` prints it together with the error's fields.
        text: the same for a person, on stdout.
    """

    def __init__(self, fault: DltkError, value: Mapping[str, Any], text: str) -> None:
        super().__init__(str(fault))
        self.fault, self.value, self.text = fault, value, text


class Kept(Exception):
    """A command was stopped, and its run can be resumed.

    Args:
        code: 130 or 143.
        where: the folder of the run.
        command: the command that resumes it.
    """

    def __init__(self, code: int, where: Path, command: str) -> None:
        super().__init__(f"Kept in {where}; resume with: {command}")
        self.code, self.where, self.command = code, where, command


@contextmanager
def error_boundary(words: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors into their message and exit code, Ctrl-C into 130, a full disk anywhere into 5.

    Anything else is an internal error: it passes through, and Python prints the traceback and ends with 1. With
    `--json` among `words`, what was typed behind `dltk`, stdout gets the error as one document in each of these cases.

    Raises:
        click.exceptions.Exit: with the exit code, in place of the errors above.
    """
    as_json = "--json" in words[: words.index("--") if "--" in words else len(words)]
    try:
        yield
    except Unmet as unmet:
        if not as_json:
            write(unmet.text)
        raise _exit_with_error(unmet.fault, as_json, unmet.value) from unmet
    except DltkError as error:
        raise _exit_with_error(error, as_json, _measured(error, as_json)) from error
    except click.UsageError as fault:
        known = as_usage(fault, words)
        if fault.ctx is not None and not as_json:
            click.echo(f"{fault.ctx.get_usage()}\n", err=True)
        raise _exit_with_error(known, as_json) from fault
    except OSError as fault:
        known_disk = disk_fault(fault.filename or "disk", fault) if fault.errno in _DISK else None
        if known_disk is None:
            _report_internal_error(fault, as_json and fault.errno != errno.EPIPE)
            raise
        _discard_stdout()
        raise _exit_with_error(known_disk, as_json) from fault
    except Kept as stop:
        said = "interrupted" if stop.code == INTERRUPTED else "terminated"
        click.echo(escape_control_characters(str(stop)), err=True)
        _document({"error": said, "where": str(stop.where), "hint": stop.command, "code": stop.code}, as_json)
        raise click.exceptions.Exit(stop.code) from stop
    except KeyboardInterrupt as interrupt:
        click.echo("Interrupted; no half-written files are left.", err=True)
        _document({"error": "interrupted", "where": _command(words), "hint": "", "code": INTERRUPTED}, as_json)
        raise click.exceptions.Exit(INTERRUPTED) from interrupt
    except SystemExit as end:
        if end.code == TERMINATED:
            _document({"error": "terminated", "where": _command(words), "hint": "", "code": TERMINATED}, as_json)
        raise
    except (click.exceptions.Exit, click.ClickException, click.Abort):
        raise
    except Exception as fault:
        _report_internal_error(fault, as_json)
        raise


def end_cleanly_on_sigterm() -> None:
    """From now on SIGTERM unwinds the stack, so that temporary files go, and ends the process with 143."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    global _last_term
    before, _last_term = _last_term, time.monotonic()
    # A second one must not cut the clean-up short. A later one counts: Python drops what is raised while it collects
    # garbage, and code that catches everything may have caught the first.
    if _last_term - before >= _CLEAN_UP:
        raise SystemExit(TERMINATED)


def _exit_with_error(error: DltkError, as_json: bool, found: Mapping[str, Any] | None = None) -> click.exceptions.Exit:
    click.echo(f"Error: {error}", err=True)
    _document({**(found or {}), **error.json_fields()}, as_json)
    return click.exceptions.Exit(error.exit_code)


def _measured(error: DltkError, as_json: bool) -> dict[str, Any]:
    """The measurements that missed a limit: on stderr for people, as the field "measured" of the document."""
    if not isinstance(error, LimitError) or error.measured is None:
        return {}
    if not as_json:
        click.echo(_as_text(error.measured), err=True)
    return {"measured": _plain(error.measured)}


def _report_internal_error(fault: Exception, as_json: bool) -> None:
    frames = traceback.extract_tb(fault.__traceback__)
    where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "dltk"
    said = f"{type(fault).__name__}: {fault}"
    _document({"error": said, "where": where, "hint": _OUR_FAULT, "code": 1}, as_json)


def _document(found: Mapping[str, Any], as_json: bool) -> None:
    """Write `found` to stdout; if stdout is closed or full, only the exit code reports the result."""
    if not as_json:
        return
    try:
        write(_plain(found))
    except OSError:
        _discard_stdout()


def _command(words: Sequence[str]) -> str:
    return " ".join(["dltk", *words[:1]])


def _discard_stdout() -> None:
    """If stdout is full, Python must not write to it again as it ends: that would change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_text(measured: object) -> str:
    try:
        return json_text(measured)
    except (TypeError, ValueError):  # not JSON, or a NaN that is the very thing being reported
        return escape_control_characters(str(measured))


def _plain(value: Any) -> Any:
    """`value` with NaN and infinity replaced by their names, which JSON does not have as numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def hide_native_log() -> None:
    """Give Python's stderr its own descriptor and point descriptor 2 at /dev/null.

    TensorFlow and the runtimes write dozens of lines there that no environment variable stops. `DLTK_NATIVE_LOG=1`
    shows them, for a report of a crash inside a runtime. TensorFlow's own logger in Python keeps to errors: its
    warnings are advice about retracing, to those who write TensorFlow.
    """
    if not os.environ.get("DLTK_NATIVE_LOG"):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if os.environ.get("DLTK_NATIVE_LOG") or not hasattr(sys.stderr, "fileno"):
        return
    try:
        own = os.dup(2)
    except OSError:  # started without a stderr: there is nothing to hide
        return
    sys.stderr = io.TextIOWrapper(
        os.fdopen(own, "wb", buffering=0), encoding="utf-8", errors="backslashreplace", write_through=True
    )
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
