"""The one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from dltk.base.errors import DltkError, LimitError
from dltk.base.files import canonical_json

__all__ = ["INTERRUPTED", "TERMINATED", "end_cleanly_on_sigterm", "error_boundary"]

INTERRUPTED, TERMINATED = 130, 143


@contextmanager
def error_boundary() -> Iterator[None]:
    """Turn a DltkError into its message and exit code, Ctrl-C into 130.

    Anything else is a fault of dltk's own: it passes through, and Python prints the traceback and ends with 1.
    """
    try:
        yield
    except DltkError as error:
        if isinstance(error, LimitError) and error.measured is not None:
            click.echo(_measured(error.measured), err=True)
        click.echo(f"Error: {error}", err=True)
        raise click.exceptions.Exit(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        click.echo("Interrupted; nothing half-written is left.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from interrupt


def end_cleanly_on_sigterm() -> None:
    """From now on SIGTERM unwinds the stack, so that temporary files go, and ends the process with 143."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not cut the clean-up short
    raise SystemExit(TERMINATED)


def _measured(measured: object) -> str:
    try:
        return canonical_json(measured).decode().rstrip()
    except (TypeError, ValueError):  # not JSON, or a NaN that is the very thing being reported
        return str(measured)
