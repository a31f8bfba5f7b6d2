"""`dltk recipes`, which loads no heavy package."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import click

from dltk.base.errors import UsageError
from dltk.cli import options
from dltk.recipe.load import load, registered
from dltk.recipe.recipe import Recipe
from dltk.recipe.settings import describe, format_value, with_smoke_values

__all__ = ["recipes"]


@click.command()
@click.argument("name", required=False)
@click.option("--data", metavar="PATH", help="Show what NAME would read of PATH: `dltk inspect PATH --recipe NAME`.")
@options.as_json
def recipes(name: str | None, data: str | None, as_json: bool) -> None:
    """List the recipes, or describe the one called NAME: its data, and every setting with its default.

    NAME may also be the path of a recipe file.

    \b
    Example:
        dltk recipes cnn
        dltk recipes cnn --data photos/
    """
    if data is not None:
        _inspect(name, data, as_json)
        return
    if name is None:
        found = [load(known) for known in registered()]
        listed = [{"name": recipe.name, "summary": recipe.summary, "task": recipe.task} for recipe in found]
        options.show({"recipes": listed}, _columns([(recipe.name, recipe.summary) for recipe in found]), as_json)
        return
    recipe = load(name)
    options.show(_as_dict(recipe), _as_text(recipe), as_json)


def _inspect(name: str | None, data: str, as_json: bool) -> None:
    from dltk.cli.commands.inspect import show_inspection

    if name is None:
        hint = f"For every recipe: dltk inspect {shlex.quote(data)}."
        raise UsageError("--data", "needs the name of a recipe", hint=hint)
    show_inspection(data, name, (), as_json)


def _as_dict(recipe: Recipe) -> dict[str, Any]:
    leaves, small = describe(recipe.settings), with_smoke_values(recipe.settings, recipe.smoke)
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "task": recipe.task,
        "data": {"layout": recipe.data.layout, "sample": recipe.data.sample, "default": recipe.data.default},
        "settings": [{"key": leaf.key, "kind": leaf.kind, "default": leaf.value, "help": leaf.help} for leaf in leaves],
        "smoke": {leaf.key: leaf.value for leaf in describe(small) if leaf.key in recipe.smoke},
    }


def _as_text(recipe: Recipe) -> str:
    default = f"\nWithout --data: {recipe.data.default}" if recipe.data.default else ""
    sample = "\n".join(f"    {line}" for line in recipe.data.sample.splitlines())
    rows = [
        (leaf.key, format_value(leaf.value) or "-", f"{leaf.help} ({leaf.kind})") for leaf in describe(recipe.settings)
    ]
    parts = (
        f"{recipe.name}: {recipe.summary}",
        f"Data: {recipe.data.layout}\n{sample}{default}",
        f"Settings, changed with --set KEY=VALUE:\n{_columns(rows, indent='    ')}",
    )
    return "\n\n".join(parts)


def _columns(rows: Sequence[tuple[str, ...]], indent: str = "") -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = ("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows)
    return "\n".join(indent + line for line in lines)
