"""Ratings as training data: who is asked for what, and what the samples know."""

from __future__ import annotations

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT, Silent
from dltk.edge.families import family
from dltk.edge.input.catalogue import catalogue_of
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
    path.write_text("user,item\n" + "".join(f"a,{n}\n" for n in (1, 2, 3, 1)))
    progress = Noted()
    _, _, dataset, _ = prepared(path, progress=progress)
    assert "1 rows rate an item that the user has already rated" in progress.words[0]
    assert "line 5" in progress.words[0]
    assert "no time column" in progress.words[1]
    assert dataset.report["duplicates"] == 1


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
        ("who,what\na,b\n", (), "line 1: needs a column 'user' or 'userId' or 'user_id'"),
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
