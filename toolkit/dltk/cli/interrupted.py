"""What an interrupted command leaves that can be resumed, and the command that resumes it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from dltk.base.errors import DltkError
from dltk.cli.boundary import INTERRUPTED, TERMINATED, Kept

__all__ = ["remember_command_line", "explain_how_to_resume", "typed_command_line"]

_WORDS = "dltk.words"  # key in a click context: what was typed behind `dltk`


def remember_command_line(context: click.Context, words: Sequence[str]) -> None:
    """Record the words that were typed, for the context's subcommands."""
    context.meta[_WORDS] = tuple(words)


def typed_command_line(context: click.Context) -> tuple[str, ...]:
    """The words that were typed after `dltk`."""
    found: tuple[str, ...] = context.meta.get(_WORDS, ())
    return found


@contextmanager
def explain_how_to_resume(folder: Callable[[], Path]) -> Iterator[None]:
    """On Ctrl-C and SIGTERM: if there is an unfinished run in `folder()`, report it and the command that resumes it.

    Raises:
        Kept: in place of KeyboardInterrupt or SystemExit, where there is such a run; it names the command.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        code = INTERRUPTED if isinstance(stop, KeyboardInterrupt) else stop.code
        words = typed_command_line(click.get_current_context())
        path = _unfinished(folder)
        if code not in (INTERRUPTED, TERMINATED) or not words or path is None:
            raise
        raise Kept(int(code), path, _command(words)) from stop


def _unfinished(folder: Callable[[], Path]) -> Path | None:
    """The folder, if it contains a run that was not finished."""
    from dltk.run import Run

    try:
        path = folder()
    except DltkError:  # the recipe that names it cannot be read
        return None
    begun = any((path / name).is_file() for name in ("recipe.json", "compress.json"))
    return path if begun and not Run(path).is_finished else None


def _command(words: Sequence[str]) -> str:
    """The command as it was typed, for a shell, with --resume."""
    if "--resume" in words:
        return shlex.join(["dltk", *words])
    place = words.index("--") if "--" in words else len(words)
    return shlex.join(["dltk", *words[:place], "--resume", *words[place:]])
