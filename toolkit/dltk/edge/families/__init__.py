"""The families by name. A new kind of model adds one file here and one row to this table."""

from __future__ import annotations

from importlib import import_module

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.families.base import Family, Kind, Labelled, Metric, Tensors

__all__ = ["FAMILIES", "Family", "Kind", "Labelled", "Metric", "Tensors", "family"]

FAMILIES = {  # name -> module that holds `FAMILY`; imported when first asked for
    "classification": "dltk.edge.families.classification",
    "series": "dltk.edge.families.series",
    "generator": "dltk.edge.families.generator",
    "segmentation": "dltk.edge.families.segmentation",
}


def family(name: str) -> Family:
    """The family called `name`.

    Raises:
        InputError: if this version of dltk does not know it.
    """
    if name not in FAMILIES:
        raise InputError(f"family {name!r}", "is not known to this version of dltk", hint=did_you_mean(name, FAMILIES))
    found: Family = import_module(FAMILIES[name]).FAMILY
    return found
