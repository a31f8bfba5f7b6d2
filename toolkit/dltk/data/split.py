"""Assigns samples to the training, validation and test splits: stratified, seeded, by whole groups if asked."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import canonical_json, sha256
from dltk.data.dataset import Dataset, Split
from dltk.data.strata import evenly, strata

__all__ = [
    "SplitShares",
    "SPLITS",
    "assign_splits",
    "complete_splits",
    "keep_normal_class",
    "stratified_subset",
    "require_training_share",
    "split_digest",
]

SPLITS = ("train", "validation", "test")
_TRAIN, _VALIDATION, _TEST = range(3)
_NO_GROUP = "must give its split at least one whole group"
_KEPT = 3  # samples of a class and split that `stratified_subset` leaves at least, so that each can be in every split


class SplitShares(Protocol):
    """The settings of the shares that are not trained on."""

    @property
    def validation(self) -> float:
        """Share 0..1 of the samples for the validation split."""

    @property
    def test(self) -> float:
        """Share 0..1 of the samples for the test split."""


def require_training_share(settings: SplitShares, noun: str = "samples") -> None:
    """Raise InputError, before anything is read, if validation and test would take all samples."""
    if settings.validation + settings.test >= 1.0:
        received = settings.validation + settings.test
        raise InputError("setting data.validation", f"must leave {noun} for training besides data.test", received)


def complete_splits(
    given: NDArray[np.int8],
    targets: NDArray[np.generic],
    *,
    validation: float,
    test: float,
    groups: Sequence[str] | None = None,
    seed: int,
) -> tuple[NDArray[np.int8], list[str]]:
    """The split of every sample (n,), and the names of the splits that had to be taken from train.

    Args:
        given: the splits that came with the data; -1: none. An empty split is taken from train, in its
        share.

    Raises:
        InputError: if there are too few `groups` for each split that has a share to get one.
    """
    wanted = {"validation": validation, "test": test}
    shares = {split: share * (SPLITS.index(split) not in given) for split, share in wanted.items()}
    split_ids, free = given.copy(), np.flatnonzero(given <= _TRAIN)
    grouped = None if groups is None else [groups[int(row)] for row in free]
    split_ids[free] = assign_splits(targets[free], **shares, groups=grouped, seed=seed)
    if grouped is not None:
        _require_groups(targets[free], split_ids[free], shares, grouped, seed)
    return split_ids, [split for split, share in shares.items() if share]


def _require_groups(
    targets: NDArray[np.generic], split_ids: NDArray[np.int8], shares: dict[str, float], groups: list[str], seed: int
) -> None:
    """Raise InputError if a split that has a share got no group, with shares that give it one."""
    empty = [split for split in _empty_splits(split_ids, shares) if split != "train"]
    if not empty:
        return
    count = len(set(groups))
    each = math.ceil(100 / count) / 100  # as large as an average group
    single = {split: max(shares[split], each) for split in empty}
    for change in ({split: single[split]} for split in empty), ({**dict.fromkeys(shares, each), **single},):
        for wanted in change:
            tried = {**shares, **{split: share for split, share in wanted.items() if shares[split]}}
            if sum(tried.values()) >= 1:
                continue
            found = assign_splits(targets, **tried, groups=groups, seed=seed)
            if not _empty_splits(found, tried):
                pairs = " ".join(f"data.{split}={share:g}" for split, share in tried.items() if share != shares[split])
                raise InputError(f"setting data.{empty[0]}", _NO_GROUP, f"{count} groups", f"Set {pairs}.")
    hint = "Give more groups."
    if count == 2:
        hint = "Set data.validation=0 data.test=0.5, or give more groups: nothing is selected without validation."
    raise InputError(f"setting data.{empty[0]}", _NO_GROUP, f"{count} groups", hint)


def _empty_splits(split_ids: NDArray[np.int8], shares: dict[str, float]) -> list[str]:
    wanted = ["train", *(split for split, share in shares.items() if share)]
    return [split for split in wanted if SPLITS.index(split) not in split_ids]


def split_digest(facts: Any, by_split: Sequence[NDArray[np.int64]], *arrays: NDArray[Any]) -> str:
    """SHA-256 of JSON values and of what `arrays` (N, ...) hold at the rows of each split."""
    hashed = hashlib.sha256(canonical_json(facts))
    for rows in by_split:
        hashed.update(len(rows).to_bytes(8, "little"))
        for array in arrays:
            hashed.update(np.ascontiguousarray(array[rows]).tobytes())
    return hashed.hexdigest()


def stratified_subset(
    targets: NDArray[np.generic], split_ids: NDArray[np.int8], *, total: int, seed: int
) -> NDArray[np.int64]:
    """Positions (k,), ascending, of about `total` samples; of all n where `total` is 0 or there are no more.

    Classes and splits keep their share, and each class some samples on each split it has: `data.total` never makes data
    unusable that was not.

    Args:
        targets: (n,) class numbers or (n, labels) of 0 and 1.
        split_ids: the split of each sample (n,), an index into `SPLITS`; -1: none came with the data.
    """
    if not 0 < total < len(targets):
        return np.arange(len(targets))
    rng = np.random.default_rng([seed, 4])
    single = targets.ndim == 1
    groups = split_ids.astype(np.int64) + (len(SPLITS) + 1) * strata(targets) if single else split_ids.astype(np.int64)
    chosen = np.zeros(len(targets), bool)
    chosen[evenly(groups, total, rng)] = True
    order = rng.permutation(len(targets))
    classes = (targets[order] == value for value in np.unique(targets)) if single else targets[order].T.astype(bool)
    for members in classes:
        for split in np.unique(split_ids):
            here = order[members & (split_ids[order] == split)]
            left = here[~chosen[here]]
            chosen[left[: max(0, _KEPT - int(chosen[here].sum()))]] = True
    return np.flatnonzero(chosen)


def assign_splits(
    targets: NDArray[np.generic], *, validation: float, test: float, groups: Sequence[str] | None, seed: int
) -> NDArray[np.int8]:
    """The split (index into `SPLITS`) of every sample (n,), with the given shares for validation and test.

    Without groups each class goes to the splits in these shares, as nearly as whole samples allow, and keeps at least
    one sample in train. With groups a whole group goes to the split that lacks its classes most. Depends on
    nothing but the arguments: sort samples by name first.
    """
    rng = np.random.default_rng([seed, 1])
    if groups is not None:
        return _by_group(targets, groups, validation, test, rng)
    classes = strata(targets)
    split_ids = np.zeros(len(targets), np.int8)
    split_ids[evenly(classes, round(len(targets) * test), rng)] = _TEST
    rest = np.flatnonzero(split_ids == _TRAIN)
    split_ids[rest[evenly(classes[rest], min(len(rest), round(len(targets) * validation)), rng)]] = _VALIDATION
    return _keep_one_in_train(split_ids, classes)


def _keep_one_in_train(split_ids: NDArray[np.int8], classes: NDArray[np.int64]) -> NDArray[np.int8]:
    for missed in np.setdiff1d(classes, classes[split_ids == _TRAIN]):
        members = np.flatnonzero(classes == missed)
        split_ids[members[np.argmin(split_ids[members])]] = (
            _TRAIN  # from validation first: argmin finds the lower number
        )
    return split_ids


def _by_group(
    targets: NDArray[np.generic],
    groups: Sequence[str],
    validation: float,
    test: float,
    rng: np.random.Generator,
) -> NDArray[np.int8]:
    names, index = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    index = index.reshape(-1)
    classes = np.eye(int(targets.max(initial=0)) + 1)[targets.astype(np.int64)] if targets.ndim == 1 else targets
    held = np.zeros((len(names), classes.shape[1]))  # samples a group and class
    np.add.at(held, index, classes)
    totals = held.sum(axis=0)
    shares = np.array([1.0 - validation - test, validation, test])
    wanted, given = np.outer(shares, totals), np.zeros((3, len(totals)))
    shuffled = rng.permutation(len(names))
    # Large groups first: the small ones then even out what is left.
    order = shuffled[np.argsort(-held[shuffled].sum(axis=1), kind="stable")]
    group_split = np.zeros(len(names), np.int8)
    for group in order:
        # How much nearer each split comes to what it should hold, rare classes counting as much as common ones.
        before, after = wanted - given, wanted - given - held[group]
        gain = ((before**2 - after**2) / np.maximum(totals, 1.0) ** 2).sum(axis=1)
        gain[shares <= 0.0] = -np.inf
        group_split[group] = int(np.argmax(gain))
        given[group_split[group]] += held[group]
    return group_split[index]


def keep_normal_class(dataset: Dataset, normal: str) -> Dataset:
    """`dataset` with only the class `normal` in train and validation; targets are 1 for all other samples, else 0.

    Where the test split did not come with the data, the others of train and validation go there, too. Data without
    labels is all normal.

    Raises:
        InputError: if no class is called `normal`, or no sample of it is left to train on.
    """
    if dataset.labels and normal not in dataset.labels:
        rule = f"must be one of the labels of {dataset.source}: {', '.join(dataset.labels)}"
        raise InputError("setting data.normal", rule, normal, did_you_mean(normal, dataset.labels))
    number = dataset.labels.index(normal) if dataset.labels else 0
    split_ids = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    kept = {name: _part(split, split.targets == number) for name, split in split_ids.items()}
    strange = [_part(split, split.targets != number) for split in split_ids.values()]
    ours = "test" in dataset.report.get("carved_from_train", ["test"])
    tested = [kept["test"], *(strange if ours else strange[2:])]
    rows = np.concatenate([split.rows for split in tested])
    wrong = np.repeat([0] + [1] * (len(tested) - 1), [len(split) for split in tested]).astype(np.int64)
    order = np.argsort(rows, kind="stable")
    test = Split(dataset.test.store, rows[order], wrong[order])
    if not len(kept["train"]):
        raise InputError(f"data {dataset.source}", "needs training samples", f"none of {normal!r}")
    train, validation = (replace(kept[name], targets=np.zeros(len(kept[name]), np.int64)) for name in list(kept)[:2])
    report = {**dataset.report, "normal": normal, "anomalies": int(wrong.sum())}
    digest = sha256(canonical_json([dataset.digest, normal]))
    return replace(dataset, train=train, validation=validation, test=test, digest=digest, report=report)


def _part(split: Split, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Split:
    return Split(split.store, split.rows[chosen], split.targets[chosen])
