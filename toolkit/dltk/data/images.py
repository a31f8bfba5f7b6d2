"""From what the user has to a `Dataset` of images."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.decoded import Decoded, decode_pool
from dltk.data.duplicates import drop_duplicates
from dltk.data.pool import Pool, open_pool
from dltk.data.split import SIDES, assign_sides, stratified
from dltk.edge.preprocess import image_ops
from dltk.edge.signature import Op
from dltk.edge.sources.unreadable import NOT_A_PICTURE, ignored, require_few_unreadable
from dltk.recipe import ImageData, PlainImageData

__all__ = ["channels", "prepare_images", "reading_ops"]


def prepare_images(
    source: str, settings: ImageData, *, seed: int, progress: Progress = SILENT, least_classes: int = 2
) -> Dataset:
    """The images of `source`, decoded, resized to `settings.size` squared, cached, and split.

    A split that comes with the data is kept; a side it lacks is taken from train, in the settings' shares. Of pictures
    that are on several sides (equal in every decoded pixel), the copies stay on one: test before validation before
    train, so that a test set others use stays whole. `settings.limit` then takes a stratified part of train.

    Args:
        source: "digits", "cifar10", "fashion-mnist", a folder with a subfolder a class, a CSV `path,label`, an npz.
        least_classes: 1 where classes need not be told apart: of a folder or a CSV.

    Raises:
        InputError: on another layout, labels that cannot be, more unreadable files than `settings.max_unreadable`
            allows, or a class without training samples.
        EnvironmentFault: on a full disk, missing Pillow, or a named data set that cannot be had.
    """
    if settings.validation + settings.test >= 1.0:
        received = settings.validation + settings.test
        raise InputError("setting data.validation", "must leave samples for training beside data.test", received)
    pool = open_pool(
        source,
        group=settings.group,
        multi_label=settings.multi_label,
        progress=progress,
        least_classes=least_classes,
    )
    ops = reading_ops(settings)
    decoded = decode_pool(pool, ops, progress=progress)
    _check_files(pool, decoded, settings.max_unreadable, progress)
    rows = np.setdiff1d(np.arange(len(pool)), np.array(sorted(decoded.unreadable), np.int64))
    sides, carved = _sides(pool, rows, settings, seed)
    rows, sides, copies = drop_duplicates(pool, decoded.digests, rows, sides)
    if copies["duplicates"]:
        progress.warn(f"{len(copies['duplicates'])} pictures were on several sides; copies stay on one, see the report")
    by_side = _rows_by_side(pool, rows, sides, settings, seed)
    splits = [Split(decoded.images, chosen, pool.targets[chosen]) for chosen in by_side]
    report = {**_report(pool, decoded, by_side), "carved_from_train": carved, **copies}
    train, validation, test = splits
    digest = _digest(pool, decoded, by_side, ops)
    return Dataset(train, validation, test, pool.labels, digest, pool.source, report)


def reading_ops(settings: ImageData) -> tuple[Op, Op]:
    """File -> cached uint8 (size, size, channels), as `settings` says."""
    side, most = settings.size, settings.max_pixels
    return image_ops(side, side, fit=settings.resize, max_pixels=most, channels=channels(settings))


def channels(settings: ImageData) -> int:
    """Of the images that `settings` describe: 3 where they do not say."""
    return settings.channels if isinstance(settings, PlainImageData) else 3


def _report(pool: Pool, decoded: Decoded, by_side: list[NDArray[np.int64]]) -> dict[str, Any]:
    return {
        "source": pool.source,
        "samples": {side: len(chosen) for side, chosen in zip(SIDES, by_side, strict=True)},
        "classes": {side: _counts(pool, chosen) for side, chosen in zip(SIDES, by_side, strict=True)},
        "skipped": _skipped(pool, decoded),
        "unreadable": len(decoded.unreadable),
        "ignored": sum(reason == NOT_A_PICTURE for _, reason in pool.skipped),
    }


def _sides(pool: Pool, rows: NDArray[np.int64], settings: ImageData, seed: int) -> tuple[NDArray[np.int8], list[str]]:
    """The side of each of `rows`, and the names of the sides that had to be taken from train."""
    sides = pool.sides[rows].copy()
    shares = {side: getattr(settings, side) * (SIDES.index(side) not in sides) for side in ("validation", "test")}
    free = np.flatnonzero(sides <= 0)
    groups = None if pool.groups is None else [pool.groups[row] for row in rows[free]]
    sides[free] = assign_sides(pool.targets[rows[free]], **shares, groups=groups, seed=seed)
    return sides, [side for side, share in shares.items() if share]


def _rows_by_side(
    pool: Pool, rows: NDArray[np.int64], sides: NDArray[np.int8], settings: ImageData, seed: int
) -> list[NDArray[np.int64]]:
    by_side = [rows[sides == side] for side in range(len(SIDES))]
    if settings.limit and settings.limit < len(by_side[0]):
        if settings.limit < len(pool.labels):
            least = f"must be 0 or at least one sample a class: {len(pool.labels)}"
            raise InputError("setting data.limit", least, settings.limit)
        chosen = stratified(pool.targets[by_side[0]], count=settings.limit, seed=seed)
        by_side[0] = by_side[0][chosen]
    missing = [label for label, count in _counts(pool, by_side[0]).items() if not count]
    if missing:
        hint = "Add samples of it, or take the class out."
        raise InputError(f"data {pool.source}", "every class needs a training sample", f"none for {missing[0]!r}", hint)
    return by_side


def _check_files(pool: Pool, decoded: Decoded, most: float, progress: Progress) -> None:
    """Say what was left out, and stop where it is too much."""
    if words := ignored(pool.skipped):
        progress.say(words)
    faults = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    remedy = "Repair or remove them, or raise data.max_unreadable."
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


def _digest(pool: Pool, decoded: Decoded, by_side: list[NDArray[np.int64]], ops: tuple[Op, ...]) -> str:
    hashed = hashlib.sha256(canonical_json({"ops": [dict(op) for op in ops], "labels": list(pool.labels)}))
    for rows in by_side:
        hashed.update(len(rows).to_bytes(8, "little"))
        hashed.update(decoded.digests[rows].tobytes())
        hashed.update(np.ascontiguousarray(pool.targets[rows]).tobytes())
    return hashed.hexdigest()
