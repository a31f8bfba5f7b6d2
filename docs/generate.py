"""Write the generated pages of docs/reference; with --check, report whether they are up to date.

python docs/generate.py [--check]
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from dltk.base.files import write_atomic
from dltk.base.rows import Row as Fields
from dltk.cli.main import cli
from dltk.compress.prune import NOT_PLAIN
from dltk.models.backbones.table import BACKBONES
from dltk.report.schema import SCHEMA, Report
from dltk.twin.table import ACTIVATION_INT8, DROPPED_IN_USE, ROWS, Row

REFERENCE = Path(__file__).resolve().parent / "reference"
OUTPUT_RANGES = {
    "own": "measured",
    "same": "same as input",
    "unit": "fixed, 0 to 1",
    "tanh": "fixed, -1 to 1",
}

_MODELS_TEXT = """
Results of each step on small models that cover the supported layers. *done*: the step was applied to every layer that
it supports; *but*: these layers were not changed, or stay float in the int8 file; *nothing to do*: the model is not
changed; *refused*: before any work, with a message. The int8 files, from calibration and from quantization-aware
training (`qat`), ran in both runtimes without TensorFlow, and their outputs match the simulation; *own ranges*: each
runtime calibrated the file itself, and its outputs were compared with float. A test checks these tables.
"""
_BACKBONES_TEXT = """
The backbones of `dltk backbones`, each with a classifier on top, random weights, and the smallest width and image
size that it supports. The columns are the same as above. In such deep models with random weights, a rounding error of
one step is amplified, so their int8 files are compared with the simulation by the mean over all outputs. For some of
them the output depends very little on the image (for MobileNet less than one int8 step). The table shows which steps
can be applied, and that the files load and run. It does not show accuracy.
"""


def coverage() -> str:
    """The layers that dltk supports, and how each is stored in an int8 file."""
    lines = [
        "# Layers",
        "",
        "<!-- Written by docs/generate.py from dltk.twin.table and coverage.json: do not edit. -->",
        "",
        *_wrapped(
            "A model can be compressed and exported if all its layers are listed here. Any other layer is refused by "
            "name, before work begins. `op.` marks arithmetic on tensors, such as `x + y` or `keras.ops.relu`."
        ),
        "",
        "| layer | int8 | range of the output | weights quantized, pruned, clustered | remark |",
        "|---|---|---|---|---|",
        *(_coverage_line(kind, row) for kind, row in sorted(ROWS.items(), key=lambda item: _order(item[0]))),
        "",
        *_wrapped(f"`Activation` is int8 for {_listed(ACTIVATION_INT8)}; any other function stays float."),
        "",
        *_wrapped(f"Dropped at export, because they change samples in training only: {_listed(DROPPED_IN_USE)}."),
        "",
        *_models(json.loads((REFERENCE / "coverage.json").read_text())),
    ]
    return "\n".join(lines)


def commands() -> str:
    """The help text of every command."""
    lines = ["# Commands", "", "<!-- Written by docs/generate.py from the command line: do not edit. -->", ""]
    for name, command in _commands():
        context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        with context:
            lines += [f"## {name}", "", "```", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


_REPORT_TEXT = f"""
`dltk compress` writes `report.json` into the run that it makes; `dltk export` writes one into the bundle, without
latencies and without folders. `dltk report` reads both. The current layout is `schema` {SCHEMA}. Files without
`schema` come from an earlier dltk and are still read; a file with a higher number is refused. New fields do not change
the number: unknown fields are ignored, and a field that is missing or null is read as empty. A value of another kind is
an error that names the field. Sizes are bytes, latencies milliseconds.
"""


def report_file() -> str:
    """Every field of report.json."""
    lines = ["# report.json", "", "<!-- Written by docs/generate.py from dltk.report.schema: do not edit. -->", ""]
    lines += _wrapped(" ".join(_REPORT_TEXT.split()))
    for kind in [Report, *sorted(_kinds(Report) - {Report}, key=lambda kind: kind.__name__)]:
        summary = (kind.__doc__ or "").strip().splitlines()[0]
        lines += ["", f"## {kind.__name__}", "", summary, "", "| field | value | meaning |", "|---|---|---|"]
        lines += [f"| `{each.name}` | {_linked(each.metadata)} | {each.metadata['says']} |" for each in kind.columns()]
    return "\n".join([*lines, ""])


def _kinds(kind: type[Fields]) -> set[type[Fields]]:
    """`kind`, and the kinds of rows inside it."""
    inner = [each.metadata["row"] for each in kind.columns() if each.metadata["row"] is not None]
    return {kind}.union(*map(_kinds, inner))


def _linked(known: Mapping[str, Any]) -> str:
    """What kind of value it is; a kind of row with a link to its section."""
    name = known["row"].__name__ if known["row"] else ""
    words = known["kind"].replace(name, f"[{name}](#{name.lower()})") if name else known["kind"]
    return f"{words}; optional" if known["optional"] else words


PAGES = {"coverage.md": coverage, "cli.md": commands, "report.md": report_file}


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; 1 if one is out of date."""
    check = "--check" in arguments
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, page().encode()
        if check and (not path.is_file() or path.read_bytes() != text):
            stale.append(name)
        elif not check:
            write_atomic(path, text)
    for name in stale:
        print(f"docs/reference/{name}: out of date; run `make docs`", file=sys.stderr)
    return 1 if stale else 0


