"""From a folder of images and masks to a `Dataset` whose targets are one class per pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import using
from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Progress
from dltk.data.classes import limited
from dltk.data.dataset import Dataset, Split
from dltk.data.decoded import Decoded, decode_pool, image_decoder
from dltk.data.duplicates import drop_duplicates
from dltk.data.kinds.images import reading_ops
from dltk.data.pool import Pool
from dltk.data.split import SPLITS, complete_splits, require_training_share, split_digest, stratified_subset
from dltk.data.stamps import file_digests
from dltk.edge.bundle.signature import Op
from dltk.edge.input.preprocess import resize_image
from dltk.edge.sources.masks import (
    IGNORED,
    Masked,
    MaskLayout,
    MaskReading,
    class_names,
    list_masked,
    read_mask,
    reading_of,
)
from dltk.edge.sources.unreadable import require_few_unreadable

__all__ = ["prepare_masks"]

_KEPT = 3  # pictures to train on that each class is on, where a part is taken


def prepare_masks(source: str, settings: Any, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """The images of `source`, decoded, resized and cached, with masks uint8 (side, side) of class numbers.

    Masks are resized to the nearest pixel. Copies of an image stay in one split. Without labels.txt the classes are
    the numbers up to the highest in any mask.

    Args:
        settings: size, resize, validation, test, limit, max_unreadable, max_pixels, and maybe total.

    Raises:
        InputError: on another layout, a mask that does not fit its image or the labels, more unreadable images
            than `settings.max_unreadable` allows, or a class without a training pixel.
        EnvironmentFault: on a full disk, or missing Pillow.
    """
    require_training_share(settings)
    found = list_masked(source, MaskLayout.of(settings))
    reading, labels = _reading(found, settings, progress)
    found = _part(replace(found, labels=labels), getattr(settings, "total", 0), seed, reading)
    ops = reading_ops(settings, settings.size)
    with using(settings):
        pool = _pool(source, found, progress)
        decoded = decode_pool(pool, image_decoder(ops), progress=progress)
    faults = _faults(pool, decoded, settings.max_unreadable, progress)
    rows = np.setdiff1d(np.arange(len(pool)), np.array(sorted(decoded.unreadable), np.int64))
    masks = _masks(found, rows, ops[1], reading, progress)
    rows, empty = _with_classes(masks, rows, reading, pool)
    labels = class_names(reading, labels, highest=int(masks[rows].max(initial=0)))
    split_ids, carved = complete_splits(
        pool.split_ids[rows], pool.targets[rows], validation=settings.validation, test=settings.test, seed=seed
    )
    if getattr(settings, "total", 0):
        split_ids = _with_every_class(masks[rows], split_ids, given=pool.split_ids[rows])
    rows, split_ids, copies = drop_duplicates(pool, decoded.digests, rows, split_ids)
    by_split = [rows[split_ids == split] for split in range(len(SPLITS))]
    by_split[0] = limited(by_split[0], pool.targets, limit=settings.limit, seed=seed)
    pixels = [_counted(masks[chosen], len(labels)) for chosen in by_split]
    _require_every_class(labels, pixels[0], pool.source)
    report = {
        "source": pool.source,
        "samples": {split: len(chosen) for split, chosen in zip(SPLITS, by_split, strict=True)},
        "pixels": dict(zip(SPLITS, pixels, strict=True)),
        "skipped": [{"name": name, "reason": reason} for name, reason in (*faults, *empty)],
        **({"masks": reading.as_op()} if reading.classes else {}),
        "unreadable": len(faults),
        "carved_from_train": carved,
        **copies,
    }
    train, validation, test = (Split(decoded.raws, chosen, masks[chosen]) for chosen in by_split)
    facts = {"ops": [dict(op) for op in ops], "labels": list(labels)}
    facts |= {"masks": reading.as_op()} if reading.classes else {}
    digest = split_digest(facts, by_split, decoded.digests, masks)
    return Dataset(train, validation, test, labels, digest, pool.source, report)


def _reading(found: Masked, settings: Any, progress: Progress) -> tuple[MaskReading, tuple[str, ...] | None]:
    """How masks become classes, and the labels; what is not usual about them is logged."""
    with progress.bar("values of masks", len(found.masks)) as bar:

        def paths() -> Iterator[Path]:
            for path in found.masks:
                yield path
                bar.advance(1)

        ignore, numbers = tuple(getattr(settings, "ignore", ())), getattr(settings, "numbers", "auto")
        reading, labels = reading_of(found, ignore=ignore, numbers=numbers, masks=paths())
    for note in filter(None, (*found.notes, reading.note)):
        progress.log(note)
    return reading, labels


def _with_classes(
    masks: NDArray[np.uint8], rows: NDArray[np.int64], reading: MaskReading, pool: Pool
) -> tuple[NDArray[np.int64], list[tuple[str, str]]]:
    """`rows` without images all of whose pixels are ignored, and (name, reason) of these."""
    if IGNORED not in reading.classes.values():
        return rows, []
    has = (masks[rows] != IGNORED).any(axis=(1, 2))
    return rows[has], [(pool.name(int(row)), "all pixels are ignored") for row in rows[~has]]


def _counted(masks: NDArray[np.uint8], classes: int) -> list[int]:
    """Pixels per class; those that are ignored count for none."""
    found: list[int] = np.bincount(masks.reshape(-1), minlength=classes)[:classes].tolist()
    return found


def _part(found: Masked, total: int, seed: int, reading: MaskReading) -> Masked:
    """About `total` images with their masks: drawn, and then more until each class is on some to train on."""
    count = len(found.names)
    split_ids = np.array([-1 if split is None else SPLITS.index(split) for split in found.splits], np.int8)
    drawn = stratified_subset(np.zeros(count, np.int64), split_ids, total=total, seed=seed)
    if len(drawn) == count:
        return found
    others = np.setdiff1d(np.arange(count), drawn)
    seen: Counter[int] = Counter()
    kept: list[int] = []
    for row in (*drawn, *np.random.default_rng([seed, 5]).permutation(others)):
        classes = range(len(found.labels) if found.labels else max(seen, default=0) + 1)
        if len(kept) >= len(drawn) and all(seen[each] >= _KEPT for each in classes):
            break
        kept.append(int(row))
        if split_ids[row] <= 0:
            mask = read_mask(found.masks[row], like=found.images[row], labels=found.labels, reading=reading)
            seen.update(set(np.unique(mask).tolist()) - ({IGNORED} if reading.classes else set()))
    kept.sort()
    parts: dict[str, Any] = {
        name: tuple(getattr(found, name)[row] for row in kept) for name in ("names", "images", "masks", "splits")
    }
    return replace(found, **parts)


def _with_every_class(
    masks: NDArray[np.uint8], split_ids: NDArray[np.int8], given: NDArray[np.int8]
) -> NDArray[np.int8]:
    """`split_ids` (n,) with an image of each class in train, moved there from another split where possible."""
    split_ids = split_ids.copy()
    for number in np.unique(masks):
        has = (masks == number).any(axis=(1, 2))
        movable = np.flatnonzero(has & (split_ids > 0) & (given < 0))
        if len(movable) and not (has & (split_ids == 0)).any():
            split_ids[movable[0]] = 0
    return split_ids


def _faults(pool: Pool, decoded: Decoded, most: float, progress: Progress) -> list[tuple[str, str]]:
    """(name, reason) of the images that are left out; too many stop the work."""
    faults = [(pool.name(row), reason) for row, reason in sorted(decoded.unreadable.items())]
    remedy = "Fix or remove them, or raise data.max_unreadable."
    if words := require_few_unreadable(f"data {pool.source}", faults, len(pool), most=most, remedy=remedy):
        progress.warn(words)
    return faults


def _pool(source: str, found: Masked, progress: Progress) -> Pool:
    """The images alone, as what decodes and caches them takes them."""
    split_ids = [-1 if split is None else SPLITS.index(split) for split in found.splits]
    files = file_digests(source, found.images, progress)
    return Pool(
        source.encode(errors="backslashreplace").decode(),
        files.key,
        np.zeros(len(found.names), np.int64),
        found.labels or (),
        np.array(split_ids, np.int8),
        found.names.__getitem__,
        found.images.__getitem__,
        require_unchanged=files.require_unchanged,
    )


def _masks(
    found: Masked, rows: NDArray[np.int64], resize: Op, reading: MaskReading, progress: Progress
) -> NDArray[np.uint8]:
    """uint8 (all images, side, side); those that are not among `rows` stay 0."""
    masks = np.zeros((len(found.names), resize["height"], resize["width"]), np.uint8)
    with progress.bar("masks", len(rows)) as bar:
        for row in rows:
            mask = read_mask(found.masks[row], like=found.images[row], labels=found.labels, reading=reading)
            masks[row] = resize_image(mask, resize, nearest=True)
            bar.advance(1)
    return masks


def _require_every_class(labels: tuple[str, ...], pixels: list[int], source: str) -> None:
    if len(labels) < 2:
        raise InputError(f"data {source}", "needs masks of at least two classes", f"only {labels[0]!r}")
    missing = [label for label, count in zip(labels, pixels, strict=True) if not count]
    if missing:
        hint = "Add images of it, or remove the class."
        raise InputError(f"data {source}", "every class needs a training pixel", f"none of {missing[0]!r}", hint)
