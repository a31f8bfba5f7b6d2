"""What an interrupted command leaves that can be gone on with, and the command that does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from dltk.base.errors import DltkError
from dltk.cli.boundary import INTERRUPTED, TERMINATED, Kept

__all__ = ["remember", "resumable", "typed"]

_WORDS = "dltk.words"  # key in a click context: what was typed behind `dltk`


def remember(context: click.Context, words: Sequence[str]) -> None:
    """Keep what was typed, for the context's subcommands."""
    context.meta[_WORDS] = tuple(words)


def typed(context: click.Context) -> tuple[str, ...]:
    """What was typed behind `dltk`."""
    found: tuple[str, ...] = context.meta.get(_WORDS, ())
    return found


@contextmanager
def resumable(folder: Callable[[], Path]) -> Iterator[None]:
    """On Ctrl-C and SIGTERM: where an unfinished run stands in `folder()`, say so and how to go on with it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        code = INTERRUPTED if isinstance(stop, KeyboardInterrupt) else stop.code
        words = typed(click.get_current_context())
        path = _unfinished(folder)
        if code not in (INTERRUPTED, TERMINATED) or not words or path is None:
            raise
        raise Kept(int(code), path, _command(words)) from stop


def _unfinished(folder: Callable[[], Path]) -> Path | None:
    """The folder, where a run stands in it that did not come to its end."""
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
