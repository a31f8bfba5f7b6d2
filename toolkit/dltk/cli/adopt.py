"""`dltk adopt`."""

from __future__ import annotations

from pathlib import Path

import click

from dltk.cli import options

__all__ = ["adopt"]


@click.command()
@click.argument("model", type=options.PATH)
@click.option("--recipe", required=True, help="Recipe whose task the model does; its settings say how data is read.")
@options.data
@options.run
@options.pairs
@options.as_json
def adopt(model: Path, recipe: str, data: str | None, run: Path | None, pairs: tuple[str, ...], as_json: bool) -> None:
    """Make a run of MODEL, a .keras or .h5 file of Keras, so that it can be compressed and exported.

    The recipe's own network is not built; MODEL takes its place. Beside the recipe's settings, --set takes
    input.range (what the model wants pixels to be: 0..255, 0..1, -1..1, imagenet or caffe), input.channels (rgb or
    bgr) and input.check (false: adopt it however badly it does). Steps that train show pictures as they are, whatever
    the recipe does: --set augment.flip=true and its like turn augmentation on.

    \b
    Example:
        dltk adopt model.keras --recipe cnn --data photos/ --set input.range=0..1
    """
    from dltk import workflows
    from dltk.cli.console import progress
    from dltk.cli.summary import summary, summary_text

    made = workflows.adopt(model, recipe=recipe, data=data, run=run, set=pairs, progress=progress())
    found = summary(made)
    options.show(found, summary_text(found), as_json)
