"""A report for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltk.report.layout import Table
from dltk.report.tables import tables
from dltk.report.values import printable
from dltk.training.evaluation.text import as_text as metrics_text
from dltk.training.log import best_checkpoint_line

__all__ = ["as_text", "headline"]


def as_text(report: Mapping[str, Any]) -> str:
    """What `collect` found, for a person; no trailing newline, and no character that a terminal would act on."""
    report = printable(report)
    metrics = report["metrics"]
    parts = [headline(report)]
    if report["kind"] == "bundle":
        parts += map(_table, tables(report))
        parts += [_metrics(metrics)] if metrics else []
    else:
        parts += [_metrics(metrics), *map(_table, tables(report))]
    commands = report["compression"]["commands"] if report["compression"] else []
    parts += ["\n".join(["To reproduce it", *(f"  {line}" for line in commands)])] if commands else []
    return "\n\n".join(parts)


def headline(report: Mapping[str, Any]) -> str:
    """What it is, on one line."""
    if report["kind"] == "run":
        smoke = "; a smoke run: its figures only show that everything works" if report["smoke"] else ""
        return f"{report['name']}: a run of the recipe {report['recipe']}, {report['task']}{smoke}"
    labels = f", {report['labels']} label(s)" if report["labels"] else ""
    return f"{report['name']}: a bundle for {report['task']}{labels}, {len(report['artifacts'])} artifact(s)"


def _metrics(metrics: Mapping[str, Any]) -> str:
    if "samples" in metrics:
        return f"The run, on its test split\n{metrics_text(metrics)}{_kept(metrics)}"
    pairs = metrics.get("training", {}).items()
    lines = [f"{name.replace('_', ' ')}   {'-' if value is None else format(value, '.4f')}" for name, value in pairs]
    return "\n".join(["The run, in training", *lines]) + _kept(metrics)


def _kept(metrics: Mapping[str, Any]) -> str:
    return f"\nweights kept: {best_checkpoint_line(metrics['kept'])}" if "kept" in metrics else ""


def _table(table: Table) -> str:
    cells = [table.heads, *table.rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.heads))]
    lines = [table.title]
    for row in cells:
        padded = (
            cell.ljust(width) if column in table.words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append(f"  {'  '.join(padded)}".rstrip())
    return "\n".join(lines + ([f"  {table.note}"] if table.note else []))
