"""`dltk inspect`, which loads no heavy package."""

from __future__ import annotations

from pathlib import Path

import click

from dltk.cli import options
from dltk.cli.usage import Suggesting

__all__ = ["inspect", "show_inspection"]


@click.command(cls=Suggesting, keys=options.recipe_keys)
@click.argument("path", type=options.PATH)
@click.option("--recipe", metavar="RECIPE", help="Ask this recipe alone: a name, or the path of a recipe file.")
@options.pairs
@options.as_json
def inspect(path: Path, recipe: str | None, pairs: tuple[str, ...], as_json: bool) -> None:
    """Show what dltk would read of PATH, a file or a folder, before anything is trained.

    Columns or files, classes with their counts, copies, the recipes that fit, and the command to start. Where data can
    be read in several ways, the message names the setting of each. Of a large table the first rows are read, and of
    many files a few. The exit code is 3 if no recipe reads the data as it is.

    \b
    Example:
        dltk inspect photos/
        dltk inspect people.csv --recipe tabular --set data.target=income
    """
    show_inspection(path, recipe, pairs, as_json)


def show_inspection(path: Path | str, recipe: str | None, pairs: tuple[str, ...], as_json: bool) -> None:
    """Print what an inspection found.

    Raises:
        Unmet: with the first message, if no recipe reads the data as it is.
    """
    from dltk.base.errors import InputError
    from dltk.cli.boundary import Unmet
    from dltk.inspection import inspect as look
    from dltk.inspection.text import as_text

    found = look(path, recipe=recipe, set=pairs)
    if found.fits:
        options.show(found.as_dict(), as_text(found), as_json)
        return
    first = found.refused[0].fault
    if recipe is None or first is None:
        hint = f"The first reason, of {found.refused[0].recipe}: {first}"
        first = InputError(found.source, "no recipe reads this as it is", hint=hint)
    raise Unmet(first, found.as_dict(), as_text(found)) from first
