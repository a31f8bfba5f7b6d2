"""The results of a search as lines: every candidate, the layers that lose most in int8, and the chosen candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dltk.base.terminal import one_line
from dltk.edge.gains import amount, gain_with_interval, is_share

__all__ = ["searched_text"]

_LAYERS = 5  # of the most sensitive ones
_HEADS = ("", "stage", "gain [95% interval]", "bytes", "gzip -9", "p50 ms", "misses", "steps")
_SHOWN = {"drop": "{:.4f}", "size": "{:,.0f} bytes", "download": "{:,.0f} bytes", "latency": "{:g} ms"}


def searched_text(told: Mapping[str, Any]) -> list[str]:
    """The part "search" of a report, which `dltk.workflows.compress` writes, as lines of text."""
    limits = ", ".join(f"{name} at most {_SHOWN[name].format(value)}" for name, value in told["bounds"].items())
    confident = ", by the upper end of the drop's interval" if told["confident"] else ""
    result = "are met" if told["met"] else "are NOT met: the candidate that comes closest is kept"
    lines = [f"The limits ({limits}{confident}) {result}."]
    lines += [f"Candidates, measured on {told['samples']} validation samples (> chosen, * on the Pareto front):"]
    lines += _aligned([_HEADS, *(_cells(trial, told) for trial in told["trials"])])
    lines += _sensitive(told.get("sensitivity", ()), is_share((told.get("source") or {}).get("metric") or {}))
    if told["met"] and told["misses_on_test"]:
        names = [miss["limit"] for miss in told["misses_on_test"]]
        hint = " With --confident, a limit counts as met only if its interval meets it." if "drop" in names else ""
        lines += ["", f"On the test split, which is not used to choose, it misses: {', '.join(names)}.{hint}"]
    return [*map(one_line, lines), ""]


def _cells(trial: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[str, ...]:
    mark = (">" if trial["number"] == told["chosen"] else "") + ("*" if trial["number"] in told["front"] else "")
    row, steps = trial["row"], " ".join(trial["steps"])
    head = (f"{trial['number']}{mark}", trial["stage"])
    if row is None:
        return (*head, "-", "-", "-", "-", "-", f"{steps}: could not be made: {trial['error']}")
    metric, p50 = row["metric"], row["p50_ms"]
    missed = ", ".join(miss["limit"] for miss in trial["misses"]) or "-"
    sizes = (f"{row['bytes']:,}", f"{row['download_bytes']:,}", "-" if p50 is None else f"{p50:.3f}")
    return (*head, gain_with_interval(metric), *sizes, missed, steps)


def _sensitive(rows: Sequence[Mapping[str, Any]], share: bool) -> Iterator[str]:
    if rows:
        yield ""
        yield "Layers that lose most in int8, each quantized alone (all are in report.json):"
    for row in rows[:_LAYERS]:
        found = "" if row["drop"] is None else f", {amount(-row['drop'], share, signed=True)}"
        yield f"  {row['layer']}: signal to noise {row['signal_to_noise']:.1f} dB{found}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
