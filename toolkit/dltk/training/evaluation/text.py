"""The figures of an evaluation as a table of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.base.terminal import one_line
from dltk.training.evaluation.rows import (
    CLASS_FIGURES,
    HORIZON_FIGURES,
    PART_FIGURES,
    ClassRow,
    HorizonRow,
    Means,
    PartRow,
)

__all__ = ["as_text", "baselines_line"]

_MATRIX = 20  # classes up to which a confusion matrix fits a terminal


def as_text(metrics: Mapping[str, Any]) -> str:
    """What `evaluation.report` found, for a person; no trailing newline."""
    lines = [f"samples   {metrics['samples']}"]
    lines += [f"{name.replace('_', ' ')}   {value:.4f}" for name, value in metrics.items() if isinstance(value, float)]
    if isinstance(metrics.get("comparison"), str):
        lines.append(one_line(metrics["comparison"]))
    lines += [f"top-{k}   {value:.4f}" for k, value in metrics.get("top_k", {}).items() if k != "1"]
    if "calibration" in metrics:
        found = metrics["calibration"]
        lines.append(
            f"expected calibration error   {found['expected_calibration_error']:.4f}, "
            f"at temperature {found['temperature']:g} {found['expected_calibration_error_fitted']:.4f}"
        )
    if metrics.get("baselines"):
        lines += ["", baselines_line(metrics)]
    if "classes" in metrics:
        lines += ["", *_class_table(metrics["classes"], metrics["macro"])]
    if "confusion" in metrics and len(metrics["confusion"]) <= _MATRIX:
        lines += ["", *_matrix([row["label"] for row in metrics["classes"]], metrics["confusion"])]
    if "parts" in metrics:
        lines += ["", *_parts(metrics["parts"])]
    if "horizon" in metrics:
        lines += ["", *_horizon(metrics["horizon"])]
    return "\n".join(lines)


def baselines_line(metrics: Mapping[str, Any]) -> str:
    """Such as "accuracy 0.903; logistic regression 0.919, ...: the network does not pay here".

    Args:
        metrics: with "baselines" as `dltk.training.baselines.baselines_of` has them, and the figure that they name.
    """
    found = metrics["baselines"]
    own, rows = metrics[found["metric"]], found["rows"]
    best = (max if found["higher_is_better"] else min)(row["score"] for row in rows)
    behind = best > own if found["higher_is_better"] else best < own
    others = ", ".join(f"{row['name']} {row['score']:.3f}" for row in rows)
    end = ": the network does not pay here" if behind else ""
    return f"{found['metric'].replace('_', ' ')} {own:.3f}; beside it {others}{end}"


def _class_table(classes: Sequence[Mapping[str, Any]], macro: Mapping[str, Any]) -> list[str]:
    lines: list[tuple[str, ...]] = [("", *(head for head, _ in CLASS_FIGURES), "samples")]
    for row in map(ClassRow.from_dict, classes):
        lines.append((row.label, *(_number(cell(row)) for _, cell in CLASS_FIGURES), str(row.samples)))
    means = Means.from_dict(macro)
    return _aligned([*lines, ("macro", *(_number(cell(means)) for _, cell in CLASS_FIGURES), "")])


def _matrix(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> list[str]:
    names = [label[:8] for label in labels]
    rows = [("target \\ found", *names)]
    rows += [(label, *map(str, row)) for label, row in zip(labels, counts, strict=True)]
    return _aligned(rows)


def _parts(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[tuple[str, ...]] = [("", *(head for head, _ in PART_FIGURES), "pixels")]
    for row in map(PartRow.from_dict, parts):
        lines.append((row.label, *(_number(cell(row)) for _, cell in PART_FIGURES), str(row.pixels)))
    return _aligned(lines)


def _horizon(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    lines: list[tuple[str, ...]] = [("step", *(head for head, _ in HORIZON_FIGURES))]
    for row in map(HorizonRow.from_dict, steps):
        lines.append((f"+{row.step}", *(_number(cell(row)) for _, cell in HORIZON_FIGURES)))
    return _aligned(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """First column to the left, numbers to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