def _coverage_line(kind: str, row: Row) -> str:
    int8 = "yes" if row.int8 else "by each runtime" if row.native else "float"
    output_range = OUTPUT_RANGES[row.spread] if row.int8 else ""
    return f"| `{kind}` | {int8} | {output_range} | {_weights(kind, row)} | {row.why_float} |"


def _weights(kind: str, row: Row) -> str:
    """Which steps change the kernel."""
    if row.kernel is None:
        return ""
    if row.native or row.depthwise:
        return "quantized only"
    if not row.int8:
        return "" if row.crashes or kind in NOT_PLAIN else "pruned only"
    return "quantized and clustered" if kind in NOT_PLAIN else "yes"


def _models(found: Mapping[str, Any]) -> list[str]:
    """Results of every step on every model, as recorded by tests/compress/test_coverage.py."""
    small = [row for name, row in found.items() if name not in BACKBONES]
    large = [row for name, row in found.items() if name in BACKBONES]
    lines = ["# Models", "", *_wrapped(" ".join(_MODELS_TEXT.split())), "", *_table("model", small), ""]
    lines += ["## Backbones", "", *_wrapped(" ".join(_BACKBONES_TEXT.split())), "", *_table("backbone", large), ""]
    return [*lines, "## Why", "", *_reasons(found), ""]


def _table(head: str, rows: list[Any]) -> list[str]:
    columns = list(rows[0]["steps"])
    cells = [[row["title"], *(_cell(row["steps"][column]) for column in columns)] for row in rows]
    first, *rest = [f"| {' | '.join(line)} |" for line in ([head, *columns], *cells)]
    return [first, "|---" * (len(columns) + 1) + "|", *rest]


def _cell(found: Mapping[str, Any]) -> str:
    if found["outcome"] == "refused":
        return "refused"
    if found.get("ranges") == "native":
        return "done, own ranges"
    if found["outcome"] == "left":
        return "nothing to do"
    kinds = sorted({kind for kinds in found.get("left", {}).values() for kind in kinds})
    return "done" + (f"; but {', '.join(f'`{kind}`' for kind in kinds)}" if kinds else "")


def _reasons(found: Mapping[str, Any]) -> list[str]:
    """One line per step and reason, with the layers or models that it concerns."""
    reasons: dict[tuple[str, str], set[str]] = {}
    for row in found.values():
        for step, outcome in row["steps"].items():
            if outcome["outcome"] == "refused":
                reasons.setdefault((step, f"refused: {outcome['because']}"), set()).add(row["title"])
            for reason, kinds in outcome.get("left", {}).items():
                reasons.setdefault((step, reason), set()).update(f"`{kind}`" for kind in kinds)
    lines = [f"- {step}, {reason}: {'; '.join(sorted(items))}" for (step, reason), items in sorted(reasons.items())]
    return [line for text in lines for line in textwrap.wrap(text, 120, subsequent_indent="  ", break_on_hyphens=False)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def _order(kind: str) -> tuple[bool, str]:
    return kind.startswith("op."), kind.lower()


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _commands() -> Iterator[tuple[str, click.Command]]:
    yield "dltk", cli
    context = click.Context(cli, info_name="dltk")
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        if command is not None:
            yield f"dltk {name}", command


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
