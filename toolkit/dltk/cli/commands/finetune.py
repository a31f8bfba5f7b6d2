"""`dltk finetune`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from dltk.cli import options
from dltk.cli.interrupted import explain_how_to_resume
from dltk.cli.usage import Suggesting
from dltk.run import Run

__all__ = ["finetune", "summary", "summary_text"]


@click.command(cls=Suggesting, keys=options.recipe_keys, known={"recipe": options.recipe_names})
@click.argument("recipe")
@options.data
@options.run
@options.pairs
@click.option(
    "--smoke", is_flag=True, help="Shrink data, model and training to seconds, to check that everything works."
)
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

    RECIPE is a name that `dltk recipes` lists, or the path of a recipe file. The run is written to runs/RECIPE unless
    --run is given; an existing run is never overwritten.

    \b
    Example:
        dltk finetune cnn --data digits --set fit.epochs=20 --set augment.flip=false --run runs/digits
    """
    from dltk import workflows  # loads NumPy and, once all is checked, TensorFlow
    from dltk.cli.commands.finetune import summary, summary_text
    from dltk.cli.console import progress
    from dltk.workflows.finetune import run_folder

    with explain_how_to_resume(lambda: run_folder(recipe, run)):
        made = workflows.finetune(
            recipe, data=data, run=run, set=pairs, smoke=smoke, resume=resume, progress=progress()
        )
    found = summary(made)
    options.show(found, summary_text(found), as_json)


def summary(run: Run) -> dict[str, Any]:
    """The run as JSON values."""
    typed = shlex.quote(str(run.path))
    return {
        "run": str(run.path),
        "recipe": run.read_json("recipe")["recipe"],
        "metrics": run.read_json("metrics"),
        "next": [f"dltk compress {typed}", f"dltk export {typed}"],
    }


def summary_text(found: dict[str, Any]) -> str:
    """A table of the metrics, then the next commands."""
    from dltk.training.evaluation.text import as_text, baselines_line
    from dltk.training.log import best_checkpoint_line

    metrics = found["metrics"]
    if "samples" in metrics:
        figures = f"On the test split:\n{as_text(metrics)}"
    else:
        lines = (f"{name}   {value:.4f}" for name, value in metrics.get("training", {}).items())
        figures = "In training:\n" + "\n".join(lines)
        if metrics.get("baselines"):
            figures += f"\n\n{baselines_line(metrics)}"
    if "kept" in metrics:
        figures += f"\n\nWeights kept: {best_checkpoint_line(metrics['kept'])}"
    following = "\n".join(f"  {command}" for command in found["next"])
    return f"{found['run']}: done\n\n{figures}\n\nNext:\n{following}"
