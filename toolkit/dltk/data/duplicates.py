"""Finds equal samples and keeps them from being in two splits."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.data.split import SPLITS

__all__ = ["Labelled", "drop_duplicates", "without_copies"]

_MOST_LEFT_OUT = 0.2  # of the rows: if more equal one of another split, the columns take few values


class Labelled(Protocol):
    """Samples with targets (n, ...), the labels behind the targets, and what messages call each."""

    @property
    def targets(self) -> NDArray[Any]:
        """Class numbers (n,), or 0 and 1 (n, labels) where a sample has several labels."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each class, in the order of its number."""

    def name(self, row: int, /) -> str:
        """What messages call the sample in `row`, from 0."""


def drop_duplicates(
    pool: Labelled, digests: NDArray[np.uint8], rows: NDArray[np.int64], split_ids: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int8], dict[str, Any]]:
    """`rows` and `split_ids` without the copies of a sample in other splits than the last one that has it.

    Splits rank train, validation, test: a sample in train and test stays in test alone. Copies in one split stay.

    Args:
        digests: uint8 (samples of the pool, 32), of what is compared: decoded pixels, a text's bytes.

    Returns:
        rows, splits, and for the report "duplicates" (kept, dropped) and "conflicts" (equal samples, other labels).
    """
    order = np.lexsort((rows, *digests[rows].T[::-1]))
    same = (digests[rows[order[1:]]] == digests[rows[order[:-1]]]).all(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], ~same]))
    keep = np.ones(len(rows), bool)
    duplicates, conflicts = [], []
    for members in np.split(order, starts[1:]):
        if len(members) == 1:
            continue
        if (pool.targets[rows[members]] != pool.targets[rows[members[0]]]).any():
            conflicts.append([_named(pool, int(rows[member])) for member in members])
        last = split_ids[members].max()
        dropped = members[split_ids[members] != last]
        if len(dropped):
            keep[dropped] = False
            kept = members[split_ids[members] == last][0]
            duplicates.append(
                {
                    "kept": pool.name(int(rows[kept])),
                    "side": SPLITS[last],
                    "dropped": [[pool.name(int(rows[member])), SPLITS[split_ids[member]]] for member in dropped],
                }
            )
    return rows[keep], split_ids[keep], {"duplicates": duplicates, "conflicts": conflicts}


def without_copies(
    raws: NDArray[Any], targets: NDArray[Any], split_ids: NDArray[np.int8], *, always: bool
) -> tuple[NDArray[np.int8], dict[str, int]]:
    """`split_ids` (n,) with -1 for the copies of a row in other splits than the last one that has it.

    Splits rank train, validation, test, as in `drop_duplicates`. Where that is over a fifth of the rows and not
    `always`, nothing is left out: rows of few different values are alike without being copies.

    Args:
        raws: rows (n,) of a structured dtype.
        targets: (n, ...); rows are copies whatever their targets are.

    Returns:
        the splits, and for the report "across_splits" (rows that equal one of another split, and are not in the last
        that has it), "left_out" (those of them that are left out) and "conflicts" (rows with another target than an
        equal row before them).
    """
    _, first, group = np.unique(raws.view((np.void, raws.dtype.itemsize)), return_index=True, return_inverse=True)
    group = group.reshape(-1)
    last = np.full(len(first), -1, np.int8)
    np.maximum.at(last, group, split_ids)
    across = split_ids < last[group]
    different = targets != targets[first[group]]
    conflicts = different.reshape(len(raws), -1).any(axis=1)
    leaves = always or bool(across.mean() <= _MOST_LEFT_OUT)
    found = {
        "across_splits": int(across.sum()),
        "left_out": int(across.sum()) * leaves,
        "conflicts": int(conflicts.sum()),
    }
    return np.where(across & leaves, np.int8(-1), split_ids).astype(np.int8), found


def _named(pool: Labelled, row: int) -> dict[str, Any]:
    target = pool.targets[row]
    numbers = [int(target)] if target.ndim == 0 else [int(number) for number in np.flatnonzero(target)]
    return {"name": pool.name(row), "labels": [pool.labels[number] for number in numbers]}
