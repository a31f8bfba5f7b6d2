"""What is in the data, whatever is made of it: columns of a table, arrays of an npz."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dltk.base.errors import DltkError
from dltk.edge.sources.arrays import array_headers
from dltk.edge.sources.tables import Head, Table
from dltk.edge.sources.tables.records import is_number
from dltk.inspection.found import Attempt, Overview

__all__ = ["overview_of"]

_SHOWN = 3  # examples per column
_KINDS = (("numbers", "number"), ("categories", "category"), ("dates", "date"), ("targets", "target"))


def overview_of(kind: str, path: Path, attempts: Sequence[tuple[Attempt, Sequence[Head]]]) -> Overview:
    """The overview of the data at `path`, from the tables that the attempts read."""
    if kind == "arrays":
        return Overview(kind, arrays=_arrays(path))
    read = [(attempt, heads[0]) for attempt, heads in attempts if heads]
    if kind == "folder" or not read:
        return Overview(kind)
    best = next((each for each in read if each[0].fault is None), read[-1])
    kinds, empties = _roles(best[0])
    for attempt, _ in reversed(read):  # where the best says nothing of a column
        kinds = _roles(attempt)[0] | kinds if attempt.fault is None else kinds
    head = best[1]
    table = head.table
    columns = tuple(_column(table, name, kinds.get(name, ""), empties) for name in table.header)
    copies = len(table) - len(set(zip(*table.cells, strict=True)))
    return Overview(kind, head.rows, len(table), head.is_exact, columns, copies)


def _roles(attempt: Attempt) -> tuple[dict[str, str], frozenset[str]]:
    """What a recipe makes of each column, and the cells that it takes for empty ones."""
    report: Mapping[str, Any] = {} if attempt.dataset is None else attempt.dataset.report
    columns, ratings = report.get("columns"), report.get("ratings")
    roles = dict.fromkeys(report.get("left_out", ()), "left out")
    if isinstance(ratings, Mapping):
        roles |= {str(ratings[part]): part for part in ("user", "item", "rating", "time") if ratings.get(part)}
    if isinstance(columns, Mapping):
        for key, kind in _KINDS:
            roles |= {_name(each): kind for each in columns.get(key, ())}
        return roles, frozenset(columns.get("empty", ()))
    roles |= {str(name): "number" for name in columns or ()}
    time = report.get("time")
    roles |= {str(time["column"]): "time"} if isinstance(time, Mapping) and "column" in time else {}
    return roles, frozenset()


def _name(each: Any) -> str:
    return str(each.get("column")) if isinstance(each, Mapping) else str(each)


def _column(table: Table, name: str, kind: str, empties: frozenset[str]) -> dict[str, Any]:
    counts = Counter(cell.strip() for cell in table.column(name))
    empty = sum(count for text, count in counts.items() if not text or text in empties)
    texts = [text for text in counts if text and text not in empties]
    if not kind:
        kind = "number" if texts and all(map(is_number, texts)) else "text" if texts else "empty"
    share = round(empty / max(1, len(table)), 4)
    return {"name": name, "kind": kind, "missing": share, "different": len(texts), "examples": texts[:_SHOWN]}


def _arrays(path: Path) -> tuple[Mapping[str, Any], ...]:
    try:
        headers = array_headers(path)
    except (DltkError, zipfile.BadZipFile):
        return ()  # each recipe says why
    return tuple({"name": name, "dtype": dtype, "shape": list(shape)} for name, (dtype, shape) in headers.items())
