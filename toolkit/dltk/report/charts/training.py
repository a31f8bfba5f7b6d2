"""The charts of a report, and those of training and drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dltk.report.charts.drawing import BLUE, HEIGHT, INK, ORANGE, SOFT, Chart, short, svg
from dltk.report.charts.judged import comparison_charts, quality_charts
from dltk.report.charts.tradeoff import tradeoff_charts
from dltk.report.shown import FileRow
from dltk.report.values import as_number
from dltk.training.evaluation.rows import HORIZON_FIGURES, HorizonRow
from dltk.training.log import FACTS

__all__ = ["training_charts"]

_MOST_MARKS = 20  # epochs that are marked one by one


def training_charts(report: Mapping[str, Any]) -> list[Chart]:
    """The charts that the figures in `report` allow."""
    compression, metrics = report["compression"] or {}, report["metrics"] or {}
    found = [
        *tradeoff_charts(compression),
        *_drops([FileRow.from_dict(each) for each in report["artifacts"]]),
        *_curves(report.get("history", ())),
    ]
    found += comparison_charts(compression["outcomes"]) if compression.get("outcomes") else quality_charts(metrics)
    if metrics.get("horizon"):
        found.append(_horizon([HorizonRow.from_dict(row) for row in metrics["horizon"]]))
    if metrics.get("stretch"):
        found.append(_stretch(metrics["stretch"]))
    return found


def _curves(history: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """One chart per metric, training and validation together, over the epochs of all phases."""
    names = [name for name in (history[0] if history else ()) if name not in FACTS]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.removeprefix("validation_"), []).append(name)
    starts = [place for place in range(1, len(history)) if history[place]["phase"] != history[place - 1]["phase"]]

    note = "Dotted lines mark the start of the next phase." if starts else ""
    return [
        Chart(group.replace("_", " ").capitalize(), note, svg(f"curve-{group}", _curve(history, members, starts)))
        for group, members in groups.items()
    ]


def _curve(history: Sequence[Mapping[str, Any]], names: Sequence[str], starts: Sequence[int]) -> Callable[[Any], None]:
    def paint(axes: Any) -> None:
        for name in names:
            points = [(place + 1, row[name]) for place, row in enumerate(history) if row[name] is not None]
            held_out = name.startswith("validation_")
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=ORANGE if held_out else BLUE,
                label="validation" if held_out else "training",
                marker="o" if len(points) <= _MOST_MARKS else "",
                markersize=3,
            )
        for start in starts:
            axes.axvline(start + 0.5, color=INK, linewidth=0.8, linestyle=":")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("epoch")
        axes.legend()

    return paint


def _horizon(steps: Sequence[HorizonRow]) -> Chart:
    places = [row.step for row in steps]

    def paint(axes: Any) -> None:
        for (label, cell), colour in zip(HORIZON_FIGURES, (BLUE, ORANGE), strict=True):
            axes.plot(places, [cell(row) for row in steps], color=colour, marker="o", markersize=3, label=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step ahead")
        axes.legend()

    return Chart("Error per step of the horizon", "In the unit of the data, on the test split.", svg("horizon", paint))


def _stretch(found: Mapping[str, Any]) -> Chart:
    steps = range(1, len(found["value"]) + 1)

    def paint(axes: Any) -> None:
        axes.plot(range(1 - len(found["window"]), 1), found["window"], color=SOFT, label="seen")
        axes.plot(steps, found["wanted"], color=ORANGE, marker="o", markersize=3, label="came")
        axes.plot(steps, found["value"], color=BLUE, marker="o", markersize=3, label="forecast")
        if "low" in found:
            axes.fill_between(steps, found["low"], found["high"], color=BLUE, alpha=0.2, linewidth=0)
        axes.set_xlabel("step")
        axes.set_ylabel(short(found["column"], 30))
        axes.legend()

    note = "The last window of the test split; the band is the interval of the forecast."
    return Chart("A forecast", note, svg("stretch", paint))


def _drops(artifacts: Sequence[FileRow]) -> list[Chart]:
    scored = [(each.file, each.metric) for each in artifacts if each.metric is not None]
    scored = [(file, metric) for file, metric in scored if as_number(metric.get("drop")) is not None]
    if not scored:
        return []

    def paint(axes: Any) -> None:
        for place, (_, metric) in enumerate(scored):
            low, high = metric.get("interval") or (metric["drop"], metric["drop"])
            axes.plot([low, high], [place, place], color=BLUE, linewidth=2)
            axes.plot([metric["drop"]], [place], color=BLUE, marker="o", markersize=5)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(scored)), [short(file.removeprefix("model."), 20) for file, _ in scored])
        axes.set_ylim(len(scored) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("drop against the reference")

    note = "The line is the interval of the paired bootstrap, at 95%. Right of zero is worse."
    return [Chart("Drop of the metric", note, svg("drops", paint, height=max(HEIGHT, 1.2 + 0.3 * len(scored))))]
