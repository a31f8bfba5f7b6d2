"""The commands that make a compressed run again, from the data to the bundle."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dltk.compress.steps import Planned
from dltk.report.schema import Report
from dltk.run import Run

__all__ = ["commands", "made_by", "step_text"]

_INPUT = ("range", "channels", "check")  # of an adopted model, as `--set input.KEY=VALUE` takes them


def commands(before: Sequence[str], source: Path, made: Path, planned: Sequence[Planned]) -> list[str]:
    """Lines for a shell: those `before`, what was done to `source` with all settings, how `made` is exported."""
    steps = [word for step in planned for word in ("--step", step_text(step))]
    compress = ["dltk", "compress", str(source), *steps, "--run", str(made)]
    return [*before, shlex.join(compress), shlex.join(["dltk", "export", str(made)])]


def step_text(step: Planned) -> str:
    """`NAME:KEY=VALUE,...` with every setting, as `--step` takes it."""
    pairs = [f"{key}={_text(value)}" for key, value in step.as_dict()["settings"].items()]
    return f"{step.name}:{','.join(pairs)}" if pairs else step.name


def made_by(source: Run) -> list[str]:
    """Lines for a shell: how `source` was made. Of a recipe's settings those are named that differ from its own."""
    found = Report.of(source)
    if found is not None and found.commands:
        return list(found.commands[:-1])  # without its export
    told = source.read_json("recipe")
    recipe = str(source.path / "recipe.py") if told["recipe"] == "recipe.py" else str(told["recipe"])
    notes: Any = source.read_json("notes") if (source.path / "notes.json").is_file() else {}
    pairs = source.changed_settings()
    end = ["--data", source.data_source, "--run", str(source.path)]
    if "adopted" in notes:
        pairs |= {f"input.{key}": notes[key] for key in _INPUT if key in notes}
        words = ["dltk", "adopt", str(notes["adopted"]), "--recipe", recipe, *end]
    else:
        words = ["dltk", "finetune", recipe, *end, *(["--smoke"] if told["smoke"] else [])]
    words += [word for key, value in pairs.items() for word in ("--set", f"{key}={_text(value)}")]
    return [shlex.join(words)]


def _text(value: Any) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
