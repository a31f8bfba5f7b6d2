"""The results of a search as lines: every candidate, the layers that lose most in int8, and the chosen candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dltk.base.terminal import one_line
from dltk.edge.gains import amount_text, gain_with_interval, is_share
from dltk.report.schema import SearchPart, SensitivityRow, TrialRow

__all__ = ["search_summary_text"]

_LAYERS = 5  # of the most sensitive ones
_SHOWN = {"drop": "{:.4f}", "size": "{:,.0f} bytes", "download": "{:,.0f} bytes", "latency": "{:g} ms"}


def search_summary_text(details: SearchPart) -> list[str]:
    """The part "search" of a report, which `dltk.workflows.compress` writes, as lines of text."""
    bounds = {name: details.bounds[name] for name in _SHOWN if name in details.bounds}
    limits = ", ".join(f"{name} at most {_SHOWN[name].format(value)}" for name, value in bounds.items())
    confident = ", by the upper end of the drop's interval" if details.confident else ""
    result = "are met" if details.met else "are NOT met: the candidate that comes closest is kept"
    lines = [f"The limits ({limits}{confident}) {result}."]
    lines += [f"Candidates, measured on {details.samples} validation samples (> chosen, * on the Pareto front):"]
    columns = _columns(details)
    cells = (tuple(cell(trial) for _, cell in columns) for trial in details.trials)
    lines += _aligned([tuple(head for head, _ in columns), *cells])
    lines += _sensitive(details.sensitivity, is_share((details.source.metric if details.source else None) or {}))
    if details.met and details.misses_on_test:
        names = [miss.limit for miss in details.misses_on_test]
        hint = " With --confident, a limit counts as met only if its interval meets it." if "drop" in names else ""
        lines += ["", f"On the test split, which is not used to choose, it misses: {', '.join(names)}.{hint}"]
    return [*map(one_line, lines), ""]


def _columns(details: SearchPart) -> list[tuple[str, Callable[[TrialRow], str]]]:
    def place(trial: TrialRow) -> str:
        chosen = ">" if trial.number == details.chosen else ""
        return f"{trial.number}{chosen}{'*' if trial.number in details.front else ''}"

    def steps(trial: TrialRow) -> str:
        words = " ".join(trial.steps)
        return words if trial.row else f"{words}: could not be made: {trial.error}"

    return [
        ("", place),
        ("stage", lambda trial: trial.stage),
        ("gain [95% interval]", lambda trial: gain_with_interval(trial.row.metric) if trial.row else "-"),
        ("bytes", lambda trial: f"{trial.row.bytes:,}" if trial.row else "-"),
        ("gzip -9", lambda trial: f"{trial.row.download_bytes:,}" if trial.row else "-"),
        ("p50 ms", lambda trial: "-" if trial.row is None or trial.row.p50_ms is None else f"{trial.row.p50_ms:.3f}"),
        ("misses", lambda trial: ", ".join(miss.limit for miss in trial.misses) or "-"),
        ("steps", steps),
    ]


def _sensitive(rows: Sequence[SensitivityRow], share: bool) -> Iterator[str]:
    if rows:
        yield ""
        yield "Layers that lose most in int8, each quantized alone (all are in report.json):"
    for row in rows[:_LAYERS]:
        found = "" if row.drop is None else f", {amount_text(-row.drop, share, signed=True)}"
        yield f"  {row.layer}: signal to noise {row.signal_to_noise or 0:.1f} dB{found}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
