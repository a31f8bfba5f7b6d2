"""`dltk finetune`."""

from __future__ import annotations

from pathlib import Path

import click

from dltk.cli import options
from dltk.cli.interrupted import resumable
from dltk.cli.usage import Suggesting

__all__ = ["finetune"]


@click.command(cls=Suggesting, keys=options.recipe_keys, known={"recipe": options.recipe_names})
@click.argument("recipe")
@options.data
@options.run
@options.pairs
@click.option("--smoke", is_flag=True, help="Shrink data and training to seconds, to see that all goes through.")
@options.resume
@options.as_json
def finetune(
    recipe: str,
    data: str | None,
    run: Path | None,
    pairs: tuple[str, ...],
    smoke: bool,
    resume: bool,
    as_json: bool,
) -> None:
    """Train the model of RECIPE on your data.

    RECIPE is a name that `dltk recipes` lists, or the path of a recipe file. The run goes to runs/RECIPE unless --run
    says otherwise; an existing run is never overwritten.

    \b
    Example:
        dltk finetune cnn --data digits --set fit.epochs=20 --set augment.flip=false --run runs/digits
    """
    from dltk import workflows  # loads NumPy and, once all is checked, TensorFlow
    from dltk.cli.console import progress
    from dltk.cli.summary import summary, summary_text
    from dltk.workflows.finetune import run_folder

    with resumable(lambda: run_folder(recipe, run)):
        made = workflows.finetune(
            recipe, data=data, run=run, set=pairs, smoke=smoke, resume=resume, progress=progress()
        )
    found = summary(made)
    options.show(found, summary_text(found), as_json)
