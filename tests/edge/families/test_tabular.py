"""Rows of a table on the device: cells, JSON, vocabularies, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.edge.input.vocabulary import VOCABULARY, Vocabulary, vocabulary_of
from table_rows import KNOWN, LABELS, VALUES

HEAD = "city,age,sex,rent,income\n"


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "people.csv"
        path.write_text(text)
        return str(path)

    return write


def test_a_file_holds_a_sample_a_row(table):
    kind = family("tabular")
    path = table(f"{HEAD}Graz,50,f,450,low\nWien, 20 ,m,NaN,high\n".replace("NaN", "99999"))
    found = np.stack([kind.read(each, LABELS) for each in kind.expand(path, LABELS)])
    assert found.dtype.names == ("numbers", "categories")
    tensors = kind.tensors(found, LABELS)
    # float32 arithmetic on small whole numbers is exact; 99999 ends at the clip
    assert tensors["numbers"].tolist() == [[1.0, -0.5], [-2.0, 3.0]]
    assert tensors["categories"].tolist() == [[2, 5], [0, 6]]  # Wien is in no training row: the column's unknown one
    assert {name: tensor.dtype.name for name, tensor in tensors.items()} == {
        "numbers": "float32",
        "categories": "int32",
    }


def test_json_a_dictionary_and_a_file_of_one_row_are_the_same_sample(table):
    kind, row = family("tabular"), {"age": 31, "rent": "500", "city": None, "sex": "f"}
    from_file = kind.read(table(f"{HEAD},31,f,500,low\n"), LABELS)
    assert kind.expand(json.dumps(row), LABELS) == [json.dumps(row)]
    assert kind.read(row, LABELS) == kind.read(json.dumps(row), LABELS) == from_file
    assert from_file["categories"].tolist() == [1, 5]  # an empty cell is a category of its own


def test_an_empty_number_is_an_error_or_the_mean(table):
    path = table(f"{HEAD}Graz,31,f,NA,low\n")
    with pytest.raises(InputError, match=r"people\.csv, line 2: column 'rent' must hold a number; received an empty"):
        family("tabular").expand(path, LABELS)
    raw = family("tabular-values").read(path, VALUES)
    assert family("tabular-values").tensors(raw[None], VALUES)["numbers"][0, 1] == 0.0


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('{"age": 1, "rent": 2, "city": "Graz"}', "needs a column 'sex'"),
        ('{"age": 1, "rent": 2, "city": "Graz", "sexx": "f"}', "The nearest is 'sexx': both must have the same name"),
        ('{"age": "old", "rent": 2, "city": "Graz", "sex": "f"}', "column 'age' must hold a finite number"),
        ('{"age": 1e999, "rent": 2, "city": "Graz", "sex": "f"}', "finite"),
        ('{"age": true, "rent": 2, "city": "Graz", "sex": "f"}', "row: 'age': must be a text, a number or null"),
        ('{"age": 1', "JSON"),
        ([1, 2], "row"),
        (np.zeros(3), "must be one record"),
    ],
)
def test_a_bad_row_says_what_is_wrong(source, place):
    with pytest.raises(InputError, match=place):
        family("tabular").read(source, LABELS)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("city;age;sex;rent\nGraz;1;f;2\n", "commas"),
        ("city,age,sex\nGraz,1,f\n", "rent"),
        (f"{HEAD}Graz,1,f,x,low\n", "line 2.*'rent'.*finite number"),
        (f"{HEAD}Graz,1,f,2,low\nGraz,1,f,2\n", "line 3"),
        (f"{HEAD}Graz,1,f,2,low\nGraz,1,f,2,low\n", "must hold one row"),
    ],
)
def test_a_bad_file_says_where(table, text, place):
    with pytest.raises(InputError, match=place):
        family("tabular").read(table(text), LABELS)


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(InputError, match=r"must be a \.csv; received a folder"):
        family("tabular").labelled(tmp_path, LABELS)


def test_own_rows_are_scored(table):
    kind, path = family("tabular"), table(f"{HEAD}Graz,50,f,450,low\nLinz,20,m,600,high\n")
    found = kind.labelled(path, LABELS)
    assert found.targets.tolist() == [1, 0]
    logits = np.array([[0, 1], [0, 1]], np.float32)
    assert kind.metrics[0].scores({"logits": logits}, found.targets, LABELS).tolist() == [1.0, 0.0]
    with pytest.raises(InputError, match="labels must be among high, low; received middle"):
        kind.labelled(table(f"{HEAD}Graz,50,f,450,middle\n"), LABELS)
    with pytest.raises(InputError, match="line 2: the target 'income' must not be empty"):
        kind.labelled(table(f"{HEAD}Graz,50,f,450,\n"), LABELS)


def test_values_come_back_in_their_unit(table):
    kind = family("tabular-values")
    found = kind.labelled(table("city,age,sex,rent,income,debt\nGraz,50,f,450,1200,3\n"), VALUES)
    assert found.targets.tolist() == [[1.0, 3.0]]
    (answer,) = kind.predictions({"values": np.array([[0.5, 2.0]], np.float32)}, VALUES, top=1)
    assert answer == {"income": 1100.0, "debt": 2.0}
    # (|1100 - 1200| + |2 - 3|) / 2
    assert kind.metrics[0].scores({"values": np.array([[0.5, 2.0]])}, found.targets, VALUES).tolist() == [50.5]


def test_a_vocabulary_travels_as_an_asset():
    bare = Signature.from_dict(json.loads(json.dumps(LABELS.as_dict())), "test")
    with pytest.raises(InputError, match="must name a file of the bundle"):
        vocabulary_of(bare)
    again = bare.with_assets(lambda name: LABELS.assets[name])
    assert vocabulary_of(again) == KNOWN
    assert KNOWN.size == 7
    assert vocabulary_of(replace(bare, preprocess=())) == Vocabulary.of({})


@pytest.mark.parametrize(
    "data",
    [b"{}", b"[", b'{"vocabulary": 3}', b'{"vocabulary": [["a", ["x", "x"]]]}', b'{"vocabulary": [["a", [1]]]}',
     b'{"vocabulary": [["a", ["x"]], ["a", ["y"]]]}', b'{"vocabulary": [["a"]]}'],
)  # fmt: skip
def test_a_damaged_vocabulary_is_an_input_error(data):
    broken = replace(LABELS, assets={VOCABULARY: data})
    with pytest.raises(InputError, match=r"vocabulary\.json"):
        vocabulary_of(broken)


@pytest.mark.parametrize("change", [{"numbers": "age"}, {"missing": "zero"}, {"numbers": [], "categories": []}])
def test_a_step_that_names_no_columns_is_an_input_error(change):
    broken = replace(LABELS, preprocess=({**LABELS.preprocess[0], **change}, *LABELS.preprocess[1:]))
    with pytest.raises(InputError, match="preprocess: columns"):
        family("tabular").read({}, broken)
