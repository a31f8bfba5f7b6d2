"""A report as one HTML page that opens from the disk: no script, no network, no fonts of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from dltk.base.errors import EnvironmentFault
from dltk.base.install import pip_extra
from dltk.base.rows import Row
from dltk.edge.gains import gain_text
from dltk.report.charts.training import training_charts
from dltk.report.compression import step_table
from dltk.report.layout import Column, Table, figure, share_text, size_text, table_of
from dltk.report.schema import StateRow
from dltk.report.shown import FileRow
from dltk.report.tables import tables
from dltk.report.template import PAGE, STYLE
from dltk.report.values import as_number, printable
from dltk.training.evaluation.rows import CLASS_FIGURES, HORIZON_FIGURES, ClassRow, HorizonRow, Means

__all__ = ["as_html"]

_MOST_CLASSES = 200
_HEADLINES = ("accuracy", "exact_match", "mean_absolute_error", "root_mean_squared_error")


def as_html(report: Mapping[str, Any]) -> str:
    """What `collect` found, as a page; equal reports give equal pages.

    Names, labels and files are untrusted: all of them are escaped, and the page's own policy forbids scripts and
    the network.

    Raises:
        EnvironmentFault: if matplotlib or jinja2 is not installed.
    """
    _require_drawing()
    import jinja2
    from markupsafe import Markup

    report = printable(report)
    compression = report["compression"]
    first = [table for table in (step_table(compression),) if table.rows]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(PAGE)
    drawn: dict[int, list[dict[str, Any]]] = {}
    for chart in training_charts(report):
        picture = Markup(chart.svg)  # noqa: S704 - drawn by matplotlib
        drawn.setdefault(chart.group, []).append({"title": chart.title, "note": chart.note, "svg": picture})
    page: str = template.render(
        name=report["name"],
        lead=_lead(report),
        smoke=report.get("smoke", False),
        style=Markup(STYLE),  # noqa: S704 - a constant
        tiles=_tiles(report),
        bars=_bars(_files(report)),
        charts=[drawn[group] for group in sorted(drawn)],
        first=first,
        tables=[table for table in _all_tables(report) if table not in first],
        commands=compression["commands"] if compression else [],
    )
    return page


def _require_drawing() -> None:
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as fault:
        hint = f"Run `{pip_extra('report')}`. Text (.txt) and JSON (.json) need nothing."
        raise EnvironmentFault("--out", "a page is drawn with matplotlib and jinja2", str(fault), hint) from fault


def _lead(report: Mapping[str, Any]) -> str:
    if report["kind"] == "run":
        return f"A run of the recipe {report['recipe']}: {report['task']}"
    labels = f", {report['labels']} label(s)" if report["labels"] else ""
    return f"A bundle for {report['task']}{labels}, {len(report['artifacts'])} artifact(s)"


def _all_tables(report: Mapping[str, Any]) -> list[Table]:
    """What it is about first: of a run its figures, of a compressed one and of a bundle the files."""
    figures = _class_tables(report["metrics"] or {})
    trained = report["kind"] == "run" and not report["compression"]
    return [*figures, *tables(report)] if trained else [*tables(report), *figures]


def _tiles(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    metrics = report["metrics"] or {}
    if report["kind"] == "bundle":
        return [*_step_tiles(report["compression"]), *_bundle_tiles(_files(report), metrics)]
    tiles = _step_tiles(report["compression"])
    tiles += [(name.replace("_", " "), figure(metrics[name])) for name in _HEADLINES if name in metrics]
    if isinstance(metrics.get("comparison"), str):
        tiles.append((metrics["comparison"], figure(metrics.get("ridge_mean_absolute_error"))))
    tiles += [
        (f"baseline: {row['name']}", figure(row["score"])) for row in metrics.get("baselines", {}).get("rows", ())
    ]
    if not report["compression"]:
        tiles += [(f"top-{k}", figure(value)) for k, value in metrics.get("top_k", {}).items() if k != "1"][:2]
    if "macro" in metrics:
        tiles.append(("mean F1 of the classes", figure(metrics["macro"]["f1"])))
    if "calibration" in metrics:
        fitted = metrics["calibration"]
        label = f"calibration error at temperature {figure(fitted['temperature'])}"
        tiles.append((label, figure(fitted["expected_calibration_error_fitted"])))
    tiles += [(name.replace("_", " "), figure(value)) for name, value in metrics.get("training", {}).items()]
    if "kept" in metrics:
        tiles.append(
            (
                f"of {metrics['kept']['epochs']} in {metrics['kept']['phase']}: epoch kept",
                figure(metrics["kept"]["epoch"]),
            )
        )
    if "samples" in metrics:
        tiles.append(("test samples", figure(metrics["samples"])))
    return tiles


def _step_tiles(compression: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """The last file of a compression, compared with the float32 file that it began with."""
    states = map(StateRow.from_dict, compression["bought"] if compression else ())
    rows = [row for row in states if not row.after.startswith("float32,")]
    if len(rows) < 2:
        return []
    first, last = rows[0], rows[-1]
    tiles = [
        (f"of the source's float32 file to download {last.file}", share_text(last.download_bytes, first.bytes)),
        ("of the source's p50 for one sample", share_text(last.p50_ms, first.p50_ms)),
        ("gain of the metric", gain_text(last.metric)),
    ]
    return [(label, value) for label, value in tiles if value != "-"]


def _bundle_tiles(artifacts: Sequence[FileRow], metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    smallest = min(artifacts, key=lambda each: (each.bytes, each.file))
    tiles = [("smallest file", size_text(smallest.bytes)), ("to download it", size_text(smallest.download_bytes))]
    scored = [each.metric for each in artifacts if each.metric and as_number(each.metric.get("drop")) is not None]
    if scored:
        tiles.append(("least gain of the metric", gain_text(max(scored, key=lambda metric: float(metric["drop"])))))
    found = [(f"{name.replace('_', ' ')} of the run", figure(metrics[name])) for name in _HEADLINES if name in metrics]
    return tiles + found


def _files(report: Mapping[str, Any]) -> list[FileRow]:
    return [FileRow.from_dict(each) for each in report["artifacts"]]


def _bars(artifacts: Sequence[FileRow]) -> list[dict[str, Any]]:
    largest = max((each.bytes for each in artifacts), default=0) or 1
    return [
        {
            "file": each.file,
            "words": f"{size_text(each.bytes)}, download {size_text(each.download_bytes)}",
            "raw": round(100 * each.bytes / largest, 1),
            "download": min(100.0, round(100 * each.download_bytes / largest, 1)),
        }
        for each in artifacts
    ]


def _class_tables(metrics: Mapping[str, Any]) -> list[Table]:
    rows: list[Means] = [ClassRow.from_dict(row) for row in metrics.get("classes", ())]
    more = len(rows) - _MOST_CLASSES
    shown = [*rows[:_MOST_CLASSES], Means.from_dict(metrics["macro"])] if rows else []
    note = f"{more} more, see the JSON report." if more > 0 else ""
    columns = (
        Column[Means]("", lambda row: row.label if isinstance(row, ClassRow) else "mean", True),
        *(Column[Means](head, partial(_figure, cell)) for head, cell in CLASS_FIGURES),
        Column[Means]("samples", lambda row: figure(row.samples) if isinstance(row, ClassRow) else ""),
    )
    found = table_of("Classes of the run, on its test split", columns, shown, note=note, most=len(shown))
    ahead = (
        Column[HorizonRow]("step", lambda row: f"+{row.step}", True),
        *(Column[HorizonRow](head, partial(_figure, cell)) for head, cell in HORIZON_FIGURES),
    )
    steps = [HorizonRow.from_dict(row) for row in metrics.get("horizon", ())]
    horizon = table_of("Horizon of the run, on its test split", ahead, steps, most=len(steps))
    return [table for table in (found, horizon) if table.rows]


def _figure(cell: Callable[[Any], Any], row: Row) -> str:
    return figure(cell(row))
