"""What several commands share: options, and how a result is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from dltk.base.errors import UsageError
from dltk.base.files import canonical_json

__all__ = ["PATH", "as_json", "data", "host", "pairs", "python_of", "resume", "run", "show", "trust_recipe", "verify"]

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
    text = "The Python to use on --host.  [default: python3]"
    return click.option("--remote-python", metavar="PATH", help=text)(command)


def python_of(host: str | None, remote_python: str | None) -> str:
    """The Python to use on the host.

    Raises:
        UsageError: if one was given and no host.
    """
    if remote_python is not None and host is None:
        raise UsageError("--remote-python", "is one of --host, which is not given", hint="Give --host USER@HOST.")
    return "python3" if remote_python is None else remote_python


def run(command: Command) -> Command:
    """`--run`, the folder to write."""
    return click.option("--run", type=PATH, metavar="DIR", help="Folder of the run that is made.")(command)


def pairs(command: Command) -> Command:
    """`--set`, any number of times, passed on as `pairs`."""
    text = "Change a setting; may be given several times."
    return click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help=text)(command)


def resume(command: Command) -> Command:
    """`--resume`."""
    return click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped.")(command)


def trust_recipe(command: Command) -> Command:
    """`--trust-recipe`: code that a run brings with it may be executed."""
    text = "Execute code that RUN brings: its recipe.py. Without it nothing in RUN is executed."
    return click.option("--trust-recipe", is_flag=True, help=text)(command)


def verify(command: Command) -> Command:
    """`--verify`, a public key."""
    text = "Refuse the bundle unless it is signed with the private half of this public key (a PEM file)."
    return click.option("--verify", type=PATH, metavar="KEY", help=text)(command)


def show(value: Mapping[str, Any], text: str, as_json: bool) -> None:
    """Print a result to stdout: `text` for a person, or `value` as JSON."""
    click.echo(canonical_json(value).decode().rstrip("\n") if as_json else text)
