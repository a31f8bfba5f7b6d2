"""What can be done about files that failed the gate: only what was tried, or follows from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.edge.gains import amount_text, gain_text, is_share
from dltk.report.schema import ArtifactRow, StateRow

__all__ = ["metric_cost_by_step", "gate_options", "passing_precisions_option", "ranges", "passed_precision_lines"]

_LEAST = ("cosine", "top1_agreement")  # limits from below; the others are from above

Rows = Sequence[ArtifactRow]


def passing_precisions_option(rows: Rows) -> str:
    """` --precision float32`: the options that leave only files which passed; empty where none is left, or all are."""
    failed = {row.precision for row in rows if not row.passed}
    kept = dict.fromkeys(row.precision for row in rows if row.precision not in failed) if failed else ()
    return "".join(f" --precision {precision}" for precision in kept)


def gate_options(rows: Rows) -> str:
    """`--gate cosine=0.983 --gate drop=0.031`: the limits that every file meets; empty where no limit would help."""
    found: dict[str, float] = {}
    for row in rows:
        if len(row.reasons) > len(row.accepts):  # such as an operator that is not int8
            return ""
        for name, value in row.accepts.items():
            found[name] = (min if name in _LEAST else max)(value, found.get(name, value))
    return " ".join(f"--gate {name}={value:g}" for name, value in found.items())


def ranges(calibration: Mapping[str, Any] | None) -> str:
    """What calibration measured of the methods that give int8 its ranges; empty where it compared none."""
    errors = (calibration or {}).get("held_out_error") or {}
    if calibration is None or len(errors) < 2:
        return ""
    others = ", ".join(name for name in sorted(errors) if name != calibration["method"])
    return f"ranges={calibration['method']} came nearest to float32 when calibration compared it with {others}"


def metric_cost_by_step(bought: Sequence[StateRow]) -> dict[str, str]:
    """Step -> what it lost of the metric beside the state before it; steps that lost nothing are left out."""
    found, before = {}, None
    for row in bought:
        metric = row.metric
        if not metric or row.after.startswith("float32,"):
            continue
        lost = 0.0 if before is None else float(metric["drop"]) - before
        before = float(metric["drop"])
        if lost > 0:
            found[row.after] = amount_text(lost, is_share(metric))
    return found


def passed_precision_lines(rows: Rows) -> list[str]:
    """A line for each other precision that was tried and passed."""
    lines = []
    for row in rows:
        if row.passed:
            what = f"--step quantize:precision={row.precision}"
            lines.append(f"{what} was tried and passes: {row.bytes:,} bytes, {gain_text(row.metric)}")
    return lines
