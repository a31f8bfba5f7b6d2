"""What several commands share: options, and how a result is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dltk.base.errors import DltkError, UsageError
from dltk.base.terminal import escape_control_characters, json_text
from dltk.cli.usage import Keys
from dltk.recipe.load import load, registered
from dltk.recipe.settings import describe

__all__ = [
    "PATH",
    "as_json",
    "data",
    "host",
    "max_memory",
    "pairs",
    "python_of",
    "recipe_keys",
    "recipe_names",
    "resume",
    "run",
    "show",
    "trust_recipe",
    "verify",
    "write",
]

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)  # dltk checks paths itself: a missing one is exit code 3, not click's 2


def as_json(command: Command) -> Command:
    """`--json`, passed on as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def data(command: Command) -> Command:
    """`--data`, a path or the name of a known data set."""
    return click.option("--data", metavar="PATH", help="Folder, file or name of the data.")(command)


def host(command: Command) -> Command:
    """`--host` and `--remote-python`; what `python_of` makes of them goes to `dltk.remote`."""
    text = "Measure on the machine that `ssh USER@HOST` reaches."
    command = click.option("--host", metavar="USER@HOST", help=text)(command)
    text = "The Python on --host.  [default: python3]"
    return click.option("--remote-python", metavar="PATH", help=text)(command)


def python_of(host: str | None, remote_python: str | None) -> str:
    """The Python on the host.

    Raises:
        UsageError: if one was given and no host.
    """
    if remote_python is not None and host is None:
        raise UsageError("--remote-python", "needs --host", hint="Give --host USER@HOST.")
    return "python3" if remote_python is None else remote_python


def run(command: Command) -> Command:
    """`--run`, the folder to write."""
    return click.option("--run", type=PATH, metavar="DIR", help="Folder of the new run.")(command)


def pairs(command: Command) -> Command:
    """`--set`, any number of times, passed on as `pairs`."""
    text = "Change a setting; can be repeated."
    return click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help=text)(command)


def resume(command: Command) -> Command:
    """`--resume`."""
    return click.option("--resume", is_flag=True, help="Resume an interrupted run.")(command)


def trust_recipe(command: Command) -> Command:
    """`--trust-recipe`: the recipe.py in a run may be executed."""
    text = "Allow recipe.py in RUN to be executed. Without this option nothing in RUN is executed."
    return click.option("--trust-recipe", is_flag=True, help=text)(command)


def verify(command: Command) -> Command:
    """`--verify`, a public key."""
    text = "Refuse the bundle unless it is signed with the private half of this public key (a PEM file)."
    return click.option("--verify", type=PATH, metavar="KEY", help=text)(command)


def recipe_keys(words: Sequence[str]) -> Keys:
    """The settings of the first recipe that is named among `words`; empty if there is none."""
    known = registered()
    for word in words[1:]:
        name = word.partition("=")[2] if word.startswith("--recipe=") else word
        if name in known or (name.endswith(".py") and Path(name).is_file()):
            try:
                return [("--set ", leaf) for leaf in describe(load(name).settings)]
            except DltkError:
                return ()
    return ()


def recipe_names() -> str:
    """A sentence that lists the recipes."""
    return f"Known: {', '.join(registered())}; or the path of a recipe file. `dltk recipes` describes them."


def max_memory(command: Command) -> Command:
    """`--max-memory`, a size, passed on as a number of bytes."""
    text = "Most bytes that all files of a bundle may have together.  [default: 1GB]"
    return click.option("--max-memory", callback=_bytes, metavar="SIZE", help=text)(command)


def _bytes(context: click.Context, parameter: click.Parameter, value: str | None) -> int:
    from dltk.base.sizes import parse_bytes
    from dltk.edge.bundle.integrity import BUDGET

    return BUDGET if value is None else parse_bytes(value, "--max-memory")


def show(value: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print a result to stdout: `text` for people, or `value` as JSON; control characters are escaped in both."""
    write(value if as_json else text)


def write(found: Mapping[str, Any] | str) -> None:
    """Write a text, or one JSON document in UTF-8 whatever the terminal's encoding, to stdout.

    Control characters are escaped, and so are characters that the terminal's encoding or UTF-8 does not have.
    """
    if isinstance(found, str):
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        click.echo(escape_control_characters(found).encode(encoding, "backslashreplace").decode(encoding))
        return
    click.echo(json_text(found).encode())
