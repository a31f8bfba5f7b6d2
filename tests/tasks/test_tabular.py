"""Tables as training data: what a column is, what is learnt from the training rows alone, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.edge.families import family
from dltk.edge.input.vocabulary import vocabulary_of
from dltk.recipe import Built
from dltk.recipe.load import load, resolve


def prepared(path, *pairs):
    settings = resolve(load("tabular"), pairs, smoke=True)
    task = tasks.task("tabular")
    dataset = task.prepare(settings, str(path), progress=SILENT)
    return task, settings, dataset, task.signature(settings, dataset, Built(None, ()))


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.csv"
    rows = [f"{20 + n % 50},{('Graz', 'Linz', '')[n % 3]},{n % 2},{n * 1.5},{'hl'[n % 2]}" for n in range(100)]
    path.write_text("age,city,code,rent,income\n" + "\n".join(rows) + "\n")
    return path


def test_columns_are_told_by_what_they_hold(people):
    task, settings, dataset, signature = prepared(people)
    found = dataset.report["columns"]
    assert (found["numbers"], found["categories"], found["targets"]) == (["age", "code", "rent"], ["city"], ["income"])
    assert dataset.labels == ("h", "l")
    assert vocabulary_of(signature).texts == {"city": ("", "Graz", "Linz")}
    assert [spec.name for spec in signature.inputs] == ["numbers", "categories"]
    assert task.contract(settings, dataset).input_ranges == {"categories": (0.0, 3.0)}
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 100
    _, _, other, _ = prepared(people, "data.categories=code", "data.ignore=rent,age", "data.target=income")
    assert (other.report["columns"]["numbers"], other.report["columns"]["categories"]) == ([], ["city", "code"])


def test_means_and_vocabulary_are_those_of_the_training_rows(tmp_path):
    path = tmp_path / "t.csv"
    rows = [f"{2 * n},{'often' if n % 10 else f'only{n}'},{'ab'[n % 2]}" for n in range(100)]
    path.write_text("x,c,y\n" + "\n".join(rows) + "\n")
    _, _, dataset, signature = prepared(path)
    trained = dataset.train.take(slice(None))
    assert dataset.report["mean"] == pytest.approx(trained["numbers"].mean(axis=0, dtype=np.float64))
    assert vocabulary_of(signature).texts == {"c": ("often",)}  # of the others none stands in two training rows
    tensors = family("tabular").tensors(trained, signature)
    assert tensors["numbers"].shape == (len(trained), 1)  # too few rows for bins
    assert tensors["numbers"][:, 0].mean() == pytest.approx(0, abs=1e-5)  # float32
    assert tensors["numbers"][:, 0].std() == pytest.approx(1, abs=1e-5)
    assert set(tensors["categories"].ravel()) == {0, 1}


@pytest.mark.parametrize(
    ("target", "pairs", "kind", "name"),
    [
        ("{n}", (), "values", "tabular-values"),
        ("{n}.5", (), "values", "tabular-values"),
        ("{m}", (), "label", "tabular"),
        ("{m}", ("data.kind=regress",), "values", "tabular-values"),
        ("{m}.5", ("data.kind=classify",), "label", "tabular"),
        ("{m},{m}", ("data.target=y,z",), "labels", "tabular"),
        ("{n},{m}", ("data.target=y,z",), "values", "tabular-values"),
    ],
)
def test_what_is_learnt_follows_the_target(tmp_path, target, pairs, kind, name):
    path = tmp_path / "t.csv"
    rows = "\n".join(f"{n % 7},{target.format(n=n, m=n % 2)}" for n in range(60))
    path.write_text(f"x,{'y,z' if ',' in target else 'y'}\n{rows}\n")
    task, settings, dataset, signature = prepared(path, *pairs)
    assert dataset.report["kind"] == kind
    assert signature.family == name
    assert family(name).kind(signature) == {"values": "regression", "label": "single-label"}.get(kind, "multi-label")
    ((output, shape),) = task.contract(settings, dataset).outputs.items()
    assert signature.outputs[0].name == output
    targets = dataset.test.targets
    assert targets.shape[1:] == (() if kind == "label" else shape)
    if kind == "values":
        perfect = task.figures(targets, dataset, signature, settings)
        assert perfect["r2"] == 1.0
        assert family(name).metrics[0].scores({output: targets}, targets, signature).max() == 0.0


@pytest.mark.parametrize(
    ("text", "pairs", "place"),
    [
        ("x,y\n1,a\n2,b\n3x,a\n", (), "line 4: column 'x' holds numbers; received 3x"),
        ("x,y\n1,a\n,b\n3,a\n4,b\n", ("data.fill=error", "data.rare=keep"), "line 3: column 'x' must hold a number"),
        ("x,y\n1,a\n2,\n3,a\n", (), "line 3: the target 'y' must not be empty"),
        ("x,y\n1,a\n2,b\n", ("data.target=z",), "needs a column 'z'"),
        ("x,y\n1,a\n2,b\n", ("data.numbers=x", "data.ignore=x"), "column 'x': must be one of"),
        ("x,y\n1,a\n2,b\n", ("data.ignore=x",), "must name columns besides the target"),
        ("x,y\n1,a\n2,a\n", (), "needs at least two classes"),
        ("x,y\n1,a\n2,b\n", ("data.kind=regress",), "line 2: column 'y' must hold a finite number"),
        ("x,y,z\n1,0,1\n2,1,2\n", ("data.target=y,z", "data.kind=classify"), "line 3: the target 'z' must be 0 or 1"),
        ("x;y\n1;a\n2;b\n", ("data.separator=,",), "separated by commas; received semicolons"),
        ("x,y\n1,a\n2,b\n", ("data.group=who",), "needs a column 'who'"),
        ("x,y\n1,a\n2,b\n", ("data.test=0.8", "data.validation=0.3"), "must leave rows for training"),
    ],
)
def test_a_table_that_cannot_be_used_says_where(tmp_path, text, pairs, place):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=place):
        prepared(path, *pairs)


def test_missing_numbers_may_be_the_mean(tmp_path):
    path = tmp_path / "t.csv"
    rows = "\n".join(f"{'NA' if n % 5 == 0 else n},{'ab'[n % 2]}" for n in range(50))
    path.write_text(f"x,y\n{rows}\n")
    _, _, dataset, signature = prepared(path, "data.fill=mean", "data.missing=NA")
    assert dataset.report["empty"] == {"x": 10}
    numbers = family("tabular").tensors(dataset.train.take(slice(None)), signature)["numbers"]
    assert np.isfinite(numbers).all()
    assert numbers[:, 0].mean() == pytest.approx(0, abs=1e-5)  # float32; the mean in place of what is missing keeps it


def test_groups_stay_on_one_side_and_the_group_is_no_feature(tmp_path):
    path = tmp_path / "t.csv"
    rows = "\n".join(f"{n},p{n % 20},{'ab'[n // 20 % 2]}" for n in range(200))
    path.write_text(f"x,who,y\n{rows}\n")
    _, _, dataset, _ = prepared(path, "data.group=who")
    assert dataset.report["columns"]["categories"] == []
    sides = [{int(row) % 20 for row in split.rows} for split in (dataset.train, dataset.validation, dataset.test)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 20


def test_equal_data_has_an_equal_digest(people):
    first, again, other = (prepared(people, *pairs)[2] for pairs in ((), (), ("seed=1",)))
    assert first.digest == again.digest != other.digest
