"""From what the user has to a `Dataset` of texts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.classes import limited, require_every_class, split_report, warn_of_copies
from dltk.data.dataset import Dataset, Split
from dltk.data.duplicates import drop_duplicates
from dltk.data.sizes.texts import check_sizes, sizes_of, vocabulary_size
from dltk.data.split import SPLITS, complete_splits, require_training_share, split_digest, stratified_subset
from dltk.data.tokenizer import find_tokenizer
from dltk.edge.families.text import as_raw
from dltk.edge.input.tokens import TOKENIZER
from dltk.edge.sources.tables import Dialect
from dltk.edge.sources.texts.listing import TextLayout, list_texts
from dltk.recipe import TextData

__all__ = ["prepare_texts"]


@dataclass(frozen=True)
class _Pool:
    """Every text of the source, UTF-8; targets int64 (n,); `split_ids` index `SPLITS`, -1 unknown.

    `cut` (n,): which texts were longer than a `data.max_bytes` that was set.
    """

    source: str
    texts: tuple[bytes, ...]
    targets: NDArray[np.int64]
    labels: tuple[str, ...]
    split_ids: NDArray[np.int8]
    places: tuple[str, ...]
    cut: NDArray[np.bool_]
    columns: tuple[str, str]
    dialect: Dialect

    def name(self, row: int) -> str:
        """ "FILE, line N"."""
        return self.places[row]

    def part(self, total: int, seed: int) -> _Pool:
        """About `total` of these texts, as `stratified_subset` takes them."""
        rows = stratified_subset(self.targets, self.split_ids, total=total, seed=seed)
        return replace(
            self,
            texts=tuple(self.texts[row] for row in rows),
            targets=self.targets[rows],
            split_ids=self.split_ids[rows],
            places=tuple(self.places[row] for row in rows),
            cut=self.cut[rows],
        )


def prepare_texts(source: str, settings: TextData, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """The texts of `source`, split, with the tokenizer they are read by.

    A split that comes with the data is kept; a split it lacks is taken from train, in the settings' shares. Of texts
    in several splits the copies stay in one: test before validation before train. `settings.limit` or `settings.shots`
    then takes a part of train; with `shots` no validation split is taken, since its labels would be more than were
    asked for.

    Args:
        source: a table; a folder with train.csv and, if there are, validation.csv and test.csv; or one with a subfolder
            of .txt files per class, also inside train/ and test/.

    Raises:
        InputError: naming file, line or setting that cannot be used.
        EnvironmentFault: if the tokenizer is unavailable, or the package `tokenizers` is missing.
    """
    require_training_share(settings)
    check_sizes(settings)
    if settings.limit and settings.shots:
        raise InputError("setting data.shots", "must be 0 where data.limit is set", settings.shots)
    pool = _pool(source, settings, progress).part(settings.total, seed)
    rows = np.arange(len(pool.targets))
    decides = 0.0 if settings.shots else settings.validation
    split_ids, carved = complete_splits(pool.split_ids, pool.targets, validation=decides, test=settings.test, seed=seed)
    digests = np.array([list(hashlib.sha256(raw).digest()) for raw in pool.texts], np.uint8)
    rows, split_ids, copies = drop_duplicates(pool, digests, rows, split_ids)
    _report_duplicates(copies, progress)
    by_split = [rows[split_ids == split] for split in range(len(SPLITS))]
    by_split[0] = _part(pool, by_split[0], settings, seed)
    require_every_class(pool, by_split[0], "texts")
    seen = [pool.texts[row].decode("utf-8") for row in by_split[0]]
    size = vocabulary_size(seen, settings, progress)
    tokenizer = find_tokenizer(settings.tokenizer, seen, vocabulary_size=size, progress=progress)
    sizes = sizes_of(seen, pool.cut[by_split[0]], tokenizer, settings, seed=seed, progress=progress)
    raws = np.array([as_raw(text.decode("utf-8"), sizes.max_bytes) for text in pool.texts])
    cut = int(pool.cut.sum()) + sum(len(text) > sizes.max_bytes for text in pool.texts)
    train, validation, test = (Split(raws, chosen, pool.targets[chosen]) for chosen in by_split)
    report = {**split_report(pool, by_split), "cut_off": cut, "carved_from_train": carved, **copies, **sizes.record}
    report |= {"columns": {"text": pool.columns[0], "label": pool.columns[1]}, **pool.dialect.record}
    facts = {"labels": list(pool.labels), "tokenizer": sha256(tokenizer), "length": sizes.length}
    digest = split_digest(facts, by_split, digests, pool.targets)
    return Dataset(train, validation, test, pool.labels, digest, source, report, {TOKENIZER: tokenizer})


def _pool(source: str, settings: TextData, progress: Progress) -> _Pool:
    layout = TextLayout(
        settings.text,
        settings.label,
        settings.labels,
        drops=settings.unlabelled == "drop",
        finds=True,
        dialect=Dialect.of(settings),
    )
    found = list_texts(source, layout, note=progress.log)
    number = {label: place for place, label in enumerate(found.labels)}
    texts = [text.encode("utf-8") for text in found.texts]
    most = settings.max_bytes or max(map(len, texts))
    return _Pool(
        source,
        tuple(as_raw(text, most) for text in found.texts),
        np.array([number[name] for name in found.classes], np.int64),
        found.labels,
        np.array([-1 if split is None else SPLITS.index(split) for split in found.split_ids], np.int8),
        found.places,
        np.array([len(text) > most for text in texts]),
        found.columns,
        found.dialect,
    )


def _report_duplicates(copies: dict[str, Any], progress: Progress) -> None:
    warn_of_copies(copies, "texts", progress)
    if copies["conflicts"]:
        first = "; ".join(f"{each['name']}: {each['labels'][0]}" for each in copies["conflicts"][0])
        progress.warn(f"{len(copies['conflicts'])} texts occur with different labels ({first}), see the report")


def _part(pool: _Pool, rows: NDArray[np.int64], settings: TextData, seed: int) -> NDArray[np.int64]:
    """The training samples that `limit` or `shots` leave."""
    if settings.shots:
        drawn = np.random.default_rng([seed, 3]).permutation(len(rows))
        of_class = [drawn[pool.targets[rows[drawn]] == number][: settings.shots] for number in range(len(pool.labels))]
        return np.sort(rows[np.concatenate(of_class)])
    return limited(rows, pool.targets, limit=settings.limit, seed=seed, classes=len(pool.labels))
