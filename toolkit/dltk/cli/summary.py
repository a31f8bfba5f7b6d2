"""What finetune and adopt print: figures of the run, and what to do next."""

from __future__ import annotations

import shlex
from typing import Any

from dltk.run import Run

__all__ = ["summary", "summary_text"]


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
    """A table of the figures, then the next commands."""
    from dltk.training.tables import as_text
    from dltk.training.told import kept_line

    metrics = found["metrics"]
    if "samples" in metrics:
        figures = f"On the test split:\n{as_text(metrics)}"
    else:
        lines = (f"{name}   {value:.4f}" for name, value in metrics.get("training", {}).items())
        figures = "In training:\n" + "\n".join(lines)
    if "kept" in metrics:
        figures += f"\n\nWeights kept: {kept_line(metrics['kept'])}"
    following = "\n".join(f"  {command}" for command in found["next"])
    return f"{found['run']}: done\n\n{figures}\n\nNext:\n{following}"
