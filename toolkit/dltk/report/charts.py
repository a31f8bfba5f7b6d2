"""Charts as inline SVG. Equal figures give equal bytes: no dates, a fixed salt, no setting of the user's matplotlib.

Labels stay text (the page's font, a few kilobytes a chart) and are never read as mathematics.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dltk.report.values import number

__all__ = ["Chart", "charts"]

BLUE, ORANGE, INK, GRID = "#1f6feb", "#d9730d", "#24292f", "#d8dee4"
_MOST_CURVES = 10  # ROC curves that can be told apart; above it only their mean is drawn
_MOST_NAMES = 20  # classes whose names fit along a side of 300 pixels
_MOST_MARKS = 20  # epochs that are marked one by one
_WIDTH, _HEIGHT = 3.75, 3.3  # inches of 96 pixels: close to a phone's width, so that letters keep their size
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True)
class Chart:
    """A picture and what it shows; `svg` is markup, the rest plain text."""

    title: str
    note: str
    svg: str


def charts(report: Mapping[str, Any]) -> list[Chart]:
    """The charts that the figures in `report` allow."""
    found = [*_curves(report.get("history", ())), *_drops(report["artifacts"])]
    metrics = report["metrics"] or {}
    if metrics.get("confusion"):
        found.append(_confusion(metrics))
    if any(metrics.get("roc", ())):
        found.append(_roc(metrics))
    if metrics.get("calibration"):
        found.append(_calibration(metrics["calibration"]))
    if metrics.get("horizon"):
        found.append(_horizon(metrics["horizon"]))
    return found


def _curves(history: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """A chart a figure, training and validation together; the figures of phase after phase, one epoch a step."""
    names = [name for name in (history[0] if history else ()) if name not in ("phase", "epoch", "seconds")]
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.removeprefix("validation_"), []).append(name)
    starts = [place for place in range(1, len(history)) if history[place]["phase"] != history[place - 1]["phase"]]

    note = "A dotted line is where the next phase of training starts." if starts else ""
    return [
        Chart(group.replace("_", " ").capitalize(), note, _svg(f"curve-{group}", _curve(history, members, starts)))
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


def _confusion(metrics: Mapping[str, Any]) -> Chart:
    counts, labels = metrics["confusion"], [_short(row["label"]) for row in metrics["classes"]]
    totals = [max(1, sum(row)) for row in counts]
    shares = [[cell / total for cell in row] for row, total in zip(counts, totals, strict=True)]
    few = len(labels) <= _MOST_NAMES

    def paint(axes: Any) -> None:
        axes.grid(False)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="none")
        axes.set_xlabel("found")
        axes.set_ylabel("target")
        if few:
            axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 3 else 0)
            axes.set_yticks(range(len(labels)), labels)
        for row, column in ((r, c) for r in range(len(labels)) for c in range(len(labels)) if few and counts[r][c]):
            colour = "white" if shares[row][column] > 0.5 else INK
            axes.text(column, row, f"{counts[row][column]}", ha="center", va="center", color=colour, fontsize=7)

    note = "A row is what the sample is, a column what the model found; the darker, the larger its share of the row."
    return Chart("Confusion matrix", note, _svg("confusion", paint))


def _roc(metrics: Mapping[str, Any]) -> Chart:
    named = [(row["label"], curve) for row, curve in zip(metrics["classes"], metrics["roc"], strict=True) if curve]
    same = len({len(curve) for _, curve in named}) == 1

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1)
        for label, curve in named if len(named) <= _MOST_CURVES else ():
            axes.plot(*zip(*curve, strict=True), linewidth=1, alpha=0.8, label=_short(label))
        if same:
            mean = [
                sum(points) / len(points) for points in zip(*([y for _, y in curve] for _, curve in named), strict=True)
            ]
            axes.plot([x for x, _ in named[0][1]], mean, color=INK, linewidth=2, label="mean")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.set_aspect("equal")
        axes.legend(loc="lower right", ncols=2 if len(named) > 4 else 1, fontsize=7)

    note = "One class against the rest; " + ("the mean is that of the classes." if same else "one curve a class.")
    return Chart("ROC", note, _svg("roc", paint))


def _calibration(found: Mapping[str, float]) -> Chart:
    heights = [found["expected_calibration_error"], found["expected_calibration_error_fitted"]]

    def paint(axes: Any) -> None:
        bars = axes.bar(
            ["as trained", f"temperature {found['temperature']:.3g}"], heights, color=[ORANGE, BLUE], width=0.5
        )
        axes.bar_label(bars, fmt="%.4f", padding=2)
        axes.margins(y=0.15)
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("mean |confidence - accuracy|")

    note = "Expected calibration error on the test split; the temperature was fitted on the validation split."
    return Chart("Calibration", note, _svg("calibration", paint))


def _horizon(steps: Sequence[Mapping[str, Any]]) -> Chart:
    places = [row["step"] for row in steps]

    def paint(axes: Any) -> None:
        for name, colour in (("mean_absolute_error", BLUE), ("root_mean_squared_error", ORANGE)):
            label = name.replace("_", " ")
            axes.plot(places, [row[name] for row in steps], color=colour, marker="o", markersize=3, label=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step ahead")
        axes.legend()

    return Chart("Error a step of the horizon", "In the unit of the data, on the test split.", _svg("horizon", paint))


def _drops(artifacts: Sequence[Mapping[str, Any]]) -> list[Chart]:
    scored = [(each["file"], each["metric"]) for each in artifacts if each["metric"] is not None]
    scored = [(file, metric) for file, metric in scored if number(metric.get("drop")) is not None]
    if not scored:
        return []

    def paint(axes: Any) -> None:
        for place, (_, metric) in enumerate(scored):
            low, high = metric["interval"] or (metric["drop"], metric["drop"])
            axes.plot([low, high], [place, place], color=BLUE, linewidth=2)
            axes.plot([metric["drop"]], [place], color=BLUE, marker="o", markersize=5)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(scored)), [_short(file.removeprefix("model."), 20) for file, _ in scored])
        axes.set_ylim(len(scored) - 0.5, -0.5)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("drop against the reference")

    note = "The line is the interval of the paired bootstrap, at 95%. Right of zero is worse."
    return [Chart("Drop of the metric", note, _svg("drops", paint, height=max(_HEIGHT, 1.2 + 0.3 * len(scored))))]


def _short(text: str, limit: int = 12) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _svg(name: str, paint: Callable[[Any], None], *, height: float = _HEIGHT) -> str:
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    stream = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context():
        warnings.simplefilter("ignore")  # a letter its own font lacks: the reader's browser has one that does
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": name})  # a salt a chart: ids differ within the page
        drawing = Figure(figsize=(_WIDTH, height), layout="constrained")
        FigureCanvasSVG(drawing)
        paint(drawing.add_subplot())
        drawing.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    return _inline(stream.getvalue())


def _inline(document: str) -> str:
    """The SVG element alone: no XML head, no metadata, and no id but those that something in it refers to."""
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", document[document.index("<svg") :], flags=re.DOTALL)
    wanted = set(re.findall(r"#([\w-]+)", svg))
    return re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in wanted else "", svg)
