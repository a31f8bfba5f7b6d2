"""A CSV table as samples: split, then numbered and standardized by what the training rows hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.bins import bins_of
from dltk.data.classes import limited
from dltk.data.columns import Chosen, TargetKind, choose
from dltk.data.dataset import Dataset, Split
from dltk.data.duplicates import without_copies
from dltk.data.split import SPLITS, assign_splits, require_training_share
from dltk.edge.families.shared.columns import Columns, encode, is_empty, target_numbers
from dltk.edge.families.tabular import OTHER, labels_of_rows
from dltk.edge.input.vocabulary import VOCABULARY, Vocabulary
from dltk.edge.sources import Table, check_labels, read_table
from dltk.edge.sources.tables import Dialect

__all__ = ["prepare_table"]

_STRATA = 10  # ranges of a value that each split has its share of


def prepare_table(source: str, settings: Any, *, seed: int, progress: Progress) -> Dataset:
    """The rows of the CSV file `source`; see `TabularData` in the recipe for `settings`.

    The report has what the signature needs: "columns", "mean" and "std" of the numbers, "kind" of the target,
    "target_mean" and "target_std" where it is values; the categories are an asset. All come from the training rows.

    Raises:
        InputError: naming line and column of what cannot be used.
    """
    require_training_share(settings, "rows")
    read = read_table(Path(source), dialect=Dialect.of(settings), note=progress.log)
    chosen = choose(read, settings, progress)
    table, columns, kind = chosen.table, chosen.columns, chosen.kind
    targets, labels = _targets(chosen)
    split_ids = _split_ids(table, targets, kind, settings, seed)
    cells = {name: table.column(name) for name in columns.features}
    known = Vocabulary.of({name: _texts(cells[name], columns) for name in columns.categories})
    raws = encode(cells, columns, known, table.where)
    strata = _strata(targets, kind)
    copies: dict[str, int] = {}
    if chosen.duplicates != "keep":
        split_ids, copies = without_copies(raws, targets, split_ids, always=chosen.duplicates == "drop")
    by_split = [np.flatnonzero(split_ids == number) for number in range(len(SPLITS))]
    by_split[0] = limited(by_split[0], strata, limit=settings.limit, seed=seed)
    if not len(by_split[0]):
        raise InputError(table.path, "needs rows for training", 0)
    train = by_split[0]
    raws, known = _recoded(raws, columns, known, train, least=settings.rarest)
    report = _report(columns, raws, by_split, kind) | table.dialect.record
    if "mean" in report and (
        bins := bins_of(raws["numbers"][train], report["mean"], report["std"], getattr(settings, "bins", 0))
    ):
        report["bins"] = bins
    assets = {VOCABULARY: known.to_bytes()} if columns.categories else {}
    if kind == "values":
        targets, moments = _standardized(targets, train)
        report |= moments
    splits = {split: Split(raws, rows, targets[rows]) for split, rows in zip(SPLITS, by_split, strict=True)}
    digest = _digest(splits, [report, *map(sha256, assets.values())])
    report |= {"left_out": list(chosen.left_out), "dropped": chosen.dropped, "duplicate_rows": copies}
    _log_copies(report, copies, progress)
    return Dataset(**splits, labels=labels, digest=digest, source=source, report=report, assets=assets)


def _targets(chosen: Chosen) -> tuple[NDArray[Any], tuple[str, ...]]:
    table, names, kind = chosen.table, chosen.columns.targets, chosen.kind
    if kind == "values":
        return target_numbers(table, chosen.columns).astype(np.float64), ()
    found = labels_of_rows(table, names)
    if chosen.joined:
        joined = set(chosen.joined)
        found = [[OTHER if label in joined else label for label in row] for row in found]
    labels = names if kind == "labels" else check_labels((name for row in found for name in row), table.path)
    if kind == "label":
        places = {label: place for place, label in enumerate(labels)}
        return np.array([places[normalize("NFC", row[0])] for row in found], np.int64), labels
    return np.array([[label in row for label in labels] for row in found], np.float32), labels


def _texts(cells: Sequence[str], columns: Columns) -> list[str]:
    """The categories of a column, sorted; "" is what an empty cell holds."""
    return sorted({"" if is_empty(cell, columns) else cell.strip() for cell in set(cells)})


def _recoded(
    raws: NDArray[Any], columns: Columns, known: Vocabulary, train: NDArray[np.int64], *, least: int
) -> tuple[NDArray[Any], Vocabulary]:
    """`raws` (n,) and the vocabulary of those categories that at least `least` training rows hold."""
    counts = [np.bincount(raws["categories"][train, place], minlength=known.size)
              for place in range(len(columns.categories))]  # fmt: skip
    kept = Vocabulary.of(
        {name: [text for text in known.texts[name] if count[known.rows[name][text]] >= least]
         for name, count in zip(columns.categories, counts, strict=True)}
    )  # fmt: skip
    for place, name in enumerate(columns.categories):
        codes = np.full(known.size, kept.unknown[name], np.int32)
        for text, row in kept.rows[name].items():
            codes[known.rows[name][text]] = row
        raws["categories"][:, place] = codes[raws["categories"][:, place]]
    return raws, kept


def _log_copies(report: dict[str, Any], copies: dict[str, int], progress: Progress) -> None:
    if copies.get("left_out"):
        progress.warn(
            f"{copies['left_out']} rows equal a row of another split and are left out: copies stay in the test split, "
            "then in the validation split (data.duplicates=keep)"
        )
    elif copies.get("across_splits"):
        progress.warn(
            f"{copies['across_splits']} rows equal a row of another split, too many to leave out: the columns take few "
            "values (data.duplicates=drop)"
        )
    elif report["copies"]:
        progress.log(f"{report['copies']} rows are copies of another one, not counting the target")
    if copies.get("conflicts"):
        progress.warn(f"{copies['conflicts']} rows equal another one but have another target")


def _strata(targets: NDArray[Any], kind: TargetKind) -> NDArray[Any]:
    """Classes, or ranges of a value: each split has its share of each."""
    if kind != "values":
        return targets
    edges = np.quantile(targets[:, 0], np.linspace(0, 1, _STRATA + 1)[1:-1])
    return np.searchsorted(edges, targets[:, 0])


def _split_ids(table: Table, targets: NDArray[Any], kind: TargetKind, settings: Any, seed: int) -> NDArray[np.int8]:
    groups = None if settings.group is None else table.column(settings.group)
    strata = _strata(targets, kind)
    return assign_splits(strata, validation=settings.validation, test=settings.test, groups=groups, seed=seed)


def _report(
    columns: Columns, raws: NDArray[Any], by_split: list[NDArray[np.int64]], kind: TargetKind
) -> dict[str, Any]:
    seen = raws[by_split[0]]
    report: dict[str, Any] = {
        "samples": {split: len(rows) for split, rows in zip(SPLITS, by_split, strict=True)},
        "columns": columns.op(),
        "kind": kind,
        "copies": len(raws) - len(np.unique(raws.view((np.void, raws.dtype.itemsize)))),
    }
    if "numbers" in (raws.dtype.names or ()):
        numbers = np.asarray(seen["numbers"], np.float64)
        filled = np.where(np.isnan(numbers), 0.0, 1.0)
        counts = np.maximum(filled.sum(axis=0), 1.0)
        mean = np.nansum(numbers, axis=0) / counts
        deviation = np.sqrt(np.nansum((numbers - mean) ** 2, axis=0) / counts)
        report |= {"mean": mean.tolist(), "std": np.where(deviation > 0, deviation, 1.0).tolist()}
        report["empty"] = {
            name: int(np.isnan(raws["numbers"][:, place]).sum()) for place, name in enumerate(columns.numbers)
        }
    return report


def _standardized(targets: NDArray[Any], train: NDArray[np.int64]) -> tuple[NDArray[Any], dict[str, Any]]:
    mean, deviation = targets[train].mean(axis=0), targets[train].std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)  # a target that never changes stays as it is
    moments = {"target_mean": mean.tolist(), "target_std": deviation.tolist()}
    return ((targets - mean) / deviation).astype(np.float32), moments


def _digest(splits: dict[str, Split], facts: list[Any]) -> str:
    parts = [canonical_json(facts)]
    for split in splits.values():
        parts += [
            split.rows.tobytes(),
            split.take(slice(None)).tobytes(),
            np.ascontiguousarray(split.targets).tobytes(),
        ]
    return sha256(b"".join(parts))
