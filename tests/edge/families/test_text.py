"""Texts: what is read, what becomes tokens, and what is refused with its place."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.data.tokenizer import train_tokenizer
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.families import family
from dltk.edge.families.text import as_raw
from dltk.edge.input.tokens import TOKENIZER, padded_tokens, token_positions, vocabulary
from dltk.edge.sources.texts.listing import list_texts
from dltk.edge.sources.texts.read import read_lines

TEXTS = ["where is my card", "my card is lost", "the pin is blocked", "Wo ist meine Straße?"] * 3
TOKENS = train_tokenizer(TEXTS, 300)
HIGHEST = vocabulary(TOKENS) - 1


def signature(*names, length=6, highest=HIGHEST, tokenizer=TOKENS, max_bytes=100):
    return Signature(
        task="text-classification",
        family="text",
        inputs=tuple(
            TensorSpec(name, "int32", (None, length), ("batch", "token"), (0, highest if name == "tokens" else length))
            for name in names or ("tokens",)
        ),
        outputs=(TensorSpec("logits", "float32", (None, 2), ("batch", "class")),),
        preprocess=(
            {"op": "text", "column": "text", "label": "label", "max_bytes": max_bytes},
            {"op": "tokenize", "file": TOKENIZER, "sha256": sha256(tokenizer)},
        ),
        postprocess=({"op": "softmax", "temperature": 1.0},),
        labels=("card", "pin"),
        assets={TOKENIZER: tokenizer},
    )


def test_a_text_is_its_bytes(tmp_path):
    kind, path = family("text"), tmp_path / "one.txt"
    path.write_text("Wo ist\nmeine Straße?\n")
    raws = [
        kind.read(source, signature()) for source in ("my card", b"my card", np.bytes_(b"my card"), str(path), path)
    ]
    assert [bytes(raw[()]) for raw in raws] == [b"my card"] * 3 + [path.read_bytes()] * 2
    assert all(raw.dtype.kind == "S" and raw.shape == () for raw in raws)
    assert np.stack(raws).shape == (5,)  # of different lengths


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "must hold a text"),
        (" \n", "must hold a text"),
        ("a\0b", "NUL"),
        (b"a\0b", "NUL"),
        (b"fine\nstra\xdfe", "line 2: must be UTF-8; received byte 0xdf"),
        ("\udcff", "Unicode"),
        (3, "must be a text"),
        ("nowhere.txt", "must be a file that exists"),
    ],
)
def test_what_is_no_text_is_refused(source, words):
    with pytest.raises(InputError, match=words):
        family("text").read(source, signature())


def test_a_sentence_may_end_like_a_file_name():
    assert bytes(family("text").read("please open notes.txt", signature())[()]) == b"please open notes.txt"


def test_a_long_text_is_cut_between_letters():
    assert as_raw("Straße", 5) == b"Stra"
    assert as_raw("Straße", 6) == "Straß".encode()
    assert bytes(family("text").read("word " * 100, signature(max_bytes=16))[()]) == b"word word word w"


def test_a_file_may_hold_many_texts(tmp_path):
    kind = family("text")
    lines, table = tmp_path / "many.txt", tmp_path / "many.csv"
    lines.write_text("my card\n\n  one.txt \n")
    table.write_text('id,text\n1,"my card, lost"\n2,"two\nlines"\n')
    assert kind.expand("my card", signature()) == ["my card"]
    assert kind.expand(str(lines), signature()) == [b"my card", b"one.txt"]
    assert kind.expand(table, signature()) == [b"my card, lost", b"two\nlines"]
    assert bytes(kind.read(b"one.txt", signature())[()]) == b"one.txt"


def test_an_existing_path_is_never_a_text(tmp_path, monkeypatch):
    kind = family("text")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_bytes(b"\xef\xbb\xbfmy card\nmy pin\n")
    (tmp_path / "rows.jsonl").write_text('{"text": "my card", "n": 1}\n{"text": "my pin", "n": 2}\n')
    (tmp_path / "pictures").mkdir()
    for name in ("notes", "./notes", "rows.jsonl"):
        assert kind.expand(name, signature()) == [b"my card", b"my pin"]
    with pytest.raises(InputError, match="must be a text or a file; received a folder"):
        kind.expand("pictures", signature())
    with pytest.raises(InputError, match="must be a file of one text; received a table"):
        kind.read("rows.jsonl", signature())
    for name in ("row.jsonl", "old/notes.md", "texts.csv.gz"):
        with pytest.raises(InputError, match="looks like a path, and must be a file that exists"):
            kind.expand(name, signature())
    for text in ("and/or", "v1.2", "https://example.org/a.txt", "see notes.txt"):
        assert kind.expand(text, signature()) == [text]


def test_a_table_is_read_as_that_of_training_was(tmp_path):
    table = tmp_path / "many.csv"
    table.write_bytes("id;text\n1;Straße, links\n".encode("cp1252"))
    step = {"op": "table", "separator": ";", "encoding": "cp1252"}
    trained = replace(signature(), preprocess=(*signature().preprocess, step))
    assert family("text").expand(table, trained) == ["Straße, links".encode()]
    with pytest.raises(InputError, match="must be UTF-8"):
        family("text").expand(table, signature())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "must hold text"),
        (b"\n \n", "must hold text"),
        (b"fine\na\0b\n", "line 2: must not hold a NUL"),
        (b"fine\nfine\nstra\xdfe\n", "line 3: must be UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path, data, words):
    path = tmp_path / "many.txt"
    path.write_bytes(data)
    with pytest.raises(InputError, match=words):
        read_lines(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"text,label\nfine,card\n ,pin\n", "line 3, column 'text': must hold a text"),
        (b"text,label\nfine,card\nfine,\n", "line 3, column 'label': a label must not be empty"),
        (b"text,label\nfine,card\nfine,a/b\n", "line 3, column 'label': a label must not look like a path"),
        (b"text,label\nfine,card\nfine\n", "line 3: must have 2 cells"),
        (b"text,label\nfine,card\na\0b,pin\n", "line 3: must not hold a NUL"),
        (b"text,label\nfine,card\nstra\xdfe,pin\n", "line 3: must be UTF-8"),
        (b'text,label\nfine,card\n"open,pin\n', "line 3: must be valid CSV"),
        (b"text;label\nfine;card\n", "separated by commas"),
        (b"words,label\nfine,card\n", "needs a column 'text'"),
        (b"text,label\n", "rows below the header"),
        (b"text,label\nfine,card\nmore,card\n", "needs at least two classes"),
        ("text,label\na,caf\u00e9\nb,cafe\u0301\n".encode(), None),
    ],
)
def test_a_bad_table_names_its_line(tmp_path, data, words):
    path = tmp_path / "data.csv"
    path.write_bytes(data)
    if words is None:  # the same label in two spellings is one label, and one is too few
        words = "needs at least two classes"
    with pytest.raises(InputError, match=words) as caught:
        list_texts(path)
    assert "data" in str(caught.value)


def test_a_folder_has_a_file_a_side(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(f"text,label\n{name} one,card\n{name} two,pin\n")
    (tmp_path / "LICENSE").write_text("free")
    found = list_texts(tmp_path)
    assert found.split_ids == ("train", "train", "test", "test")
    assert found.labels == ("card", "pin")
    assert found.places[2].endswith("test.csv, line 2")
    (tmp_path / "TEST.csv").write_text("text,label\na,card\n")
    with pytest.raises(InputError, match="one file of test"):
        list_texts(tmp_path)
    (tmp_path / "train.csv").unlink()
    (tmp_path / "TEST.csv").unlink()
    with pytest.raises(InputError, match=r"must hold a train\.csv; received test"):
        list_texts(tmp_path)
    with pytest.raises(InputError, match="must exist"):
        list_texts(tmp_path / "nowhere.csv")


def test_own_data_is_scored(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("text,label\nmy card,card\nmy pin,pin\nlost,card\n")
    found = family("text").labelled(path, signature())
    assert found.raws.tolist() == [b"my card", b"my pin", b"lost"]
    assert found.targets.tolist() == [0, 1, 0]
    path.write_text("text,label\nmy card,cheque\n")
    with pytest.raises(InputError, match="labels must be among card, pin; received cheque"):
        family("text").labelled(path, signature())


def test_tokens_are_padded_with_zeros_and_counted_from_one():
    raws = np.array([b"my card", b"where is my card where is my card"])
    made = family("text").tensors(raws, signature("tokens", "positions"))
    tokens, positions = made["tokens"], made["positions"]
    assert tokens.dtype == positions.dtype == np.int32
    assert (tokens[0] > 0).sum() == 2
    assert (tokens[1] > 0).all()
    assert positions.tolist() == [[1, 2, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]]
    assert tokens[0, :2].tolist() == tokens[1, 2:4].tolist()  # "my card" in both


def test_a_zero_within_a_text_is_no_end():
    assert token_positions(np.array([[5, 0, 7, 0]], np.int32)).tolist() == [[1, 2, 3, 0]]


def test_no_letter_is_unknown_to_a_trained_tokenizer():
    tokens = padded_tokens(["日本 🙂 Ω"], TOKENS, length=30)
    unknown = json.loads(TOKENS)["model"]["vocab"]["[UNK]"]
    assert unknown not in tokens
    assert train_tokenizer(TEXTS, 300) == TOKENS


def edited(**changes):
    return json.dumps(json.loads(TOKENS) | changes).encode()


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (b"{", "tokenizer.json"),
        (b"[]", "must be a tokenizer"),
        (b'{"model": {"type": "Strange"}}', "must be a tokenizer"),
        (edited(added_tokens=[]), None),
        (edited(model={"type": "WordLevel", "vocab": {"my": 0}, "unk_token": "my"}, added_tokens=[]), "token 0"),
    ],
)
def test_a_strange_tokenizer_is_refused(tokenizer, words):
    raws, wanted = np.array([b"my card"]), signature(tokenizer=tokenizer)
    if words is None:  # without its list of special tokens it is as good
        assert family("text").tensors(raws, wanted)["tokens"].any()
        return
    with pytest.raises(InputError, match=words):
        family("text").tensors(raws, wanted)


def test_a_token_that_the_model_has_no_row_for_is_refused():
    """An index beyond the table reads foreign memory in some runtimes."""
    with pytest.raises(InputError, match="must give numbers up to 5, the model's last token"):
        family("text").tensors(np.array([b"my card"]), signature(highest=5))


def test_raw_samples_from_a_strange_bundle_are_refused():
    for raws in (np.zeros((2, 3), np.uint8), np.array([[b"a"]]), np.array(["text"])):
        with pytest.raises(InputError, match="must be UTF-8 bytes"):
            family("text").tensors(raws, signature())
    with pytest.raises(InputError, match="raw sample, line 1: must be UTF-8"):
        family("text").tensors(np.array([b"stra\xdfe"]), signature())
