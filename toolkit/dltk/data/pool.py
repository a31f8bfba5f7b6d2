"""Whatever the user names as data, in one form: samples that can be read one by one, labelled, not yet decoded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.named.load import NAMED, load_named
from dltk.data.split import SPLITS, stratified_subset
from dltk.data.stamps import file_digests
from dltk.edge.sources import IMAGES, FileKind, Layout, Listing, list_files, read_image_arrays
from dltk.edge.sources.boxes import boxes_in, no_boxes
from dltk.edge.sources.tables import PLAIN, Dialect, is_table_file

__all__ = ["Pool", "open_files", "open_pool"]


_AS_FOUND = Layout()


def _nothing() -> None:
    """Arrays in memory do not change."""


@dataclass(frozen=True)
class Pool:
    """Labelled samples, sorted by name.

    Attributes:
        source: what the user gave.
        key: digest of everything that decides the raw samples; labels are no part of it.
        targets: int64 (n,), or float32 (n, labels).
        labels: one per class.
        split_ids: int8 (n,), index into `SPLITS`; -1 if the source has no split.
        name: row -> name of the sample, for messages.
        read: row -> what the decoder takes: a path, an array, or the parts of a sample.
        groups: one per sample, or None.
        skipped: (name, reason) of what was left out already.
        require_unchanged: raises InputError if what `key` stands for has changed since.
        dialect: how the CSV is written, where there is one.
    """

    source: str
    key: str
    targets: NDArray[Any]
    labels: tuple[str, ...]
    split_ids: NDArray[np.int8]
    name: Callable[[int], str]
    read: Callable[[int], Any]
    groups: Sequence[str] | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    require_unchanged: Callable[[], None] = _nothing
    dialect: Dialect = PLAIN

    def __len__(self) -> int:
        return len(self.targets)

    def part(self, total: int, seed: int) -> Pool:
        """About `total` of these samples, as `stratified_subset` takes them; all where `total` is 0 or too large."""
        rows = stratified_subset(self.targets, self.split_ids, total=total, seed=seed)
        if len(rows) == len(self):
            return self
        return replace(
            self,
            key=sha256(canonical_json([self.key, rows.tolist()])),
            targets=self.targets[rows],
            split_ids=self.split_ids[rows],
            name=lambda row: self.name(int(rows[row])),
            read=lambda row: self.read(int(rows[row])),
            groups=None if self.groups is None else [self.groups[row] for row in rows],
        )


def open_pool(
    source: str, *, group: str | None, multi_label: bool, layout: Layout = _AS_FOUND, progress: Progress,
    least_classes: int = 2,
) -> Pool:  # fmt: skip
    """The samples of `source`: "digits", "cifar10", "fashion-mnist", a folder, a .csv or an .npz.

    A folder with the name of a known data set is meant by ./NAME.

    Raises:
        InputError: if it is none of these or has another layout.
        EnvironmentFault: if a known data set is unavailable.
    """
    path = Path(source)
    if source not in NAMED and (path.is_dir() or is_table_file(path)):
        return open_files(
            source, IMAGES, group=group, multi_label=multi_label, layout=layout, least_classes=least_classes,
            progress=progress,
        )  # fmt: skip
    if group:
        raise InputError("setting data.group", "needs a CSV", source, "Give a CSV with that column.")
    if source in NAMED:
        return _of_named(source, progress)
    if path.suffix.lower() == ".npz":
        return _of_npz(source)
    if not path.exists():
        hint = did_you_mean(source, NAMED) if os.sep not in source else "Check the path."
        raise InputError(f"data {source}", "must exist, or be the name of a known data set", hint=hint)
    if boxes := boxes_in(path):
        raise no_boxes(f"data {source}", boxes)
    hint = "Give a folder with one subfolder per class, a .csv or an .npz."
    raise InputError(f"data {source}", "must be a folder, a .csv or an .npz", path.suffix or "a file", hint)


def open_files(
    source: str, kind: FileKind, *, group: str | None, multi_label: bool, group_pattern: str | None = None,
    layout: Layout = _AS_FOUND, least_classes: int = 2, progress: Progress
) -> Pool:  # fmt: skip
    """The files of a folder or of a CSV; for Raises and the arguments see `list_files`."""
    listing = list_files(
        source, kind, group=group, group_pattern=group_pattern, multi_label=multi_label, least_classes=least_classes,
        layout=layout,
    )  # fmt: skip
    for note in listing.notes:
        progress.log(note)
    return _of_listing(source, listing, multi_label, progress)


def _of_listing(source: str, listing: Listing, multi_label: bool, progress: Progress) -> Pool:
    index = {label: number for number, label in enumerate(listing.labels)}
    if multi_label:
        targets = np.zeros((len(listing.names), len(index)), np.float32)
        for row, names in enumerate(listing.classes):
            targets[row, [index[name] for name in names]] = 1.0
    else:
        targets = np.array([index[name] for (name,) in listing.classes], np.int64)
    split_ids = [-1 if split is None else SPLITS.index(split) for split in listing.splits]
    files = file_digests(source, listing.paths, progress)
    return Pool(
        _shown(source),
        files.key,
        targets,
        listing.labels,
        np.array(split_ids, np.int8),
        listing.names.__getitem__,
        listing.paths.__getitem__,
        listing.groups,
        listing.skipped,
        files.require_unchanged,
        listing.dialect,
    )


def _shown(source: str) -> str:
    """`source` for messages and JSON, which cannot hold file names that are not UTF-8."""
    return source.encode(errors="backslashreplace").decode()


def _of_npz(source: str) -> Pool:
    found = read_image_arrays(source)
    order = [split for split in (None, *SPLITS) if split in found.images]
    arrays = [found.images[split] for split in order]
    starts = np.cumsum([0, *(len(array) for array in arrays)])
    parts = ["x" if split is None else f"x_{'val' if split == 'validation' else split}" for split in order]
    split_ids = [-1 if split is None else SPLITS.index(split) for split in order]

    def place(row: int) -> tuple[int, int]:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return part, row - int(starts[part])

    def name(row: int) -> str:
        part, position = place(row)
        return f"{parts[part]}[{position}]"

    def read(row: int) -> NDArray[np.uint8]:
        part, position = place(row)
        image: NDArray[np.uint8] = arrays[part][position]
        return image

    key = canonical_json([[list(array.shape), sha256(np.ascontiguousarray(array).data.cast("B"))] for array in arrays])
    return Pool(
        _shown(source),
        sha256(key),
        np.concatenate([found.targets[split] for split in order]),
        found.labels,
        np.repeat(np.array(split_ids, np.int8), [len(array) for array in arrays]),
        name,
        read,
    )


def _of_named(source: str, progress: Progress) -> Pool:
    found = load_named(source, progress=progress)
    split_ids = np.full(len(found.images), -1, np.int8)
    if found.train_count is not None:
        split_ids[: found.train_count], split_ids[found.train_count :] = 0, 2
    return Pool(
        _shown(source),
        found.key,
        found.targets.astype(np.int64),
        found.labels,
        split_ids,
        lambda row: f"{source}[{row}]",
        lambda row: found.images[row],
    )
