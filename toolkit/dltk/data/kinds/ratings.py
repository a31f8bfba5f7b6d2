"""Ratings as samples: the last item of every user is for the test split, the one before for validation, the others for
training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.kinds.rating_columns import read_rated_table
from dltk.data.named.load import TABLES, table_path
from dltk.edge.families.recommendation import padded, record, targets_of
from dltk.edge.input.catalogue import CATALOGUE, FIRST_ITEM, Catalogue
from dltk.edge.sources.ratings import RatingColumns, Ratings, read_ratings

__all__ = ["prepare_ratings"]

_HELD_OUT = 2  # items of a user: the last for test, the one before for validation


def prepare_ratings(source: str, settings: Any, *, seed: int, progress: Progress) -> Dataset:
    """The ratings in the table `source`, or in the one of a name in `dltk.data.named.load`; leave one out by time.

    A training sample is one item of a user, to be predicted from the items before it. Users with fewer than three
    items are only in the training split. See `RatingsData` in the recipe for `settings`.

    Raises:
        InputError: naming the line and column of what cannot be used.
    """
    path = table_path(source, progress=progress) if source in TABLES else Path(source)
    table, columns = read_rated_table(path, settings, progress.log)
    found = read_ratings(table, columns)
    _report_rows(found, columns, progress)
    items = sorted({item for known in found.histories.values() for item in known})
    numbers = {item: number for number, item in enumerate(items)}
    users = sorted(found.histories)
    histories = [[numbers[item] for item in found.histories[user]] for user in users]
    asked = _evaluated_users(histories, settings.test_users, seed)
    if not asked:
        raise InputError(source, f"needs users with over {_HELD_OUT} items", len(users))
    longest = max(map(len, histories))
    kept = max(settings.length, min(longest, settings.kept) if settings.kept else longest)
    report = {
        "rows": found.rows, "users": len(users), "items": len(items), "duplicates": found.duplicates,
        "disliked": found.disliked, "asked": len(asked), "kept": kept, "ratings": columns.op(),
        **({"half_life": 0.0} if columns.order == "drawn" else {}), **table.dialect.record,
    }  # fmt: skip
    train = _training_samples(histories, settings, seed)
    validation, test = (_held_out(histories, asked, kept, back=back) for back in (2, 1))
    catalogue = Catalogue.of(users, items, histories if settings.histories else None)
    digest = sha256(canonical_json([report, sha256(catalogue.to_bytes()), *map(_digest, (train, validation, test))]))
    return Dataset(train, validation, test, (), digest, source, report, {CATALOGUE: catalogue.to_bytes()})


def _report_rows(found: Ratings, columns: RatingColumns, progress: Progress) -> None:
    if found.duplicates and columns.rating is not None and columns.feedback == "ratings":
        progress.warn(
            f"{found.duplicates} rows rate an item that the user has already rated, the first in "
            f"{found.first_duplicate}; the later rating counts"
        )
    elif found.duplicates:
        rule = "their counts add up" if columns.feedback == "counts" else "each pair counts once, where it stands last"
        progress.log(f"{found.duplicates} rows repeat a user and an item, from {found.first_duplicate} on; {rule}")
    if found.dropped:
        progress.warn(f"{found.dropped} rows left out: they have no user or no item")
    if columns.feedback == "counts" and found.disliked:
        progress.log(f"{found.disliked} pairs of user and item left out: their count is 0 or below data.liked")


def _evaluated_users(histories: list[list[int]], most: int, seed: int) -> list[int]:
    """Indices of the users to evaluate: those with enough items, at most `most` of them."""
    able = [place for place, items in enumerate(histories) if len(items) > _HELD_OUT]
    if len(able) <= most:
        return able
    return sorted(np.random.Generator(np.random.Philox(seed)).permutation(able)[:most].tolist())


def _training_samples(histories: list[list[int]], settings: Any, seed: int) -> Split:
    """Every item that is not held out, with the items before it; a share of them without a user."""
    users: list[int] = []
    before: list[NDArray[np.int32]] = []
    targets: list[int] = []
    for place, items in enumerate(histories):
        kept = items[:-_HELD_OUT] if len(items) > _HELD_OUT else items
        ids = [item + FIRST_ITEM for item in kept]
        for step, item in enumerate(kept):
            users.append(place + 1)
            before.append(padded(ids[:step], settings.length))
            targets.append(item)
    raws = np.zeros(len(users), record(settings.length))
    drawn = np.random.Generator(np.random.Philox(key=[seed, 1])).random(len(users))
    raws["user"] = np.where(drawn < settings.anonymous, 0, users)
    raws["history"] = before
    rows = np.arange(len(users))
    if settings.limit and settings.limit < len(rows):
        rows = np.sort(np.random.Generator(np.random.Philox(key=[seed, 2])).permutation(rows)[: settings.limit])
    return Split(raws, rows, np.array(targets, np.int64)[rows])


def _held_out(histories: list[list[int]], asked: list[int], kept: int, *, back: int) -> Split:
    """The item `back` from the end of each user in `asked`, with all items before it."""
    raws = np.zeros(len(asked), record(kept))
    raws["user"] = np.array(asked) + 1
    raws["history"] = [padded([item + FIRST_ITEM for item in histories[place][:-back]], kept) for place in asked]
    targets = targets_of(raws["history"], [histories[place][-back] for place in asked])
    return Split(raws, np.arange(len(asked)), targets)


def _digest(split: Split) -> str:
    return sha256(split.take(slice(None)).tobytes() + np.ascontiguousarray(split.targets).tobytes())
