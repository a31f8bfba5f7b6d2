"""Rules of classes where samples are split: counts per split, what `data.limit` leaves, no class without a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.split import SPLITS
from dltk.data.strata import stratified

__all__ = ["Source", "limited", "require_every_class", "split_report", "warn_of_copies"]


class Source(Protocol):
    """Samples with targets, (n,) class numbers or (n, labels) of 0 and 1, the labels, and where they came from."""

    @property
    def source(self) -> str:
        """Where the samples come from, as messages name it."""

    @property
    def targets(self) -> NDArray[Any]:
        """(n,) class numbers, or (n, labels) of 0 and 1."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names, by number."""


def limited(
    rows: NDArray[np.int64], targets: NDArray[Any], *, limit: int, seed: int, classes: int = 0
) -> NDArray[np.int64]:
    """`rows` (n,), or `limit` of them, stratified; 0 is no limit.

    Args:
        targets: of all samples; `rows` are indices into it.
        classes: how many there are, where each must keep a sample.

    Raises:
        InputError: if `limit` takes samples away and is below `classes`.
    """
    if not 0 < limit < len(rows):
        return rows
    if limit < classes:
        least = f"must be 0 or at least one sample per class: {classes}"
        raise InputError("setting data.limit", least, limit)
    return rows[stratified(targets[rows], count=limit, seed=seed)]


def require_every_class(pool: Source, rows: NDArray[np.int64], noun: str = "samples") -> None:
    """Raise InputError if a class of `pool` has no sample among the training `rows` (n,)."""
    missing = [label for label, count in _counts(pool, rows).items() if not count]
    if missing:
        hint = f"Add {noun} of it, or remove the class."
        raise InputError(f"data {pool.source}", "every class needs a training sample", f"none for {missing[0]!r}", hint)


def split_report(pool: Source, by_split: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """For the report: source, samples per split, and per class; `by_split` has the rows (n,) of each split."""
    return {
        "source": pool.source,
        "samples": {split: len(chosen) for split, chosen in zip(SPLITS, by_split, strict=True)},
        "classes": {split: _counts(pool, chosen) for split, chosen in zip(SPLITS, by_split, strict=True)},
    }


def warn_of_copies(copies: Mapping[str, Any], noun: str, progress: Progress) -> None:
    """Warn how many of the duplicates that `drop_duplicates` found were in several splits."""
    if copies["duplicates"]:
        progress.warn(f"{len(copies['duplicates'])} {noun} were in several splits; copies stay in one, see the report")


def _counts(pool: Source, rows: NDArray[np.int64]) -> dict[str, int]:
    targets = pool.targets[rows]
    counts: NDArray[Any] = (
        np.bincount(targets, minlength=len(pool.labels)) if targets.ndim == 1 else targets.sum(axis=0).astype(int)
    )
    return {label: int(count) for label, count in zip(pool.labels, counts, strict=True)}
