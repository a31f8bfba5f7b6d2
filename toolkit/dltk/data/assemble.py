"""From decoded samples with labels to a `Dataset`: splits, skipped samples, digest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.progress import Progress
from dltk.data.classes import limited, require_every_class, split_report, warn_of_copies
from dltk.data.dataset import Dataset, Split
from dltk.data.decoded import Decoded
from dltk.data.duplicates import drop_duplicates
from dltk.data.pool import Pool
from dltk.data.split import SPLITS, SplitShares, complete_splits, split_digest
from dltk.edge.bundle.signature import Op
from dltk.edge.sources.unreadable import ignored_text, is_ignored, require_few_unreadable

__all__ = ["Shares", "assemble"]


class Shares(SplitShares, Protocol):
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
    split_ids, carved = complete_splits(
        pool.split_ids[rows],
        pool.targets[rows],
        validation=settings.validation,
        test=settings.test,
        groups=groups,
        seed=seed,
    )
    rows, split_ids, copies = drop_duplicates(pool, decoded.digests, rows, split_ids)
    warn_of_copies(copies, noun, progress)
    by_split = [rows[split_ids == split] for split in range(len(SPLITS))]
    by_split[0] = limited(by_split[0], pool.targets, limit=settings.limit, seed=seed, classes=len(pool.labels))
    require_every_class(pool, by_split[0])
    splits = [Split(decoded.raws, chosen, pool.targets[chosen]) for chosen in by_split]
    report = {**_report(pool, decoded, by_split), "carved_from_train": carved, **copies, **pool.dialect.record}
    train, validation, test = splits
    facts = {"ops": [dict(op) for op in ops], "labels": list(pool.labels)}
    digest = split_digest(facts, by_split, decoded.digests, pool.targets)
    return Dataset(train, validation, test, pool.labels, digest, pool.source, report)


def _report(pool: Pool, decoded: Decoded, by_split: list[NDArray[np.int64]]) -> dict[str, Any]:
    return {
        **split_report(pool, by_split),
        "skipped": _skipped(pool, decoded),
        "unreadable": len(decoded.unreadable),
        "ignored": sum(is_ignored(reason) for _, reason in pool.skipped),
    }


def _check_files(pool: Pool, decoded: Decoded, most: float, progress: Progress) -> None:
    """Report skipped files, and stop if there are too many."""
    if words := ignored_text(pool.skipped):
        progress.log(words)
    faults = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    remedy = "Fix or remove them, or raise data.max_unreadable."
    if words := require_few_unreadable(f"data {pool.source}", faults, len(pool), most=most, remedy=remedy):
        progress.warn(words)


def _skipped(pool: Pool, decoded: Decoded) -> list[dict[str, str]]:
    unreadable = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    return [{"name": name, "reason": reason} for name, reason in (*unreadable, *pool.skipped)]
