"""Ratings as training data: who is asked for what, and what the samples know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Silent
from dltk.edge.families import family
from dltk.edge.input.catalogue import catalogue_of
from dltk.edge.sources.tables import with_dialect
from dltk.recipe import Built
from dltk.recipe.groups import Fit
from dltk.recipe.load import load, resolve
from dltk.training import report


def prepared(path, *pairs, progress=SILENT):
    settings = resolve(load("recommender"), pairs, smoke=True)
    task = tasks.task("recommend")
    dataset = task.prepare(settings, str(path), progress=progress)
    return task, settings, dataset, task.signature(settings, dataset, Built(None, ()))


@pytest.fixture
def films(tmp_path):
    """As MovieLens names its columns; user 2 has too few films to be asked."""
    path = tmp_path / "ratings.csv"
    rows = [("1", f"f{n}", 100 - n) for n in range(6)] + [("2", "f0", 1), ("2", "f9", 2)]
    rows += [("3", f"f{n}", n) for n in range(3)]
    path.write_text("userId,movieId,rating,timestamp\n" + "".join(f"{u},{i},4.5,{t}\n" for u, i, t in rows))
    return path


def test_the_last_item_is_for_test_and_the_one_before_for_validation(films):
    _, _, dataset, signature = prepared(films, "data.anonymous=0")
    items = catalogue_of(signature).items
    assert items == ("f0", "f1", "f2", "f3", "f4", "f5", "f9")
    named = [[items[row[0]] for row in split.targets] for split in (dataset.validation, dataset.test)]
    assert named == [["f1", "f1"], ["f0", "f2"]]  # user 1 saw f5 first and f0 last
    # what stands in the history is no candidate: with the items before held out, none of what is asked for
    assert [items[n] for n in dataset.test.targets[0, 1:] if n >= 0] == ["f5", "f4", "f3", "f2", "f1"]
    trained = dataset.train.take(slice(None))
    assert [items[n] for n in dataset.train.targets] == ["f5", "f4", "f3", "f2", "f0", "f9", "f0"]
    assert trained["user"].tolist() == [1, 1, 1, 1, 2, 2, 3]
    assert trained["history"][3].tolist() == [0] * 5 + [7, 6, 5]
    assert catalogue_of(signature).histories[0] == (5, 4, 3, 2, 1, 0)  # the device knows all of it


def test_some_training_samples_are_nobodys(films):
    _, _, everyone, _ = prepared(films, "data.anonymous=1")
    assert not everyone.train.take(slice(None))["user"].any()
    assert everyone.test.take(slice(None))["user"].all()


def test_histories_stay_at_home_where_asked(films):
    _, _, _, signature = prepared(films, "data.histories=false")
    assert catalogue_of(signature).histories is None


def test_duplicates_and_a_missing_time_are_told(tmp_path):
    class Noted(Silent):
        def __init__(self):
            self.words = []

        def log(self, text):
            self.words.append(text)

        warn = log

    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n" + "".join(f"a,{n},4\n" for n in (1, 2, 3, 1)))
    progress = Noted()
    _, _, dataset, _ = prepared(path, progress=progress)
    assert "no time column" in progress.words[0]
    assert "1 rows rate an item that the user has already rated" in progress.words[1]
    assert "line 5" in progress.words[1]
    assert dataset.report["duplicates"] == 1
    path.write_text("user,item\n" + "".join(f"a,{n}\n" for n in (1, 2, 3, 1)))
    _, _, dataset, _ = prepared(path, progress=progress)
    assert "1 rows repeat a user and an item" in progress.words[-1]
    assert dataset.report["duplicates"] == 1


def by_user(raws, targets):
    return dict(zip(raws["user"].tolist(), targets[:, 0].tolist(), strict=True))


def scored(path, signature):
    found = family("recommendation").labelled(path, signature)
    return by_user(found.raws, found.targets)


def test_counts_of_a_pair_add_up_and_none_is_none(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text("user,song,plays\na,x,2\na,y,0\na,x,3\na,z,1\na,w,4\na,v,9\nb,y,1\n")
    _, _, dataset, signature = prepared(path, "data.liked=4", "data.feedback=counts")
    known = catalogue_of(signature)
    assert known.items == ("v", "w", "x")  # x was played five times, in two rows
    assert dataset.report["disliked"] == 3
    path.write_text("user,song,plays\na,x,2\na,y,1\na,z,-1\n")
    with pytest.raises(InputError, match=r"line 4: column 'plays' must hold counts, .*data\.feedback=events"):
        prepared(path)
    _, _, _, signature = prepared(path, "data.feedback=events")
    assert catalogue_of(signature).items == ("x", "y", "z")


def test_rows_sorted_by_item_are_no_order_of_time(tmp_path):
    path = tmp_path / "had.csv"
    path.write_text("user,item\n" + "".join(f"{u},{i}\n" for u in range(40) for i in range(u % 3, 40, 3)))
    progress = Silent()
    _, _, dataset, drawn = prepared(path, progress=progress)
    assert "sorted by 'item'" in progress.said[-1]
    assert "data.order=rows" in progress.said[-1]
    assert len(set(dataset.test.targets[:, 0])) > 10  # by the rows, it would be one of the last three
    assert drawn.step("history")["half_life"] == 0
    _, _, again, _ = prepared(path)
    assert again.digest == dataset.digest
    _, _, by_rows, signature = prepared(path, "data.order=rows")
    assert len(set(by_rows.test.targets[:, 0])) == 3
    assert signature.step("history")["half_life"] == 2
    assert signature.step("ratings") == {key: value for key, value in drawn.step("ratings").items() if key != "order"}
    assert scored(path, drawn) == by_user(dataset.test.take(slice(None)), dataset.test.targets)  # drawn alike


def test_the_device_reads_ratings_as_training_did(tmp_path):
    path = tmp_path / "u.data"
    path.write_text(
        "".join(f"{u}\t{(u + 3 * n) % 17}\t{1 + n % 5}\t{900_000_000 + n}\n" for u in range(9) for n in range(6))
    )
    _, _, dataset, signature = prepared(path, "data.names=user,item,rating,timestamp")
    signature = replace(signature, preprocess=with_dialect(signature.preprocess, dataset.report))
    assert scored(path, signature) == by_user(dataset.test.take(slice(None)), dataset.test.targets)


def test_few_are_asked_of_many(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("user,item\n" + "".join(f"u{u},i{(u + n) % 9}\n" for u in range(50) for n in range(4)))
    _, _, some, _ = prepared(path, "data.test_users=10", "data.kept=2", "data.length=2")
    assert len(some.test) == len(some.validation) == 10
    assert some.test.take(slice(None))["history"].shape == (10, 2)
    _, _, short, _ = prepared(path, "data.kept=2", "data.length=5")
    assert short.test.take(slice(None))["history"].shape == (50, 5)  # never shorter than what the model sees


def test_popularity_stands_beside_the_model(films):
    task, settings, dataset, signature = prepared(films)
    items = len(catalogue_of(signature).items)
    perfect = np.zeros((len(dataset.test), items), np.float32)
    perfect[np.arange(len(perfect)), dataset.test.targets[:, 0]] = 1
    assert report(perfect, dataset.test.targets, signature)["ndcg_1"] == 1.0
    found = task.figures(perfect, dataset, signature, settings)
    assert found["popularity_hit_rate_10"] == 1.0  # of 7 items any is among the first 10
    assert 0 < found["popularity_ndcg_10"] < 1
    estimate, low, high = found["above_popularity"]["ndcg_10"]
    assert estimate == pytest.approx(1 - found["popularity_ndcg_10"])
    assert low <= estimate <= high


@pytest.mark.parametrize(
    ("text", "pairs", "place"),
    [
        ("who,what\na,b\n", (), "line 1: needs a column 'user' and one 'item'.*data.user=who if 'what' is the item"),
        ("who,item\na,b\n", (), "needs a column 'user'; .*data.user=NAME"),
        ("user,genre\na,b\na,b\nb,b\nb,c\n", (), "needs a column 'item'; .*data.item=NAME"),
        ("Ann,Alien,5\nBob,Brazil,4\nCid,Cube,3\n", (), "If line 1 is a row: data.names=user,item,rating"),
        (
            "user,item,score,stars\na,b,1,2\na,c,1,3\n",
            (),
            "must be the rating; .*data.rating=score or data.rating=st",
        ),
        ("user,item,rating\na,b,0\na,c,70\n", (), "data.lowest=0 and data.highest=70 .*or data.feedback=counts"),
        ("user,item\na,b\n", ("data.feedback=counts",), "counts need a column; .*data.rating=NAME"),
        ("user,item,date\na,b,3/4/2024\na,c,4/4/2024\n", (), "line 2: .*ISO date; .*data.order=rows .*Also line 3"),
        ("user,item\na,b\n,c\n", (), "line 3: column 'user' must not be empty. .*data.empty=drop"),
        ("who,item\na,b\n", ("data.user=whom",), "needs a column 'whom'"),
        ("user,item\na,b\na,c\n", (), "needs users with over 2 items"),
        ("user,item,rating\na,b,0\n", (), "line 2: column 'rating' must lie between 0.5 and 5"),
        ("user,item,rating\na,b,5\n", ("data.liked=6",), "needs users"),
    ],
)
def test_ratings_that_cannot_be_used_say_where(tmp_path, text, pairs, place):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=place):
        prepared(path, *pairs)


def test_the_loss_looks_at_the_item_alone(films):
    tf = pytest.importorskip("tensorflow")
    from dltk.training.losses import objective

    _, _, dataset, signature = prepared(films)
    goal = objective(signature, dataset.train.targets, Fit())
    assert family("recommendation").kind(signature) == goal.kind == "ranking"
    assert not goal.has_classes
    scores = tf.constant(np.random.default_rng(0).normal(size=(2, 7)).astype(np.float32))
    wide, narrow = (
        goal.losses(scores, goal.encode(tf.constant(targets)))
        for targets in (dataset.test.targets, dataset.test.targets[:, 0])
    )
    assert np.array_equal(wide, narrow)
