"""What a policy takes, and what it answers."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.families import family
from edge.signatures import POLICY

KIND = family("policy")


def save(path, array):
    np.save(path, array)
    return str(path)


def text(path, content):
    path.write_text(content)
    return str(path)


def test_observations_of_any_source(tmp_path):
    table = text(tmp_path / "seen.csv", "place,speed\n1,2\n3,4.5\n")
    rows = save(tmp_path / "rows.npy", np.array([[1, 2], [3, 4]], np.int64))
    assert [row.tolist() for row in KIND.expand(table, POLICY)] == [[1.0, 2.0], [3.0, 4.5]]
    assert [row.tolist() for row in KIND.expand(rows, POLICY)] == [[1.0, 2.0], [3.0, 4.0]]
    assert [row.tolist() for row in KIND.expand("[[1, 2], [5, 6]]", POLICY)] == [[1.0, 2.0], [5.0, 6.0]]
    for one in ("[1, 2.5]", [1, 2.5], np.array([1, 2.5]), save(tmp_path / "one.npy", np.array([1, 2.5]))):
        found = KIND.read(one, POLICY)
        assert found.dtype == np.float32
        assert found.tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("[1, 2, 3]", "must have 2 numbers"),
        ("[1, [2]]", "rows of the same length"),
        ("[1, 2", "valid JSON"),
        ("[1, NaN]", "valid JSON"),
        ('[1, "2"]', "must hold numbers"),
        ("[true, false]", "must hold numbers"),
        ("[1, 1e300]", "finite numbers of single precision"),
        ("[[1, 2], [3, 4]]", "must be one observation"),
        ("[]", "must"),
        ("nothing.csv", "must exist"),
        ("nothing.npy", "must exist"),
    ],
)
def test_what_is_no_observation_is_named(source, rule):
    with pytest.raises(InputError, match=rule) as caught:
        KIND.read(source, POLICY)
    assert source[:8] in str(caught.value)


def test_bad_files_are_named(tmp_path):
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{"a": 1}], object), allow_pickle=True)
    short = tmp_path / "short.npy"
    np.save(short, np.zeros(2))
    short.write_bytes(short.read_bytes()[:-1])
    for path, rule in (
        (str(pickled), "must not hold Python objects"),
        (str(short), "its header must fit its data"),
        (save(tmp_path / "nan.npy", np.array([1.0, np.nan])), "finite"),
        (save(tmp_path / "cube.npy", np.zeros((2, 2, 2))), "must have 2 numbers"),
        (text(tmp_path / "wide.csv", "a,b,c\n1,2,3\n"), "must have 2 numbers"),
        (text(tmp_path / "semicolon.csv", "a;b\n1;2\n"), "commas"),
        (text(tmp_path / "letters.csv", "a,b\n1,2\n1,x\n"), r"letters\.csv, line 3"),
        (text(tmp_path / "ragged.csv", "a,b\n1\n"), r"ragged\.csv, line 2"),
    ):
        with pytest.raises(InputError, match=rule):
            KIND.expand(path, POLICY)


def test_the_action_that_is_worth_most():
    outputs = {"values": np.array([[1.0, 2.0], [3.0, 3.0]], np.float32)}
    assert KIND.actions(outputs, POLICY).tolist() == [1, 0]  # of equal ones the first
    first, second = KIND.predictions(outputs, POLICY, top=5)
    assert first == {"action": 1, "values": [1.0, 2.0]}
    assert KIND.as_text(second) == "action 0   values 3 3"


def test_no_action_is_right_or_wrong_by_itself():
    assert KIND.metrics == ()
    with pytest.raises(InputError, match="--env"):
        KIND.labelled("CartPole-v1", POLICY)
