"""The records of a run or a bundle, as plain JSON values. Nothing is loaded, run or measured again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dltk.base.errors import InputError, UsageError
from dltk.base.files import canonical_json, parse_json, read_capped
from dltk.edge.bundle.integrity import BUDGET, read_file, read_manifest
from dltk.edge.bundle.manifest import MANIFEST, Artifact, Manifest
from dltk.edge.bundle.seal import Key
from dltk.report.metrics import read_metrics
from dltk.report.read_compression import read_compression
from dltk.report.schema import REPORT, Report
from dltk.report.shown import FileRow
from dltk.report.values import as_list, as_mapping, as_number, as_records, as_texts, scalars
from dltk.run import Run

__all__ = ["collect", "of_bundle"]

_HISTORY_LIMIT = 64_000_000  # bytes


def collect(path: str | Path, *, verify: Key | None = None, max_memory: int = BUDGET) -> dict[str, Any]:
    """The measurements in the run or bundle at `path`; "kind" is "run" or "bundle".

    Of a run: "metrics", "history" (one mapping per epoch), "data", "compression" (None where nothing was
    compressed), "artifacts" (the files that were measured then).
    Of a bundle: "artifacts", "gate", "lineage", and "metrics", "agreement", "reference", "compression" as far as its
    report.json has them; each file that is read is checked against its hash.

    Args:
        verify: public key that a bundle must be signed with, as for `dltk.edge.load`; runs are not signed.
        max_memory: bytes that the files of a bundle may have together.

    Raises:
        UsageError: if `verify` is given for a run.
        InputError: if there is neither a finished run nor a sound bundle, or a file in it is broken.
    """
    path = Path(path)
    hint = "Make a run with `dltk finetune`, a bundle with `dltk export`."
    if not os.path.lexists(path):
        raise InputError(path, "must be the folder of a run, or a bundle", "nothing there", hint)
    if not path.is_dir() or os.path.lexists(path / MANIFEST):
        found = _bundle(path, verify, max_memory)
    elif os.path.lexists(path / "recipe.json"):
        if verify is not None:
            raise UsageError("--verify", "is for bundles: runs are not signed", str(path))
        found = _run(Run.open(path))
    else:
        raise InputError(path, "is neither a run (recipe.json) nor a bundle (manifest.json)", hint=hint)
    try:
        canonical_json(found)
    except (ValueError, RecursionError) as fault:  # numbers like 1e999 and lone surrogates are valid JSON
        raise InputError(path, "must hold finite numbers and Unicode text only", str(fault)) from fault
    return found


def _run(run: Run) -> dict[str, Any]:
    recipe = as_mapping(run.read_json("recipe"))
    where = run.path / REPORT
    measured: Any = run.read_json("report") if os.path.lexists(where) else {}
    report = Report.from_dict(measured, f"{where}:")
    return {
        "kind": "run",
        "name": run.name,
        "path": str(run.path),
        "recipe": str(recipe.get("recipe", "")),
        "task": str(recipe.get("task", "")),
        "smoke": recipe.get("smoke") is True,
        "metrics": read_metrics(run.read_json("metrics"), run.path / "metrics.json"),
        "history": _history(run.history_path),
        "data": _data(run.read_json("data")) if os.path.lexists(run.path / "data.json") else {},
        "compression": read_compression(report, where),
        "artifacts": [FileRow.of(item, f"{where}: artifacts").as_dict() for item in _files(measured)],
    }


def _bundle(path: Path, verify: Key | None, max_memory: int) -> dict[str, Any]:
    manifest = read_manifest(path, verify=verify, max_memory=max_memory)
    measured: Any = {}
    if REPORT in manifest.files:
        measured = parse_json(read_file(path, manifest, REPORT), path / REPORT)
    return of_bundle(manifest, measured, path)


def of_bundle(manifest: Manifest, measured: Any, path: Path) -> dict[str, Any]:
    """The records of a bundle to be written to `path`, from its manifest and its report.json."""
    where = path / REPORT
    report = Report.from_dict(measured, f"{where}:")
    beside = {row.file: row for row in (FileRow.of(item, f"{where}: artifacts") for item in _files(measured))}
    return {
        "kind": "bundle",
        "name": manifest.name,
        "path": str(path),
        "task": manifest.signature.task,
        "labels": len(manifest.signature.labels),
        "artifacts": [_file(each, beside.get(each.file), path).as_dict() for each in manifest.artifacts],
        "gate": dict(manifest.gate),
        "lineage": dict(manifest.lineage),
        "agreement": scalars(report.agreement),
        "reference": scalars(report.reference),
        "metrics": None if report.metrics is None else read_metrics(report.metrics, where),
        "compression": read_compression(report, where),
    }


def _files(measured: Any) -> list[Mapping[str, Any]]:
    """The files of a report.json: more may be known of them than what a compression writes."""
    return as_records(as_mapping(measured).get("artifacts"))


def _file(found: Artifact, beside: FileRow | None, path: Path) -> FileRow:
    """What the manifest says of a file, and of `beside` what it does not."""
    row = FileRow.of(vars(found), f"{path / MANIFEST}: {found.file}")
    return row if beside is None else replace(row, delegated_share=beside.delegated_share)


def _history(path: Path) -> list[dict[str, Any]]:
    """A mapping an epoch: figures are numbers, or None where a phase does not have them."""
    if not os.path.lexists(path):
        return []
    try:
        text = read_capped(path, _HISTORY_LIMIT).decode()
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except (UnicodeDecodeError, csv.Error) as fault:
        raise InputError(path, "must be a CSV table in UTF-8", str(fault)) from fault
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values() or not {"phase", "epoch"} <= set(row):
            raise InputError(
                f"{path}, row {line}", "must have one cell per column, including phase and epoch", dict(row)
            )
    return [{name: cell if name == "phase" else _figure(cell) for name, cell in row.items()} for row in rows]


def _figure(cell: str) -> int | float | None:
    try:
        return int(cell) if cell.isdecimal() else as_number(float(cell))
    except ValueError:
        return None


def _data(found: Any) -> dict[str, Any]:
    report = as_mapping(as_mapping(found).get("report"))
    sides = scalars(report.get("samples", report.get("windows")), depth=1)
    return {
        "source": str(as_mapping(found).get("source", "")),
        "digest": str(as_mapping(found).get("digest", "")),
        "samples": {side: count for side, count in sides.items() if as_number(count) is not None},
        "carved_from_train": as_texts(report.get("carved_from_train")),
        "skipped": [
            {"name": str(item.get("name", "")), "reason": str(item.get("reason", ""))}
            for item in as_records(report.get("skipped"))
        ],
        "duplicates": [
            {
                "kept": str(item.get("kept", "")),
                "side": str(item.get("side", "")),
                "dropped": [" ".join(as_texts(pair)[:1]) for pair in as_list(item.get("dropped"))],
            }
            for item in as_records(report.get("duplicates"))
        ],
        "conflicts": [
            [{"name": str(each.get("name", "")), "labels": as_texts(each.get("labels"))} for each in as_records(group)]
            for group in as_list(report.get("conflicts"))
        ],
    }
