"""`dltk adopt`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dltk.cli import options
from dltk.cli.usage import Keys, Suggesting

__all__ = ["adopt"]


def _recipes() -> str:
    """A sentence that lists the recipes whose task a model can be adopted for."""
    from dltk.recipe.load import load, registered
    from dltk.workflows.adopt import is_adoptable

    names = [name for name in registered() if is_adoptable(load(name).task)]
    return f"Known: {', '.join(names)}; or the path of a recipe file. `dltk recipes NAME` describes one."


def _keys(words: Sequence[str]) -> Keys:
    """The recipe's settings, and those of `input`."""
    from dltk.models.conventions import Input
    from dltk.recipe.settings import describe

    return [*options.recipe_keys(words), *(("--set ", leaf) for leaf in describe(Input(), "input."))]


@click.command(cls=Suggesting, keys=_keys, known={"recipe": _recipes})
@click.argument("model", type=options.PATH)
@click.option(
    "--recipe", required=True, help="Recipe with the task of the model; its settings define how data is read."
)
@options.data
@options.run
@options.pairs
@options.as_json
def adopt(model: Path, recipe: str, data: str | None, run: Path | None, pairs: tuple[str, ...], as_json: bool) -> None:
    """Make a run from MODEL, a .keras or .h5 file of Keras, so that it can be compressed and exported.

    MODEL replaces the network of the recipe. In addition to the recipe's settings, --set accepts input.range (the
    pixel range that the model expects: 0..255, 0..1, -1..1, imagenet or caffe), input.channels (rgb or bgr) and
    input.check (false: adopt the model even if its accuracy is low). Steps that train do not augment images, whatever
    the recipe does: --set augment.flip=true and similar settings turn augmentation on.

    \b
    Example:
        dltk adopt model.keras --recipe cnn --data photos/ --set input.range=0..1
    """
    from dltk import workflows
    from dltk.cli.commands.finetune import summary, summary_text
    from dltk.cli.console import progress

    made = workflows.adopt(model, recipe=recipe, data=data, run=run, set=pairs, progress=progress())
    found = summary(made)
    options.show(found, summary_text(found), as_json)
