"""The tables that text and page have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dltk.edge.gains import changed, gain, interval
from dltk.report.bought import bought_table, compression_tables
from dltk.report.layout import Table, cut, figure
from dltk.report.values import number, scalars

__all__ = ["tables"]

_HISTORY_ROWS = 20


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Every table but the metrics' own; those that would be empty are left out."""
    compression = report["compression"]
    found = [bought_table(compression), *_artifacts(report["artifacts"])]
    if report["kind"] == "bundle":
        found += [_pairs("Agreement between artifacts", report["agreement"]), _pairs("Reference", report["reference"])]
    found += compression_tables(compression)
    if report["kind"] == "run":
        found += [_history(report["history"]), *_data(report["data"])]
    else:
        found += [_pairs("Limits it was held to", report["gate"]), _made_from(report["lineage"])]
    return [table for table in found if table.rows]


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    rows, note = cut([(name.replace("_", " "), figure(value)) for name, value in scalars(values).items()])
    return Table(title, ("", "value"), rows, (0, 1), note)


def _made_from(lineage: Mapping[str, Any]) -> Table:
    """Without the settings: they would bury the rest."""
    return _pairs("Made from", {name: value for name, value in lineage.items() if name != "settings"})


def _history(epochs: Sequence[Mapping[str, Any]]) -> Table:
    heads = tuple(epochs[0]) if epochs else ()
    rows = [tuple(figure(row[name]) for name in heads) for row in epochs]
    earlier = len(rows) - _HISTORY_ROWS
    note = f"The last {_HISTORY_ROWS} of {len(rows)} epochs." if earlier > 0 else ""
    return Table("History", tuple(name.replace("_", " ") for name in heads), tuple(rows[max(0, earlier) :]), note=note)


def _data(data: Mapping[str, Any]) -> list[Table]:
    if not data:
        return []
    carved = " and ".join(data["carved_from_train"])
    counts = tuple((side, str(count)) for side, count in data["samples"].items())
    skipped, more_skipped = cut([(item["name"], item["reason"]) for item in data["skipped"]])
    moved, more_moved = cut(
        [(name, item["kept"], item["side"]) for item in data["duplicates"] for name in item["dropped"]]
    )
    conflicts, more_conflicts = cut(
        [("; ".join(f"{each['name']}: {', '.join(each['labels'])}" for each in group),) for group in data["conflicts"]]
    )
    source = f"Data: {data['source']}"
    return [
        Table(source, ("side", "samples"), counts, note=f"Taken from the training side: {carved}." if carved else ""),
        Table("Files left out", ("file", "reason"), skipped, (0, 1), more_skipped),
        Table("Copies dropped", ("file", "the same as", "which stays in"), moved, (0, 1, 2), more_moved),
        Table("Equal pictures with different labels", ("files",), conflicts, (0,), more_conflicts),
    ]


def _artifacts(artifacts: Sequence[Mapping[str, Any]]) -> list[Table]:
    operators = tuple(
        (each["file"], ", ".join(f"{name} {count}" for name, count in sorted(each["operators"].items())))
        for each in artifacts
        if each["operators"]
    )
    return [
        Table("Artifacts", _SIZES, tuple(map(_sizes, artifacts)), (0, 1, 2)),
        _scores(artifacts),
        Table("What the samples cannot decide", ("file", ""), _notes(artifacts), (0, 1)),
        Table("Parity with the reference", _PROOFS, tuple(map(_proof, artifacts)), (0, 1, 5, 6)),
        Table("Operators", ("file", "how often each stands in it"), operators, (0, 1)),
    ]


_SIZES = ("file", "format", "precision", "bytes", "download (gzip -9)", "delegated")
_PROOFS = ("file", "measure", "error", "tolerance", "top-1 agreement", "ranges", "minimum runtime")


def _sizes(each: Mapping[str, Any]) -> tuple[str, ...]:
    share = each["delegated_share"]
    return (
        each["file"],
        each["format"],
        each["precision"],
        str(each["bytes"]),
        str(each["download_bytes"]),
        "-" if share is None else f"{share:.0%}",
    )


def _scores(artifacts: Sequence[Mapping[str, Any]]) -> Table:
    rows, notes = [], []
    for each in artifacts:
        metric = each["metric"]
        if metric is None:
            continue
        name = str(metric.get("name", "metric")).replace("_", " ")
        values = (figure(metric.get(key)) for key in ("value", "reference"))
        rows.append((each["file"], name, *values, gain(metric), interval(metric), changed(metric)))
        if number(metric.get("samples")) is not None:
            notes.append(f"Measured on {metric['samples']} samples; a gain is for the better; its interval is at 95%.")
    heads = ("file", "metric", "value", "reference", "gain", "interval", "changed")
    return Table("Metric", heads, tuple(rows), (0, 1), notes[0] if notes else "")


def _notes(artifacts: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, ...], ...]:
    return tuple((each["file"], str(each["parity"]["notes"])) for each in artifacts if "notes" in each["parity"])


def _proof(each: Mapping[str, Any]) -> tuple[str, ...]:
    parity = each["parity"]
    return (
        each["file"],
        {"max_abs": "largest difference", "cosine": "1 - mean cosine"}.get(parity.get("measure"), "-"),
        figure(parity.get("error")),
        _tolerance(parity),
        figure(parity.get("top1_agreement")),
        each["ranges"],
        each["minimum_runtime"],
    )


def _tolerance(parity: Mapping[str, Any]) -> str:
    """In the unit of the error beside it: the limit that was applied, or what the least cosine leaves."""
    if number(parity.get("limit")) is not None:
        return f"{parity['limit']:.3g}"
    tolerance = number(parity.get("tolerance"))
    if tolerance is None:
        return "-"
    return f"{1 - tolerance:.3g}" if parity.get("measure") == "cosine" else f"{tolerance:.3g}"
