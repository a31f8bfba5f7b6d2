"""Write the pages of docs/reference that follow from the code; with --check, say whether they are up to date.

python docs/generate.py [--check]
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from dltk.base.files import write_atomic
from dltk.cli.main import cli
from dltk.twin.table import ACTIVATION_INT8, DROPPED_IN_USE, ROWS, Row

REFERENCE = Path(__file__).resolve().parent / "reference"
SPREADS = {
    "own": "measured",
    "same": "as its inputs",
    "unit": "fixed, 0 to 1",
    "tanh": "fixed, -1 to 1",
}


def coverage() -> str:
    """The layers that dltk can rebuild, and what becomes of each in an int8 file."""
    lines = [
        "# Layers",
        "",
        "<!-- Written by docs/generate.py from dltk.twin.table: do not edit. -->",
        "",
        "A model is compressed and exported when every layer in it stands here. Any other is refused by name, before",
        "work begins. `op.` marks arithmetic on tensors, such as `x + y` or `keras.ops.relu`.",
        "",
        "| layer | int8 | range of its output | weights quantized, pruned, clustered | remark |",
        "|---|---|---|---|---|",
        *(_coverage_line(kind, row) for kind, row in sorted(ROWS.items(), key=lambda item: _order(item[0]))),
        "",
        *_wrapped(f"`Activation` is int8 for {_listed(ACTIVATION_INT8)}; any other function stays float."),
        "",
        *_wrapped(f"Left out, because they change samples in training only: {_listed(DROPPED_IN_USE)}."),
        "",
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


PAGES = {"coverage.md": coverage, "cli.md": commands}


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
    weights = "" if row.kernel is None else "yes" if not row.depthwise else "quantized only"
    if row.kernel is not None and not row.int8 and not row.native:
        weights = "pruned and clustered only"
    int8 = "yes" if row.int8 else "each tool's own" if row.native else "float"
    spread = SPREADS[row.spread] if row.int8 else ""
    return f"| `{kind}` | {int8} | {spread} | {weights} | {row.why_float} |"


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
