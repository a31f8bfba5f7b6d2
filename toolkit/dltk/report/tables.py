"""The tables that text and page have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from dltk.edge.gains import changed_text, gain_text, interval_text
from dltk.report.compression import compression_tables, step_table
from dltk.report.layout import Column, Table, figure, pair_table, table_of
from dltk.report.shown import FileRow
from dltk.report.values import as_number, scalars

__all__ = ["tables"]

_HISTORY_ROWS = 20


def tables(report: Mapping[str, Any]) -> list[Table]:
    """Every table but the metrics' own; those that would be empty are left out."""
    compression = report["compression"]
    found = [step_table(compression), *_artifacts([FileRow.from_dict(each) for each in report["artifacts"]])]
    if report["kind"] == "bundle":
        found += [_pairs("Agreement between artifacts", report["agreement"]), _pairs("Reference", report["reference"])]
    found += compression_tables(compression)
    if report["kind"] == "run":
        found += [_history(report["history"]), *_data(report["data"])]
    else:
        found += [_pairs("Limits of the gate", report["gate"]), _made_from(report["lineage"])]
    return [table for table in found if table.rows]


def _pairs(title: str, values: Mapping[str, Any]) -> Table:
    return pair_table(title, [(name.replace("_", " "), figure(value)) for name, value in scalars(values).items()])


def _made_from(lineage: Mapping[str, Any]) -> Table:
    """Without the settings: they would bury the rest."""
    return _pairs("Made from", {name: value for name, value in lineage.items() if name != "settings"})


def _history(epochs: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column[Mapping[str, Any]](name.replace("_", " "), partial(_cell, name), name == "phase")
        for name in (epochs[0] if epochs else ())
    ]
    note = f"The last {_HISTORY_ROWS} of {len(epochs)} epochs." if len(epochs) > _HISTORY_ROWS else ""
    return table_of("History", columns, epochs[-_HISTORY_ROWS:], note=note)


def _cell(name: str, row: Mapping[str, Any]) -> str:
    return figure(row[name])


def _data(data: Mapping[str, Any]) -> list[Table]:
    if not data:
        return []
    carved = " and ".join(data["carved_from_train"])
    moved = [(name, item) for item in data["duplicates"] for name in item["dropped"]]
    counts = (
        Column[tuple[str, Any]]("split", lambda pair: pair[0], True),
        Column[tuple[str, Any]]("samples", lambda pair: str(pair[1])),
    )
    skipped = (
        Column[Mapping[str, Any]]("file", lambda item: item["name"], True),
        Column[Mapping[str, Any]]("reason", lambda item: item["reason"], True),
    )
    copies = (
        Column[tuple[str, Any]]("file", lambda pair: pair[0], True),
        Column[tuple[str, Any]]("the same as", lambda pair: pair[1]["kept"], True),
        Column[tuple[str, Any]]("which stays in", lambda pair: pair[1]["side"], True),
    )
    taken = f"Taken from the training split: {carved}." if carved else ""
    return [
        table_of(f"Data: {data['source']}", counts, data["samples"].items(), note=taken),
        table_of("Skipped files", skipped, data["skipped"]),
        table_of("Dropped copies", copies, moved),
        table_of("Equal images with different labels", [Column("files", _alike, True)], data["conflicts"]),
    ]


def _alike(group: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{each['name']}: {', '.join(each['labels'])}" for each in group)


def _artifacts(artifacts: Sequence[FileRow]) -> list[Table]:
    most = len(artifacts)
    noted = [(each.file, note) for each in artifacts for note in each.notes]
    return [
        table_of("Artifacts", _SIZES, artifacts, most=most),
        _scores(artifacts),
        table_of("Undecided: too few samples", _NOTES, noted, most=len(noted)),
        table_of("Parity with the reference", _PROOFS, artifacts, most=most),
        table_of("Operators", _OPERATORS, [each for each in artifacts if each.operators], most=most),
    ]


_FILE = Column[FileRow]("file", lambda each: each.file, True)
_SIZES: Sequence[Column[FileRow]] = (
    _FILE,
    Column("format", lambda each: each.format, True),
    Column("precision", lambda each: each.precision, True),
    Column("bytes", lambda each: str(each.bytes)),
    Column("download (gzip -9)", lambda each: str(each.download_bytes)),
    Column("delegated", lambda each: "-" if each.delegated_share is None else f"{each.delegated_share:.0%}"),
)
_MEASURES = {"max_abs": "largest difference", "cosine": "1 - mean cosine"}
_PROOFS: Sequence[Column[FileRow]] = (
    _FILE,
    Column("measure", lambda each: _MEASURES.get(str(each.parity.get("measure")), "-"), True),
    Column("error", lambda each: figure(each.parity.get("error"))),
    Column("tolerance", lambda each: _tolerance(each.parity)),
    Column("top-1 agreement", lambda each: figure(each.parity.get("top1_agreement"))),
    Column("ranges", lambda each: each.ranges, True),
    Column("minimum runtime", lambda each: each.minimum_runtime, True),
)
_OPERATORS: Sequence[Column[FileRow]] = (
    _FILE,
    Column(
        "number of each",
        lambda each: ", ".join(f"{name} {count}" for name, count in sorted(each.operators.items())),
        True,
    ),
)
_SCORES: Sequence[Column[FileRow]] = (
    _FILE,
    Column("metric", lambda each: str(_metric(each).get("name", "metric")).replace("_", " "), True),
    Column("value", lambda each: figure(_metric(each).get("value"))),
    Column("reference", lambda each: figure(_metric(each).get("reference"))),
    Column("gain", lambda each: gain_text(each.metric)),
    Column("interval", lambda each: interval_text(each.metric)),
    Column("changed", lambda each: changed_text(each.metric)),
)
_NOTES = (
    Column[tuple[str, str]]("file", lambda pair: pair[0], True),
    Column[tuple[str, str]]("note", lambda pair: pair[1], True),
)


def _metric(row: FileRow) -> Mapping[str, Any]:
    return row.metric or {}


def _scores(artifacts: Sequence[FileRow]) -> Table:
    scored = [each for each in artifacts if each.metric is not None]
    counts = [count for each in scored if (count := as_number(_metric(each).get("samples"))) is not None]
    note = f"Measured on {counts[0]} samples; a gain is an improvement; its interval is at 95%." if counts else ""
    return table_of("Metric", _SCORES, scored, note=note, most=len(scored))


def _tolerance(parity: Mapping[str, Any]) -> str:
    """In the unit of the error beside it: the limit that was applied, or what the least cosine leaves."""
    if as_number(parity.get("limit")) is not None:
        return f"{parity['limit']:.3g}"
    tolerance = as_number(parity.get("tolerance"))
    if tolerance is None:
        return "-"
    return f"{1 - tolerance:.3g}" if parity.get("measure") == "cosine" else f"{tolerance:.3g}"
