"""A measured figure with its command, machine, spread and target; kept as JSON, shown as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from dltk.base.files import write_atomic

__all__ = ["Figure", "at_least", "at_most", "merge", "points_lost", "render", "spread", "with_float32"]

_HEAD = """# Measurements

Each figure is listed with its command, its machine and its spread. `make bench` repeats all measurements and
generates this page from [measurements.json](measurements.json). Latencies and durations were measured on the machine
that is named; measure on yours. Sizes, accuracies and drops should be the same on any machine. `make bench` takes
hours on 2 cores; `python tests/benchmarks/bench.py --only NAME` runs one benchmark.
"""
_EMPTY = "\nNothing has been measured yet: run `make bench`.\n"


@dataclass(frozen=True)
class Figure:
    """One row.

    Attributes:
        group: name of the benchmark, as `--only` takes it.
        what: in words.
        command: what measured it.
        value, spread: with their units; the spread says of what it is.
        target: with its direction; empty where there is none.
        met: None where there is no target.
        machine: as `dltk.edge.runtime.machine` gives it.
    """

    group: str
    what: str
    command: str
    value: str
    spread: str
    target: str
    met: bool | None
    machine: Mapping[str, Any]


def at_most(value: float, limit: float) -> bool:
    """Whether `value` meets an upper limit."""
    return value <= limit


def at_least(value: float, limit: float) -> bool:
    """Whether `value` meets a lower limit."""
    return value >= limit


def spread(values: Sequence[float], form: str = "{:.2f}") -> tuple[float, str]:
    """The median, and lowest to highest in words."""
    low, high = form.format(min(values)), form.format(max(values))
    return median(values), f"{low} to {high}, {len(values)} runs" if len(values) > 1 else "one run"


def points_lost(metric: Mapping[str, Any], noun: str = "images") -> tuple[float, str]:
    """Points that an artifact's metric lost, and their interval in words."""
    low, high = (100 * end for end in metric["interval"])
    words = f"{low:+.2f} to {high:+.2f}, 95% paired bootstrap, {metric['samples']:,} {noun}"
    return 100 * metric["drop"], words


def with_float32(metric: Mapping[str, Any]) -> str:
    """An artifact's metric next to that of the float32 file."""
    return f"{metric['value']:.4f}, float32 {metric['reference']:.4f}"


def merge(path: Path, found: Iterable[Figure]) -> list[Figure]:
    """Put `found` in place of the figures of the same groups in the JSON file; returns all there are now."""
    fresh = list(found)
    groups = {figure.group for figure in fresh}
    kept = [Figure(**each) for each in json.loads(path.read_text())["figures"]] if path.is_file() else []
    whole = sorted([each for each in kept if each.group not in groups] + fresh, key=lambda figure: figure.group)
    text = json.dumps({"figures": [asdict(figure) for figure in whole]}, indent=2, ensure_ascii=False, sort_keys=True)
    write_atomic(path, f"{text}\n".encode())
    return whole


def render(figures: Sequence[Figure]) -> str:
    """The page: a section a group."""
    parts = [_HEAD] if figures else [_HEAD, _EMPTY]
    for group in dict.fromkeys(figure.group for figure in figures):
        parts.append(_section(group, [figure for figure in figures if figure.group == group]))
    return "\n".join(parts)


def _section(group: str, figures: Sequence[Figure]) -> str:
    commands = dict.fromkeys(figure.command for figure in figures)
    machines = dict.fromkeys(_machine(figure.machine) for figure in figures)
    lines = [f"## {group}", "", "```", *commands, "```", "", f"Machine: {'; '.join(machines)}.", ""]
    lines += ["| figure | value | spread | target | |", "|---|---|---|---|---|"]
    words = {True: "met", False: "**missed**", None: ""}
    for figure in figures:
        cells = (figure.what, figure.value, figure.spread, figure.target, words[figure.met])
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _machine(facts: Mapping[str, Any]) -> str:
    instructions = " ".join(facts["instructions"]) or "no known instruction set"
    return f"{facts['cpu']} ({facts['architecture']}, {instructions}), {facts['threads']} threads"
