"""A data set with one class to learn from, and all the others to be told from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dltk.base.errors import InputError, did_you_mean
from dltk.base.files import canonical_json, sha256
from dltk.data.dataset import Dataset, Split

__all__ = ["only_normal"]


def only_normal(dataset: Dataset, normal: str) -> Dataset:
    """`dataset` with only the class `normal` in train and validation; targets are 1 for all other samples, else 0.

    Where the test side did not come with the data, the others of train and validation go there, too. Data without
    labels is all normal.

    Raises:
        InputError: if no class is called `normal`, or no sample of it is left to train on.
    """
    if dataset.labels and normal not in dataset.labels:
        rule = f"must be one of the labels of {dataset.source}: {', '.join(dataset.labels)}"
        raise InputError("setting data.normal", rule, normal, did_you_mean(normal, dataset.labels))
    number = dataset.labels.index(normal) if dataset.labels else 0
    sides = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    kept = {name: _part(side, side.targets == number) for name, side in sides.items()}
    strange = [_part(side, side.targets != number) for side in sides.values()]
    ours = "test" in dataset.report.get("carved_from_train", ["test"])
    tested = [kept["test"], *(strange if ours else strange[2:])]
    rows = np.concatenate([side.rows for side in tested])
    wrong = np.repeat([0] + [1] * (len(tested) - 1), [len(side) for side in tested]).astype(np.int64)
    order = np.argsort(rows, kind="stable")
    test = Split(dataset.test.store, rows[order], wrong[order])
    if not len(kept["train"]):
        raise InputError(f"data {dataset.source}", "needs training samples", f"none of {normal!r}")
    train, validation = (replace(kept[name], targets=np.zeros(len(kept[name]), np.int64)) for name in list(kept)[:2])
    report = {**dataset.report, "normal": normal, "anomalies": int(wrong.sum())}
    digest = sha256(canonical_json([dataset.digest, normal]))
    return replace(dataset, train=train, validation=validation, test=test, digest=digest, report=report)


def _part(side: Split, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Split:
    return Split(side.store, side.rows[chosen], side.targets[chosen])
