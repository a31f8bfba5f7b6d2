"""From a CSV of images with texts to a `Dataset` of records."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import using
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.assemble import assemble
from dltk.data.dataset import Dataset
from dltk.data.decoded import Decoder, decode_pool, image_decoder
from dltk.data.kinds.pair_columns import require_pair_columns
from dltk.data.pool import Pool
from dltk.data.split import SPLITS, require_training_share
from dltk.data.stamps import file_digests
from dltk.data.tokenizer import find_tokenizer
from dltk.edge.bundle.signature import Op
from dltk.edge.families.image_text import pair_type
from dltk.edge.families.text import as_raw
from dltk.edge.input.preprocess import image_ops
from dltk.edge.input.tokens import TOKENIZER
from dltk.edge.sources.pairs import PairColumns, Pairs, list_pairs
from dltk.edge.sources.tables import Dialect
from dltk.recipe import PairData

__all__ = ["pair_ops", "prepare_pairs"]


def pair_ops(settings: PairData) -> tuple[Op, ...]:
    """The steps that make a raw sample: "decode", "resize", "text"; "pairs" where columns have other names."""
    ops = image_ops(settings.size, settings.size, fit=settings.resize, max_pixels=settings.max_pixels)
    return *ops, {"op": "text", "max_bytes": settings.max_bytes}, *PairColumns.of(settings).ops


def prepare_pairs(source: str, settings: PairData, *, seed: int, progress: Progress = SILENT) -> Dataset:
    """The rows of the CSV `source`, decoded, cached and split, with the tokenizer their texts are read by.

    For splits, copies and `settings.limit` see `assemble`; a tokenizer that is trained sees the training texts alone.

    Raises:
        InputError: naming file, line or setting that cannot be used.
        EnvironmentFault: on a full disk, missing Pillow or `tokenizers`, or a tokenizer that is unavailable.
    """
    require_training_share(settings)
    ops, dialect, columns = pair_ops(settings), Dialect.of(settings), PairColumns.of(settings)
    require_pair_columns(source, columns, dialect)
    with using(settings):
        pairs = list_pairs(source, group=settings.group, dialect=dialect, note=progress.log, columns=columns)
        pool = _pool(source, pairs, progress).part(settings.total, seed)
        decoded = decode_pool(pool, _decoder(ops), progress=progress)
    found = assemble(pool, decoded, settings, ops, noun="samples", seed=seed, progress=progress)
    seen = [bytes(text).decode("utf-8") for text in found.train.store["text"][found.train.rows]]
    tokenizer = find_tokenizer(settings.tokenizer, seen, vocabulary_size=settings.vocabulary, progress=progress)
    digest = sha256(f"{found.digest} {sha256(tokenizer)} {settings.length}".encode())
    return replace(found, digest=digest, assets={TOKENIZER: tokenizer})


def _pool(source: str, pairs: Pairs, progress: Progress) -> Pool:
    number = {label: place for place, label in enumerate(pairs.labels)}
    files = file_digests(source, pairs.paths, progress)
    parts = [[digest, text] for digest, text in zip(files.digests, pairs.texts, strict=True)]

    def read(row: int) -> tuple[Path, str]:
        return pairs.paths[row], pairs.texts[row]

    return Pool(
        source,
        sha256(canonical_json(parts)),
        np.array([number[label] for label in pairs.classes], np.int64),
        pairs.labels,
        np.array([-1 if split is None else SPLITS.index(split) for split in pairs.splits], np.int8),
        pairs.places.__getitem__,
        read,
        pairs.groups,
        require_unchanged=files.require_unchanged,
        dialect=pairs.dialect,
    )


def _decoder(ops: Sequence[Op]) -> Decoder:
    image, kind = image_decoder(ops), pair_type(tuple(ops))

    def decode(source: tuple[Path, str], where: str) -> tuple[NDArray[Any], bytes]:
        path, text = source
        found = np.zeros((), kind)
        found["image"], pixels = image.decode(path, where)
        found["text"] = as_raw(text, kind["text"].itemsize)
        return found, hashlib.sha256(pixels + text.encode()).digest()

    return Decoder("pairs", image.facts, (), kind, decode)
