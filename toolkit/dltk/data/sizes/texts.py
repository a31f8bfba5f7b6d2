"""Sizes that the training texts decide: vocabulary, tokens of the model's input, bytes of a text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.tokenizer import is_stand_in
from dltk.edge.input.tokens import token_counts
from dltk.recipe import TextData

__all__ = ["TextSizes", "check_sizes", "sizes_of", "vocabulary_size"]

_QUANTILE = 0.95  # of the training texts that fit
_STEP = 8  # lengths are multiples of it
_SHORT = 32  # tokens: texts up to this length always fit whole
_TRUNCATED = 0.01  # share of truncated texts from which it is a warning
_SAMPLED = 10_000  # texts that are counted
_MOSTLY, _MOST_LENGTH = 0.99, 4096  # share that a longer `data.length` fits, and its limit
_USUAL, _LARGEST = 4_000, 16_000  # tokens of a vocabulary
_OFTEN = 5  # times that a word occurs in the training texts for a token of its own
_MARGIN, _LEAST_BYTES, _MOST_BYTES = 2.0, 1_000, 60_000

_Flags = NDArray[np.bool_]
_Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class TextSizes:
    """What `data.length` and `data.max_bytes` are, and for the report the share of training texts that is truncated."""

    length: int
    max_bytes: int
    truncated: float

    @property
    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return {"length": self.length, "max_bytes": self.max_bytes, "truncated": round(self.truncated, 4)}


def check_sizes(settings: TextData) -> None:
    """Raise InputError, before anything is read, on a size that is too small and not 0."""
    for name, least in (("length", 2), ("vocabulary", 300), ("max_bytes", 16)):
        value = getattr(settings, name)
        if 0 < value < least:
            raise InputError(f"setting data.{name}", f"must be 0 or at least {least}", value)


def vocabulary_size(texts: Sequence[str], settings: TextData, progress: Progress) -> int:
    """`data.vocabulary`, or as many tokens as words occur often in the training `texts`, in thousands."""
    if settings.vocabulary or settings.tokenizer != "train":
        return settings.vocabulary or _USUAL
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(re.findall(r"[^\W\d_]+", text.casefold()))
    words = sum(count >= _OFTEN for count in counts.values())
    size = min(max(-(-words // 1_000) * 1_000, _USUAL), _LARGEST)
    if size != _USUAL:
        progress.log(f"vocabulary of at most {size:,} tokens: {words:,} words occur {_OFTEN} times or more")
    return size


def sizes_of(
    texts: Sequence[str], cut: _Flags, tokenizer: bytes, settings: TextData, *, seed: int, progress: Progress
) -> TextSizes:
    """The sizes that `settings` give, or those that fit the training `texts`; what is truncated is logged.

    Args:
        cut: bool (n,), which texts `data.max_bytes` has truncated already.

    Raises:
        InputError: if the tokenizer cannot be used.
    """
    stands_in = is_stand_in(settings.tokenizer, texts)
    if len(texts) > _SAMPLED:
        rows = np.sort(np.random.default_rng([seed, 5]).choice(len(texts), _SAMPLED, replace=False))
        texts, cut = [texts[int(row)] for row in rows], cut[rows]
    counts = np.maximum(token_counts(texts, tokenizer), 1)
    sizes = np.array([len(text.encode("utf-8")) for text in texts])
    length = settings.length or _length(counts, settings.longest)
    max_bytes = settings.max_bytes or _bytes(counts, sizes, length)
    truncated = float(((counts > length) | cut).mean())
    if stands_in:
        progress.log("length in tokens: found in training, by the tokenizer")
        return TextSizes(length, max_bytes, truncated)
    if not settings.length:
        progress.log(f"length {length} tokens: {float((counts <= length).mean()):.0%} of the training texts fit")
    if truncated > _TRUNCATED:
        progress.warn(f"{truncated:.1%} of the training texts are truncated {_where(counts, length, max_bytes)}")
    return TextSizes(length, max_bytes, truncated)


def _length(counts: _Numbers, longest: int) -> int:
    wanted = max(int(np.ceil(np.quantile(counts, _QUANTILE))), min(int(counts.max()), _SHORT))
    return max(_STEP, min(-(-wanted // _STEP) * _STEP, longest // _STEP * _STEP))


def _bytes(counts: _Numbers, sizes: _Numbers, length: int) -> int:
    """Bytes that `length` tokens take, with a margin, of all but one text in a thousand; the longest text at most."""
    wanted = _MARGIN * length * float(np.quantile(sizes / counts, 0.999))
    return int(np.clip(-(-wanted // 1_000) * 1_000, _LEAST_BYTES, _MOST_BYTES))


def _where(counts: _Numbers, length: int, max_bytes: int) -> str:
    if float((counts > length).mean()) <= _TRUNCATED:
        return f"after {max_bytes:,} bytes, data.max_bytes"
    more = int(np.ceil(np.quantile(counts, _MOSTLY) / _STEP)) * _STEP
    hint = f"; data.length={more} fits {_MOSTLY:.0%}" if length < more <= _MOST_LENGTH else ""
    return f"after {length} tokens; the longest has {int(counts.max()):,}{hint}"
