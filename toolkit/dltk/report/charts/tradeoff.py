"""The charts of what was gained for what: steps of a compression, candidates of a search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dltk.report.charts.drawing import BLUE, INK, ORANGE, SOFT, Chart, short, svg
from dltk.report.schema import StateRow
from dltk.report.shown import ShownTrial
from dltk.report.values import as_number as number_of

__all__ = ["tradeoff_charts"]

_AXES = {  # what a file costs -> words, divided by, the limit on it
    "download_bytes": ("download, KB", 1000.0, "download"),
    "bytes": ("file, KB", 1000.0, "size"),
    "p50_ms": ("p50, ms", 1.0, "latency"),
}
_WIDE = 8.0  # largest over smallest from which on an axis of costs is logarithmic


def tradeoff_charts(compression: Mapping[str, Any]) -> list[Chart]:
    """Metric over download of each step; metric over what is limited of each candidate."""
    found = []
    states = map(StateRow.from_dict, compression.get("bought", ()))
    bought = [row for row in states if _scored(row) and row.download_bytes > 0]
    if len(bought) > 1:
        note = "Up and to the left is better. The line is the interval of the change, at 95%."
        found.append(Chart("Effect of each step", note, svg("bought", _states(bought))))
    search = compression.get("search")
    if search:
        limited = [key for key, (_, _, limit) in _AXES.items() if limit in search["bounds"]] or ["download_bytes"]
        found += [chart for key in limited if (chart := _pareto(search, key)) is not None]
    return found


def _states(rows: Sequence[StateRow]) -> Callable[[Any], None]:
    def paint(axes: Any) -> None:
        places = [(row.download_bytes / 1000, _metric(row)["value"]) for row in rows]
        for number, (row, (x, y)) in enumerate(zip(rows, places, strict=True), start=1):
            metric, ends = _metric(row), _metric(row).get("interval")
            beside = row.after.startswith("float32,")
            colour = SOFT if beside or number == 1 else BLUE
            if ends and number_of(metric.get("drop")) is not None:
                sign = 1.0 if metric.get("higher_is_better", True) else -1.0
                axes.plot([x, x], [y + sign * (metric["drop"] - end) for end in ends], color=colour, linewidth=1.5)
            name = row.after if row.precision == "float32" else f"{row.after}, {row.precision}"
            axes.scatter([x], [y], color=colour, s=24, marker="s" if beside else "o", zorder=3,
                         label=f"{number} {short(name, 26)}")  # fmt: skip
            axes.annotate(str(number), (x, y), xytext=(5, 3), textcoords="offset points", fontsize=8)
        _cost_axis(axes, [x for x, _ in places], "download, KB")
        axes.set_ylabel(_name(_metric(rows[0])))
        axes.margins(x=0.12, y=0.12)
        axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=2, fontsize=7)

    return paint


def _pareto(search: Mapping[str, Any], key: str) -> Chart | None:
    words, unit, limit = _AXES[key]
    trials = map(ShownTrial.from_dict, search["trials"])
    made = [trial for trial in trials if _scored(trial) and (getattr(trial, key) or 0) > 0]
    if not made:
        return None

    def paint(axes: Any) -> None:
        front = [trial for trial in made if trial.number in search["front"]]
        axes.scatter(*_points(made, key, unit), s=16, facecolors="none", edgecolors=SOFT, label="candidate")
        axes.scatter(*_points(front, key, unit), s=18, color=BLUE, label="front")
        axes.plot(*_points(_pareto_edge(front, key), key, unit), color=BLUE, linewidth=1)
        chosen = [trial for trial in made if trial.number == search["chosen"]]
        axes.scatter(*_points(chosen, key, unit), s=80, facecolors="none", edgecolors=ORANGE, linewidths=2,
                     label="chosen")  # fmt: skip
        if limit in search["bounds"]:
            axes.axvline(search["bounds"][limit] / unit, color=INK, linewidth=0.8, linestyle=":")
        floor = _floor(search, made)
        if floor is not None:
            axes.axhline(floor, color=INK, linewidth=0.8, linestyle=":")
        _cost_axis(axes, _points(made, key, unit)[0], words)
        axes.set_ylabel(_name(_metric(made[0])))
        axes.legend(loc="lower right", fontsize=7)

    note = (
        "On the validation split. Dotted lines are the limits. The front are the candidates that no other "
        "beats in drop, "
    )
    note += "download, latency and size at once; the line joins those that none beats in these two."
    return Chart(f"Candidates: metric over {words.partition(',')[0]}", note, svg(f"pareto-{key}", paint))


def _metric(row: StateRow | ShownTrial) -> Mapping[str, Any]:
    return row.metric or {}


def _scored(row: StateRow | ShownTrial) -> bool:
    return number_of(_metric(row).get("value")) is not None


def _points(trials: Sequence[ShownTrial], key: str, unit: float) -> tuple[list[float], list[float]]:
    return [getattr(trial, key) / unit for trial in trials], [_metric(trial)["value"] for trial in trials]


def _pareto_edge(trials: Sequence[ShownTrial], key: str) -> list[ShownTrial]:
    """From the cheapest on, each that is better than all cheaper ones."""
    found: list[ShownTrial] = []
    sign = 1.0 if trials and _metric(trials[0]).get("higher_is_better", True) else -1.0
    for trial in sorted(trials, key=lambda trial: (getattr(trial, key), -sign * _metric(trial)["value"])):
        if not found or sign * (_metric(trial)["value"] - _metric(found[-1])["value"]) > 0:
            found.append(trial)
    return found


def _floor(search: Mapping[str, Any], made: Sequence[ShownTrial]) -> float | None:
    """The metric that the largest drop leaves; None where no drop is limited."""
    metric = _metric(made[0])
    if "drop" not in search["bounds"] or number_of(metric.get("reference")) is None:
        return None
    sign = 1.0 if metric.get("higher_is_better", True) else -1.0
    return float(metric["reference"] - sign * search["bounds"]["drop"])


def _cost_axis(axes: Any, costs: Sequence[float], words: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xlabel(words)
    if max(costs) > _WIDE * min(costs):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", nbins=5)


def _name(metric: Mapping[str, Any]) -> str:
    return str(metric.get("name", "metric")).replace("_", " ")
