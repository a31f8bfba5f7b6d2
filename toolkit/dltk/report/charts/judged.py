"""The charts of how good a model is: confusion matrix, ROC, reliability; of one model, or before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dltk.report.charts.drawing import BLUE, GRID, INK, MOST_NAMES, ORANGE, SOFT, Chart, short, svg

__all__ = ["comparison_charts", "quality_charts"]

_MOST_CURVES = 10  # ROC curves that can be told apart; above it only their mean is drawn
_RGB = tuple(int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5))
_ROWS = "Rows are targets, columns predictions; a stronger colour is a larger share of the row."


def quality_charts(metrics: Mapping[str, Any]) -> list[Chart]:
    """Of one model, as far as its figures go."""
    found = []
    if metrics.get("confusion"):
        found.append(_confusion("Confusion matrix", "confusion", metrics))
    if any(metrics.get("roc", ())):
        found.append(_roc(metrics))
    fitted = metrics.get("calibration") or {}
    if fitted.get("reliability"):
        found.append(_reliability({"": fitted}))
    elif fitted:
        found.append(_calibration(fitted))
    return found


def comparison_charts(outcomes: Mapping[str, Any]) -> list[Chart]:
    """Of the float32 model before a compression and the file after it, on the same samples."""
    before, after, found = outcomes["before"], outcomes["after"], []
    sides = {side: outcomes[side].get("calibration") or {} for side in ("before", "after")}
    if all(each.get("reliability") for each in sides.values()):
        found.append(_reliability(sides))
    for side, metrics, what in (("before", before, "The source in float32."), ("after", after, f"{outcomes['file']}.")):
        if metrics.get("confusion"):
            found.append(replace(_confusion(f"Confusion matrix, {side}", f"confusion-{side}", metrics, what), group=1))
    if any(after.get("roc", ())):
        found.append(replace(_roc(after, before=before), group=1))
    return found


def _confusion(title: str, name: str, metrics: Mapping[str, Any], what: str = "") -> Chart:
    counts, labels = metrics["confusion"], [short(row["label"]) for row in metrics["classes"]]
    totals = [max(1, sum(row)) for row in counts]
    shares = [[cell / total for cell in row] for row, total in zip(counts, totals, strict=True)]
    few = len(labels) <= MOST_NAMES

    def paint(axes: Any) -> None:
        axes.grid(False)
        # Blue that shows through: the page's light or dark ground is its zero.
        axes.imshow([[(*_RGB, min(1.0, max(0.0, cell))) for cell in row] for row in shares], interpolation="none")
        axes.set_xlabel("found")
        axes.set_ylabel("target")
        if few:
            axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 3 else 0)
            axes.set_yticks(range(len(labels)), labels)
        for row, column in ((r, c) for r in range(len(labels)) for c in range(len(labels)) if few and counts[r][c]):
            colour = "white" if shares[row][column] > 0.5 else INK
            axes.text(column, row, f"{counts[row][column]}", ha="center", va="center", color=colour, fontsize=7)

    return Chart(title, f"{what} {_ROWS}".strip(), svg(name, paint))


def _roc(metrics: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> Chart:
    named = [(row["label"], curve) for row, curve in zip(metrics["classes"], metrics["roc"], strict=True) if curve]
    mean, earlier = _mean([curve for _, curve in named]), _mean(list(filter(None, (before or {}).get("roc", ()))))

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GRID, linestyle="--", linewidth=1)
        for label, curve in named if len(named) <= _MOST_CURVES else ():
            axes.plot(*zip(*curve, strict=True), linewidth=1, alpha=0.8, label=short(label))
        if mean:
            axes.plot(*zip(*mean, strict=True), color=INK, linewidth=2, label="mean, after" if earlier else "mean")
        if earlier:
            axes.plot(*zip(*earlier, strict=True), color=ORANGE, linewidth=1.2, linestyle="--", label="mean, before")
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        axes.set_aspect("equal")
        axes.legend(loc="lower right", ncols=2 if len(named) > 4 else 1, fontsize=7)

    note = "One class against the rest; " + ("the mean is that of the classes." if mean else "one curve per class.")
    return Chart("ROC, after" if before is not None else "ROC", note, svg("roc", paint))


def _mean(curves: Sequence[Sequence[Sequence[float]]]) -> list[tuple[float, float]]:
    """The mean of curves over one grid of false positive rates; nothing where they have several."""
    grids = {tuple(x for x, _ in curve) for curve in curves}
    if len(grids) != 1:
        return []
    heights = zip(*([y for _, y in curve] for curve in curves), strict=True)
    return [(x, sum(points) / len(points)) for x, points in zip(grids.pop(), heights, strict=True)]


def _reliability(sides: Mapping[str, Mapping[str, Any]]) -> Chart:
    colours = (BLUE,) if len(sides) == 1 else (ORANGE, BLUE)

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1, label="honest")
        for (side, fitted), colour in zip(sides.items(), colours, strict=True):
            bins = fitted["reliability"]
            most = max(count for _, _, count in bins)
            error = f"error {fitted['expected_calibration_error_fitted']:.4f}"
            axes.plot([x for x, _, _ in bins], [y for _, y, _ in bins], color=colour, linewidth=1.2,
                      label=f"{side}, {error}" if side else error)  # fmt: skip
            sizes = [6 + 60 * count / max(most, 1) for _, _, count in bins]
            axes.scatter([x for x, _, _ in bins], [y for _, y, _ in bins], s=sizes, color=colour, alpha=0.7)
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel="confidence", ylabel="accuracy")
        axes.set_aspect("equal")
        axes.legend(loc="upper left", fontsize=7)

    temperatures = ", ".join(f"{side} {fitted['temperature']:.3g}".strip() for side, fitted in sides.items())
    note = "One point per bin of confidence, larger for more samples; below the line the model is overconfident. "
    return Chart("Reliability", f"{note}Behind the fitted temperature: {temperatures}.", svg("reliability", paint))


def _calibration(found: Mapping[str, float]) -> Chart:
    heights = [found["expected_calibration_error"], found["expected_calibration_error_fitted"]]
    names = ["as trained", f"temperature {found['temperature']:.3g}"]
    note = "Expected calibration error on the test split; the temperature was fitted on the validation split."
    return Chart("Calibration", note, svg("calibration", _bars(names, heights)))


def _bars(names: Sequence[str], heights: Sequence[float]) -> Callable[[Any], None]:
    def paint(axes: Any) -> None:
        bars = axes.bar(names, heights, color=[ORANGE, BLUE], width=0.5)
        axes.bar_label(bars, fmt="%.4f", padding=2)
        axes.margins(y=0.15)
        axes.grid(axis="x", visible=False)
        axes.set_ylabel("mean |confidence - accuracy|")

    return paint
