"""`dltk backbones`: the supported pretrained models, and whether their weights are on this machine."""

from __future__ import annotations

from typing import Any

import click

from dltk.cli import options
from dltk.models.backbones.table import BACKBONES, Backbone
from dltk.models.backbones.weights import local_source

__all__ = ["backbones"]


@click.command()
@options.as_json
def backbones(as_json: bool) -> None:
    """List the pretrained models that recipes can start from.

    Shows for each its number of parameters without classifier, its input sizes in pixels, its width multipliers, and
    the sources of ImageNet weights. dltk tries the sources in the order shown; those that are already on this machine
    come first and need no network.

    \b
    Example:
        dltk backbones --json
    """
    facts = [_facts(each) for each in BACKBONES.values()]
    options.show({"backbones": facts}, _table(facts), as_json)


def _facts(spec: Backbone) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title,
        "parameters": spec.parameters,
        "sizes": list(spec.sizes),
        "min_size": spec.min_size,
        "alphas": list(spec.alphas),
        "batch_norm": spec.batch_norm,
        "unfreeze_after": spec.unfreeze_after,
        "sources": [
            {
                "kind": origin.kind,
                "title": origin.title,
                "alphas": list(origin.alphas),
                "checked_by": origin.pin,
                "licence": origin.licence,
                "megabytes": origin.package.megabytes if origin.package else None,
                "here": local_source(spec, origin) or None,
            }
            for origin in spec.origins
        ],
    }


def _table(facts: list[dict[str, Any]]) -> str:
    """One line per source, in aligned columns."""
    rows = [("name", "parameters", "sizes", "weights from", "here")]
    for each in facts:
        first = (each["name"], f"{each['parameters'] / 1e6:.1f} M", _sizes(each))
        for number, source in enumerate(each["sources"]):
            rows.append((*(first if number == 0 else ("", "", "")), _origin(source), source["here"] or "no"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    name, parameters, *rest = zip(row, widths, strict=True)
    cells = [name[0].ljust(name[1]), parameters[0].rjust(parameters[1]), *(cell.ljust(width) for cell, width in rest)]
    return "  ".join(cells).rstrip()


def _sizes(facts: dict[str, Any]) -> str:
    sizes = facts["sizes"]
    return f"{sizes[0]}-{sizes[-1]}"


def _origin(source: dict[str, Any]) -> str:
    """The source in short, for the table; the JSON has the name of the package."""
    title = source["title"]
    if source["megabytes"]:
        title = f"{title.partition(' ')[0]} package, {source['megabytes']} MB"
    return f"{title}; {source['checked_by']}"
