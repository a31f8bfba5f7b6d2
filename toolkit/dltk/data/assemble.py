"""From decoded samples with labels to a `Dataset`: splits, skipped samples, digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.decoded import Decoded
from dltk.data.duplicates import drop_duplicates
from dltk.data.pool import Pool
from dltk.data.split import SIDES, HeldBack, complete_sides, sides_digest, stratified
from dltk.edge.bundle.signature import Op
from dltk.edge.sources.unreadable import ignored, is_ignored, require_few_unreadable

__all__ = ["Shares", "assemble"]


class Shares(HeldBack, Protocol):
    """The settings of the split; see `dltk.recipe.ImageData`."""

    @property
    def limit(self) -> int:
        """Samples to train on at most; 0: all."""

    @property
    def max_unreadable(self) -> float:
        """Share 0..1 of the files that may be unreadable."""


def assemble(
    pool: Pool, decoded: Decoded, settings: Shares, ops: Sequence[Op], *, noun: str, seed: int, progress: Progress
) -> Dataset:  # fmt: skip
    """A split that comes with the data is kept; a split it lacks is taken from train, in the settings' shares.

    Of samples that are in several splits (equal by their digests), the copies stay in one: test before validation
    before train, so that a test set others use stays whole. `settings.limit` then takes a stratified part of train.

    Args:
        ops: how raw samples were made.
        noun: what messages call samples, in the plural.

    Raises:
        InputError: on more unreadable files than `settings.max_unreadable` allows, or a class without training samples.
    """
    _check_files(pool, decoded, settings.max_unreadable, progress)
    rows = np.setdiff1d(np.arange(len(pool)), np.array(sorted(decoded.unreadable), np.int64))
    groups = None if pool.groups is None else [pool.groups[row] for row in rows]
    sides, carved = complete_sides(
        pool.sides[rows],
        pool.targets[rows],
        validation=settings.validation,
        test=settings.test,
        groups=groups,
        seed=seed,
    )
    rows, sides, copies = drop_duplicates(pool, decoded.digests, rows, sides)
    if copies["duplicates"]:
        progress.warn(f"{len(copies['duplicates'])} {noun} were in several splits; copies stay in one, see the report")
    by_side = _rows_by_side(pool, rows, sides, settings, seed)
    splits = [Split(decoded.raws, chosen, pool.targets[chosen]) for chosen in by_side]
    report = {**_report(pool, decoded, by_side), "carved_from_train": carved, **copies}
    train, validation, test = splits
    facts = {"ops": [dict(op) for op in ops], "labels": list(pool.labels)}
    digest = sides_digest(facts, by_side, decoded.digests, pool.targets)
    return Dataset(train, validation, test, pool.labels, digest, pool.source, report)


def _report(pool: Pool, decoded: Decoded, by_side: list[NDArray[np.int64]]) -> dict[str, Any]:
    return {
        "source": pool.source,
        "samples": {side: len(chosen) for side, chosen in zip(SIDES, by_side, strict=True)},
        "classes": {side: _counts(pool, chosen) for side, chosen in zip(SIDES, by_side, strict=True)},
        "skipped": _skipped(pool, decoded),
        "unreadable": len(decoded.unreadable),
        "ignored": sum(is_ignored(reason) for _, reason in pool.skipped),
    }


def _rows_by_side(
    pool: Pool, rows: NDArray[np.int64], sides: NDArray[np.int8], settings: Shares, seed: int
) -> list[NDArray[np.int64]]:
    by_side = [rows[sides == side] for side in range(len(SIDES))]
    if settings.limit and settings.limit < len(by_side[0]):
        if settings.limit < len(pool.labels):
            least = f"must be 0 or at least one sample per class: {len(pool.labels)}"
            raise InputError("setting data.limit", least, settings.limit)
        chosen = stratified(pool.targets[by_side[0]], count=settings.limit, seed=seed)
        by_side[0] = by_side[0][chosen]
    missing = [label for label, count in _counts(pool, by_side[0]).items() if not count]
    if missing:
        hint = "Add samples of it, or remove the class."
        raise InputError(f"data {pool.source}", "every class needs a training sample", f"none for {missing[0]!r}", hint)
    return by_side


def _check_files(pool: Pool, decoded: Decoded, most: float, progress: Progress) -> None:
    """Report skipped files, and stop if there are too many."""
    if words := ignored(pool.skipped):
        progress.say(words)
    faults = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    remedy = "Fix or remove them, or raise data.max_unreadable."
    if words := require_few_unreadable(f"data {pool.source}", faults, len(pool), most=most, remedy=remedy):
        progress.warn(words)


def _skipped(pool: Pool, decoded: Decoded) -> list[dict[str, str]]:
    unreadable = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    return [{"name": name, "reason": reason} for name, reason in (*unreadable, *pool.skipped)]


def _counts(pool: Pool, rows: NDArray[np.int64]) -> dict[str, int]:
    targets = pool.targets[rows]
    counts: NDArray[Any] = (
        np.bincount(targets, minlength=len(pool.labels)) if targets.ndim == 1 else targets.sum(axis=0).astype(int)
    )
    return {label: int(count) for label, count in zip(pool.labels, counts, strict=True)}
