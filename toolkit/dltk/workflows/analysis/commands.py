"""The commands that make a compressed run again, from the data to the bundle."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from dltk.compress.steps import Planned
from dltk.report.schema import Report
from dltk.run import Run

__all__ = ["commands", "step_text"]

_INPUT = ("range", "channels", "check")  # of an adopted model, as `--set input.KEY=VALUE` takes them


def commands(source: Run, made: Run, planned: Sequence[Planned]) -> list[str]:
    """Lines for a shell: how `source` was made, what was done to it with all settings, how it is exported.

    Of a recipe's settings those are named that differ from its own.
    """
    before = _commands_of(source)
    steps = [word for step in planned for word in ("--step", step_text(step))]
    compress = ["dltk", "compress", str(source.path), *steps, "--run", str(made.path)]
    return [*before, shlex.join(compress), shlex.join(["dltk", "export", str(made.path)])]


def step_text(step: Planned) -> str:
    """`NAME:KEY=VALUE,...` with every setting, as `--step` takes it."""
    pairs = [f"{key}={_text(value)}" for key, value in step.as_dict()["settings"].items()]
    return f"{step.name}:{','.join(pairs)}" if pairs else step.name


def _commands_of(source: Run) -> list[str]:
    found = Report.of(source)
    if found is not None and found.commands:
        return list(found.commands[:-1])  # without its export
    return [shlex.join(_made_by(source))]


def _made_by(source: Run) -> list[str]:
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
    return words + [word for key, value in pairs.items() for word in ("--set", f"{key}={_text(value)}")]


def _text(value: Any) -> str:
    """A setting's value as it is typed."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
