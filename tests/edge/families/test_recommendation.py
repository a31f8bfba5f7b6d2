"""Users, histories and items on the device: who is known, what is masked, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.families import family
from dltk.edge.input.catalogue import CATALOGUE, catalogue_of
from dltk.edge.metrics import ranks
from dltk.edge.sources import read_table
from dltk.edge.sources.ratings import RatingColumns, read_ratings
from table_rows import RECOMMENDATION, SHOP

KIND = family("recommendation")
COLUMNS = RatingColumns("user", "item", "rating", "time", 1.0, 5.0, 2.0)
HEAD = "user,item,rating,time\n"


@pytest.fixture
def ratings(tmp_path):
    def write(text):
        path = tmp_path / "ratings.csv"
        path.write_text(text)
        return str(path)

    return write


def answers(raws, scores, top=4):
    outputs = {"scores": np.array(scores, np.float32)}
    return KIND.predictions(KIND.narrow(outputs, raws, RECOMMENDATION), RECOMMENDATION, top=top)


def test_a_known_user_needs_no_history():
    raw = KIND.read("ann", RECOMMENDATION)
    assert (int(raw["user"]), raw["history"].tolist()) == (1, [0, 2, 3])
    tensors = KIND.tensors(raw[None], RECOMMENDATION)
    assert (tensors["user"].tolist(), tensors["history"].tolist()) == ([[1]], [[2, 3]])
    assert tensors["weights"].tolist() == [[[0.5], [0.5]]]
    history = {**RECOMMENDATION.preprocess[1], "half_life": 0.5}
    steps = (RECOMMENDATION.preprocess[0], history, RECOMMENDATION.preprocess[2])
    newer = KIND.tensors(raw[None], replace(RECOMMENDATION, preprocess=steps))["weights"].ravel()
    assert newer.tolist() == pytest.approx([0.2, 0.8])  # float32; one place back is two half-lives


def test_an_unknown_user_needs_one():
    with pytest.raises(InputError, match=r"user 'anne': is not known to this model\. Did you mean 'ann'") as caught:
        KIND.read("anne", RECOMMENDATION)
    assert caught.value.exit_code == 3
    with pytest.raises(InputError, match="Pass the history of a new user"):
        KIND.read('{"user": 7}', RECOMMENDATION)
    for source in ('{"history": ["ale", "rum", "bun", "dip"]}', {"user": 7, "history": ["ale", "rum", "bun", "dip"]}):
        raw = KIND.read(source, RECOMMENDATION)
        assert (int(raw["user"]), raw["history"].tolist()) == (0, [1, 3, 5])  # the newest three; rum is not known
    tensors = KIND.tensors(KIND.read('{"history": ["cod", "rum"]}', RECOMMENDATION)[None], RECOMMENDATION)
    assert tensors["weights"].tolist() == [[[1.0], [0.0]]]  # what is not known counts for nothing
    assert not KIND.tensors(KIND.read('{"history": []}', RECOMMENDATION)[None], RECOMMENDATION)["weights"].any()


def test_a_file_is_no_user(ratings):
    with pytest.raises(InputError, match=r"received the file .*ratings\.csv.*dltk validate BUNDLE --data"):
        KIND.read(ratings(f"{HEAD}a,x,5,1\n"), RECOMMENDATION)
    with pytest.raises(InputError, match="is not known"):
        KIND.read("no\0name" + "x" * 5000, RECOMMENDATION)


def test_a_given_history_goes_before_the_one_that_is_carried():
    raw = KIND.read({"user": "bob", "history": ["cod"]}, RECOMMENDATION)
    assert (int(raw["user"]), raw["history"].tolist()) == (2, [0, 0, 4])
    bare = replace(SHOP, histories=None)
    signature = replace(
        RECOMMENDATION, preprocess=(*RECOMMENDATION.preprocess[:2], bare.op()), assets={CATALOGUE: bare.to_bytes()}
    )
    assert not KIND.read("ann", signature)["history"].any()


def test_what_a_user_has_is_not_recommended():
    raws = np.stack([KIND.read(source, RECOMMENDATION) for source in ("ann", "bob", '{"history": ["cod"]}')])
    first, second, third = answers(raws, [[9, 8, 1, 2]] * 3)
    assert [item for item, _ in first] == ["dip", "cod"]
    assert [item for item, _ in second] == ["ale", "bun", "cod"]
    assert [item for item, _ in third] == ["ale", "bun", "dip"]
    assert sum(score for _, score in third) == pytest.approx(1)  # float64 shares
    assert answers(raws, [[9, 8, 1, 2]] * 3, top=1)[0] == first[:1]
    everything = {"history": ["bun", "cod", "dip"]}
    (alone,) = answers(KIND.read(everything, RECOMMENDATION)[None], [[0, 0, 0, 0]])
    assert alone == [("ale", 1.0)]
    assert KIND.as_json(alone) == [{"item": "ale", "score": 1.0}]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('{"user": "ann"', "JSON"),
        ("{}", "must be"),
        ('{"usr": "ann"}', "must be .*received usr"),
        ('{"history": "ale"}', "must be a list of items"),
        ('{"history": [1.5]}', "texts or whole numbers"),
        ('{"user": true}', "texts or whole numbers"),
        (np.zeros((), [("user", np.int32), ("history", np.int32, (4,))]), "must be one record"),
    ],
)
def test_a_bad_sample_says_what_is_wrong(source, place):
    with pytest.raises(InputError, match=place):
        KIND.read(source, RECOMMENDATION)


def test_ranks_leave_out_what_is_no_candidate():
    scores = np.array([[4.0, 3, 2, 1], [4, 3, 2, 1], [1, 1, 1, 1]], np.float32)
    assert ranks(scores, np.array([2, 0, 1])).tolist() == [3, 1, 4]
    # item 0 is out of the running; an item that is to be found stays in it; ties count against it
    assert ranks(scores, np.array([[2, 0, -1], [0, 0, 1], [1, 3, -1]])).tolist() == [2, 1, 3]
    hits, gains = KIND.metrics
    targets = np.array([[2, 0], [0, -1], [3, -1]])
    assert hits.scores({"scores": scores}, targets, RECOMMENDATION).tolist() == [1, 1, 1]
    assert gains.scores({"scores": scores}, targets, RECOMMENDATION).tolist() == pytest.approx(
        [1 / np.log2(3), 1, 1 / np.log2(5)]
    )
    many = np.arange(20, dtype=np.float32)[None]
    assert [hits.scores({"scores": many}, np.array([item]), RECOMMENDATION)[0] for item in (9, 10)] == [0, 1]


def test_ratings_are_put_in_order_of_time_and_counted_once(ratings):
    path = ratings(f"{HEAD}a,x,5,30\na,y,4,2001-01-01\na,z,1,5\nb,x,3,1\na,x,2,10\n\n")
    found = read_ratings(read_table(path), COLUMNS)
    # the rating at 30 comes later than the one at 10, though it stands first; z is not liked
    assert found.histories == {"a": ("x", "y"), "b": ("x",)}
    assert (found.rows, found.duplicates, found.disliked) == (5, 1, 1)
    assert found.first_duplicate.endswith("line 2")
    bare = replace(COLUMNS, rating=None, time=None)
    assert read_ratings(read_table(path), bare).histories == {"a": ("y", "z", "x"), "b": ("x",)}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{HEAD}a,x,6,1\n", r"line 2: column 'rating' must lie between 1 and 5; received 6\. .*data\.highest"),
        (f"{HEAD}a,x,nan,1\n", "line 2: column 'rating'"),
        (f"{HEAD}a,x,good,1\n", "line 2: column 'rating'"),
        (f"{HEAD}a,x,5,1\nb,,5,1\n", "line 3: column 'item' must not be empty"),
        (f"{HEAD}a,x,5,noon\n", "line 2: column 'time' must be a number of seconds or an ISO date"),
        (f"{HEAD}a,x,5,inf\n", "line 2: column 'time'"),
        (f"{HEAD}a,x,5\n", "line 2"),
        ("user;item;rating;time\na;x;5;1\n", "commas"),
    ],
)
def test_bad_ratings_name_their_line(ratings, text, place):
    with pytest.raises(InputError, match=place):
        read_ratings(read_table(ratings(text)), COLUMNS)


def test_own_ratings_are_scored(ratings):
    path = ratings(f"{HEAD}ann,ale,5,1\nann,rum,5,2\nann,cod,5,3\nzoe,bun,5,1\nbob,ale,5,1\nbob,rum,5,2\n")
    found = KIND.labelled(path, RECOMMENDATION)
    assert found.raws["user"].tolist() == [1]
    assert found.targets.tolist() == [[2, -1, 0, -1]]
    assert {name for name, _ in found.skipped} == {"zoe", "bob"}
    with pytest.raises(InputError, match="must hold a user with two items"):
        KIND.labelled(ratings(f"{HEAD}zoe,bun,5,1\n"), RECOMMENDATION)


@pytest.mark.parametrize(
    "change",
    [{"users": []}, {"items": ["ale", "ale"]}, {"items": [1]}, {"histories": [[0]]}, {"histories": [[4], []]},
     {"histories": [[True], []]}, {"more": 1}],
)  # fmt: skip
def test_a_damaged_catalogue_is_an_input_error(change):
    found = json.loads(SHOP.to_bytes()) | change
    broken = replace(RECOMMENDATION, assets={CATALOGUE: json.dumps(found).encode()})
    with pytest.raises(InputError, match=r"catalogue\.json"):
        catalogue_of(broken)


@pytest.mark.parametrize(
    ("number", "change"),
    [(0, {"user": None}), (0, {"liked": "2"}), (0, {"more": 1}), (1, {"kept": 1}), (1, {"length": 2.0}),
     (1, {"half_life": None}), (1, {"kept": 10**12})],
)  # fmt: skip
def test_a_step_that_does_not_fit_is_an_input_error(ratings, number, change):
    steps = [dict(op) for op in RECOMMENDATION.preprocess]
    steps[number] |= change
    with pytest.raises(InputError, match=f"preprocess: {steps[number]['op']}"):
        KIND.labelled(ratings(f"{HEAD}ann,ale,5,1\n"), replace(RECOMMENDATION, preprocess=tuple(steps)))
