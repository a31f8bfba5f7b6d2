"""A tokenizer.json comes from anyone: known parts, a bound on growth, and one error for whatever its package raises."""

from __future__ import annotations

import base64
import json
import time

import pytest

from dltk.base.errors import InputError
from dltk.edge.input import tokens
from dltk.edge.input.token_graph import max_growth
from dltk.edge.input.tokens import padded_tokens
from edge.signatures import TOKENIZER

pytest.importorskip("tokenizers")

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
TWICE = {
    "type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 2,
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {},
}  # fmt: skip


def made(**parts) -> bytes:
    return json.dumps(json.loads(TOKENIZER) | parts).encode()


def sequence(key, *parts):
    return {"type": "Sequence", key: list(parts)}


def charsmap(longest: int) -> str:
    return base64.b64encode((4).to_bytes(4, "little") + bytes(4) + b"x" * longest + b"\0").decode()


@pytest.mark.parametrize(
    "parts",
    [
        {"normalizer": sequence("normalizers", *[DOUBLE] * 26)},
        {"normalizer": sequence("normalizers", *[sequence("normalizers", DOUBLE, DOUBLE)] * 4)},
        {"normalizer": DOUBLE | {"content": "a" * 100}},
        {"normalizer": DOUBLE | {"content": "a" * 100, "pattern": {"Regex": "x*"}}},
        {"normalizer": DOUBLE | {"pattern": {"String": ""}}},
        {"normalizer": sequence("normalizers", *[{"type": "ByteLevel"}] * 12)},
        {"normalizer": sequence("normalizers", *[{"type": "Lowercase"}] * 65)},
        {"normalizer": {"type": "Prepend", "prepend": "a" * 10**6}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap(10**6)}},
        {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "?"}},
        {"normalizer": {"type": "Shell"}},
        {"normalizer": {"type": ["Lowercase"]}},
        {"normalizer": [DOUBLE]},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": False}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a|a)*b"}, "behavior": "Removed", "invert": False}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "((?:x[a)]*)){2,}b"}, "behavior": "Removed"}},
        {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": ".*" * 50}, "behavior": "Removed", "invert": False}},
        {"pre_tokenizer": sequence("pretokenizers", *[{"type": "ByteLevel", "add_prefix_space": True}] * 20)},
        {"post_processor": sequence("processors", *[TWICE] * 20)},
        {"post_processor": TWICE | {"special_tokens": {"x": {"id": "x", "ids": [1] * 10**5, "tokens": ["x"]}}}},
        {"model": {"type": "WordPiece", "vocab": {"[PAD]": 0}, "max_input_chars_per_word": 10**9}},
        {"model": {"type": "BPE", "vocab": {"[PAD]": 0}, "merges": [], "dropout": 0.5}},
        {"model": 7},
    ],
)
def test_what_could_grow_or_never_end_is_refused_at_once(parts):
    start = time.process_time()
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        padded_tokens(["a" * 1000], made(**parts), length=4)
    assert time.process_time() - start < 2


def test_a_dozen_kinds_that_are_in_use_stay():
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    ends = [("[CLS]", 2), ("[SEP]", 3)]
    for normalizer, splitter, processor in (
        (normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), processors.BertProcessing(*ends[::-1])),
        (
            normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.StripAccents()]),
            pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
            processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends),
        ),
        (
            normalizers.Sequence([normalizers.Nmt(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]),
            pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA), "isolated"), pre_tokenizers.ByteLevel()]),
            processors.Sequence([processors.ByteLevel(), processors.RobertaProcessing(*ends[::-1])]),
        ),
        (
            normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]),
            pre_tokenizers.Split(Regex(GPT2), "isolated"),
            processors.TemplateProcessing(single="[CLS] $A", special_tokens=ends),
        ),
        (normalizers.ByteLevel(), pre_tokenizers.Digits(), processors.ByteLevel()),
    ):
        vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.post_processor = normalizer, splitter, processor
        data = tokenizer.to_str().encode()
        assert 1 <= max_growth(json.loads(data), "t") <= 20
        wanted = tokenizer.encode("a cat, a dog!").ids[:9]
        assert padded_tokens(["a cat, a dog!"], data, length=30)[0, : len(wanted)].tolist() == wanted


def test_a_text_that_would_grow_too_long_is_refused():
    data = made(normalizer=sequence("normalizers", *[DOUBLE] * 6))
    assert padded_tokens(["a b"], data, length=4).shape == (1, 4)
    with pytest.raises(InputError, match="text 1: may have at most 18750 letters"):
        padded_tokens(["a", "b" * 18_751], data, length=4)


def test_a_tokenizer_without_a_token_for_unknown_words_is_one_error():
    model = {"type": "WordLevel", "vocab": {"[PAD]": 0, "cat": 1}, "unk_token": "[UNK]"}
    with pytest.raises(InputError, match=r"tokenizer\.json: must give tokens of a text; received .*\[UNK\]"):
        padded_tokens(["dog"], made(model=model), length=4)


class PanicException(BaseException):
    """What pyo3 raises over a panic in Rust is no Exception; called the same."""


def test_a_panic_is_one_error_and_an_interrupt_none(monkeypatch):
    class Panics:
        def __init__(self, fault):
            self.fault = fault

        def encode(self, text):
            raise self.fault

    for fault, wanted in (
        (PanicException("index out of bounds"), InputError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ):
        monkeypatch.setattr(tokens, "_opened", lambda data, length, fault=fault: (Panics(fault), 1))
        with pytest.raises(wanted):
            padded_tokens(["a"], TOKENIZER, length=4)


def test_json_of_many_empty_lists_is_refused_before_it_is_parsed():
    with pytest.raises(InputError, match="bytes of memory"):
        padded_tokens(["a"], b"[" + b"[]," * 5_000_000 + b"[]]", length=4)


PUBLISHED = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",  # GPT-2
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+",  # cl100k
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lo}\p{M}]*[\p{Ll}\p{Lo}\p{M}]+(?i:'s|'t|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+",  # o200k
    r"\w+|[^\w\s]+",
)


@pytest.mark.parametrize("pattern", PUBLISHED)
def test_patterns_of_published_tokenizers_are_taken(pattern):
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True}
    assert padded_tokens(["a cat"], made(pre_tokenizer=split), length=4).shape == (1, 4)
