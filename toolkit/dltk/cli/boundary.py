"""The one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from dltk.base.errors import DltkError, LimitError
from dltk.base.files import canonical_json, disk_fault

__all__ = ["INTERRUPTED", "TERMINATED", "end_cleanly_on_sigterm", "error_boundary"]

INTERRUPTED, TERMINATED = 130, 143

# Whatever a third party's code was writing; and a name over 255 bytes, which any look at a path may meet.
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG)
_CLEAN_UP = 5.0  # seconds that it is given
_last_term = -_CLEAN_UP


@contextmanager
def error_boundary() -> Iterator[None]:
    """Turn a DltkError into its message and exit code, Ctrl-C into 130, a full disk anywhere into 5.

    Anything else is a fault of dltk's own: it passes through, and Python prints the traceback and ends with 1.
    """
    try:
        yield
    except DltkError as error:
        if isinstance(error, LimitError) and error.measured is not None:
            click.echo(_measured(error.measured), err=True)
        raise _ended(error) from error
    except OSError as fault:
        known = disk_fault(fault.filename or "disk", fault) if fault.errno in _DISK else None
        if known is None:
            raise
        _let_go_of_stdout()
        raise _ended(known) from fault
    except KeyboardInterrupt as interrupt:
        click.echo("Interrupted; nothing half-written is left.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from interrupt


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


def _ended(error: DltkError) -> click.exceptions.Exit:
    click.echo(f"Error: {error}", err=True)
    return click.exceptions.Exit(error.exit_code)


def _let_go_of_stdout() -> None:
    """Where stdout is what is full, Python must not try again as it ends: that would change the exit code."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _measured(measured: object) -> str:
    try:
        return canonical_json(measured).decode().rstrip()
    except (TypeError, ValueError):  # not JSON, or a NaN that is the very thing being reported
        return str(measured)
