"""Text to tokens with the tokenizer that a bundle carries; the same code in training and on the device.

A tokenizer.json in a bundle is untrusted: its size, its type, and all its numbers are checked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import EnvironmentFault, InputError
from dltk.base.files import parse_json
from dltk.base.install import pip_extra
from dltk.edge.bundle.signature import Signature
from dltk.edge.input.token_graph import max_growth

__all__ = [
    "TOKENIZER",
    "padded_tokens",
    "token_counts",
    "token_positions",
    "tokenizer_of",
    "vocabulary",
    "letter_tokens",
]

TOKENIZER = "tokenizer.json"  # as a bundle calls it
_MAX_BYTES = 50_000_000
_MOST = 2**31 - 1  # what int32 holds
_MOST_LETTERS = 1_200_000  # of a text, once the tokenizer has made it longer; each may become a token of 400 bytes
_BUDGET = 500_000_000  # bytes of memory that its JSON may take: a vocabulary of a million
_PADDING = ("[PAD]", "<pad>", "<PAD>")  # what token 0 may be called: 0 is what models mask


def tokenizer_of(signature: Signature) -> bytes:
    """The tokenizer.json that the step "tokenize" names.

    Raises:
        InputError: if there is no such step, or it names no file of the bundle.
    """
    return signature.asset("tokenize")[1]


def padded_tokens(
    texts: Sequence[str], tokenizer: bytes, *, length: int, highest: int | None = None
) -> NDArray[np.int32]:
    """int32 (n, length): the numbers of the first `length` tokens, 0 behind them.

    A tokenizer's own marks around a text, such as [CLS] and [SEP], count as tokens and are never cut off.

    Args:
        tokenizer: a tokenizer.json.
        highest: the last row of the model's table; None: whatever an int32 holds.

    Raises:
        InputError: if the tokenizer cannot be used, or gives a number over `highest`.
        EnvironmentFault: if the package `tokenizers` is missing.
    """
    opened, growth = _opened(tokenizer, length)
    most = _MOST if highest is None else min(highest, _MOST)
    found = np.zeros((len(texts), length), np.int32)
    for row, text in enumerate(texts):
        if len(text) * growth > _MOST_LETTERS:
            rule = f"may have at most {_MOST_LETTERS // growth} letters for this tokenizer"
            raise InputError(f"text {row}", rule, len(text), "Shorten it; in training, lower data.max_bytes.")
        with _Panics("must give tokens of a text"):
            numbers = opened.encode(text).ids[:length]
        if max(numbers, default=0) > most:
            raise InputError(TOKENIZER, f"must give numbers up to {most}, the model's last token", max(numbers))
        found[row, : len(numbers)] = numbers
    return found


def token_counts(texts: Sequence[str], tokenizer: bytes) -> NDArray[np.int64]:
    """int64 (n,): how many tokens each text has; of a text that is too long for the tokenizer, those of its beginning.

    Raises:
        InputError: if the tokenizer cannot be used.
        EnvironmentFault: if the package `tokenizers` is missing.
    """
    opened, growth = _opened(tokenizer, 0)
    with _Panics("must give tokens of a text"):
        found = [len(opened.encode(text[: _MOST_LETTERS // growth]).ids) for text in texts]
    return np.array(found, np.int64)


def token_positions(tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    """int32 (n, length): 1, 2, 3 ... up to a text's last token, 0 behind it."""
    counts = np.arange(1, tokens.shape[1] + 1, dtype=np.int32)
    last = (counts * (tokens != 0)).max(axis=1, keepdims=True)
    return np.where(counts <= last, counts, 0).astype(np.int32)


def vocabulary(tokenizer: bytes) -> int:
    """How many rows a table needs that has one for every number the tokenizer may give.

    Raises:
        InputError: if the tokenizer cannot be used.
        EnvironmentFault: if the package `tokenizers` is missing.
    """
    return max(_opened(tokenizer, 0)[0].get_vocab(with_added_tokens=True).values()) + 1


def letter_tokens(tokenizer: bytes) -> list[str]:
    """The tokens that are made of letters alone, sorted: what sentences can be made up of."""
    known = _opened(tokenizer, 0)[0].get_vocab(with_added_tokens=False)
    plain = {token.lstrip("Ġ▁") for token in known if not token.startswith("##")}
    return sorted(token for token in plain if token.isascii() and token.isalpha()) or ["a", "b"]


class _Panics:
    """Turns whatever the package raises over a tokenizer into InputError: also a panic of its Rust, no Exception."""

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: object) -> None:
        if isinstance(fault, Exception) or type(fault).__name__ == "PanicException":
            raise InputError(TOKENIZER, self._rule, str(fault)) from fault


@lru_cache(maxsize=8)
def _opened(tokenizer: bytes, length: int) -> tuple[Any, int]:
    """The tokenizer that cuts off after `length` tokens (0: never), and how much longer it may make a text."""
    try:
        from tokenizers import Tokenizer
    except ImportError as fault:
        hint = f"Run `{pip_extra('text')}`."
        raise EnvironmentFault("texts", "need the package tokenizers", hint=hint) from fault
    if len(tokenizer) > _MAX_BYTES:
        raise InputError(TOKENIZER, f"must be at most {_MAX_BYTES} bytes", len(tokenizer))
    found = parse_json(tokenizer, TOKENIZER, budget=_BUDGET)
    growth = max_growth(found, TOKENIZER)
    bare = {
        **found,
        "decoder": None,
        "padding": None,
        "truncation": None,
    }  # it only gives numbers, as many as it is told
    with _Panics("must be a tokenizer of the package tokenizers"):
        opened = Tokenizer.from_str(json.dumps(bare))
        del bare, found
    if opened.id_to_token(0) not in _PADDING:
        raise InputError(TOKENIZER, f"its token 0 must be padding: {', '.join(_PADDING)}", opened.id_to_token(0))
    if length:
        with _Panics(f"must leave room for its own marks in {length} tokens"):
            opened.enable_truncation(length)
    return opened, growth
