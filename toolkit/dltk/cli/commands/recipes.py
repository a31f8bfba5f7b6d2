"""`dltk recipes`, which loads no heavy package."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from dltk.base.errors import InputError, UsageError
from dltk.cli import options
from dltk.recipe.load import load, registered
from dltk.recipe.recipe import Recipe
from dltk.recipe.settings import describe, format_value, with_smoke_values

__all__ = ["recipes"]


@click.command()
@click.argument("name", required=False)
@click.option("--example", type=options.PATH, metavar="DIR", help="Write example data for NAME to the new folder DIR.")
@click.option("--data", metavar="PATH", help="Show what NAME would read of PATH: `dltk inspect PATH --recipe NAME`.")
@options.as_json
def recipes(name: str | None, example: Path | None, data: str | None, as_json: bool) -> None:
    """List the recipes, or describe the one called NAME: its data, and every setting with its default.

    NAME may also be the path of a recipe file. The example data is generated: a small data set in the layout that the
    recipe reads.

    \b
    Example:
        dltk recipes cnn
        dltk recipes cnn --example photos
        dltk recipes cnn --data photos/
    """
    if data is not None:
        if example is not None:
            raise UsageError("--data", "stands alone, without --example", hint="Give one of them.")
        _inspect(name, data, as_json)
        return
    if name is None:
        if example is not None:
            hint = f"For example: dltk recipes cnn --example {shlex.quote(str(example))}."
            raise UsageError("--example", "needs the name of a recipe", hint=hint)
        found = [load(known) for known in registered()]
        listed = [{"name": recipe.name, "summary": recipe.summary, "task": recipe.task} for recipe in found]
        options.show({"recipes": listed}, _columns([(recipe.name, recipe.summary) for recipe in found]), as_json)
        return
    recipe = load(name)
    if example is None:
        options.show(_as_dict(recipe), _as_text(recipe, name), as_json)
    else:
        _write_example(recipe, name, example, as_json)


def _write_example(recipe: Recipe, name: str, folder: Path, as_json: bool) -> None:
    """Write the recipe's example to `folder`, and show how to train on it.

    Raises:
        InputError: if the recipe has none, or `folder` is not free.
    """
    from dltk.data.examples.write import EXAMPLES, write_example

    if recipe.data.example is None:
        typed, default = shlex.quote(name), recipe.data.default
        hint = "In a recipe file, DataHint(example=NAME) names one: " + ", ".join(EXAMPLES) + "."
        if default:
            hint = f"Its data is {default} unless --data is given: run `dltk finetune {typed} --smoke`."
        raise InputError(f"recipe {name}", "has no example data", hint=hint)
    data = write_example(recipe.data.example, folder)
    command = f"dltk finetune {shlex.quote(name)} --data {shlex.quote(str(data))}"
    summary = EXAMPLES[recipe.data.example].summary
    found = {"example": str(folder), "summary": summary, "data": str(data), "next": [command]}
    options.show(found, f"{folder}: {summary}; generated\n\nNext:\n  {command}", as_json)


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
        "data": asdict(recipe.data),
        "settings": [{"key": leaf.key, "kind": leaf.kind, "default": leaf.value, "help": leaf.help} for leaf in leaves],
        "smoke": {leaf.key: leaf.value for leaf in describe(small) if leaf.key in recipe.smoke},
    }


def _as_text(recipe: Recipe, name: str) -> str:
    default = f"\nWithout --data: {recipe.data.default}" if recipe.data.default else ""
    if recipe.data.example:
        default += f"\nExample data: dltk recipes {shlex.quote(name)} --example {recipe.data.example}"
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
