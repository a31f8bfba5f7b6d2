"""The columns of a table: the device reads them as training does, and what is asked first is asked at once."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.edge.bundle.consistency import require_consistent
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.recipe import Built
from dltk.recipe.kept import recorded_settings
from dltk.recipe.load import load, resolve

COUNT = 100


def prepared(path, *pairs):
    progress = Silent()
    settings = resolve(load("tabular"), pairs, smoke=False)
    task = tasks.task("tabular")
    dataset = task.prepare(settings, str(path), progress=progress)
    return dataset, task.signature(settings, dataset, Built(None, ())), progress


def in_order(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([split.rows for split in splits])
    return np.concatenate([split.take(slice(None)) for split in splits])[np.argsort(rows)]


@pytest.fixture
def table(tmp_path):
    def write(header, rows):
        path = tmp_path / "table.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


def value(row):
    return 10 + row * 37 % 97 / 4


@pytest.fixture
def odd(table):
    """Every kind of column at once: identifier, date with gaps, price, number with gaps, category, rare classes."""
    rows = []
    for n in range(COUNT):
        when = "" if n % 20 == 3 else f"{n % 28 + 1}/{n % 12 + 1}/2021 {n % 24:02d}:30"
        x = "NA" if n % 10 == 1 else value(n)
        label = "?" if n == 50 else "rare" if n in (3, 77) else "hl"[n % 2]
        rows.append(f"{n},{when},${n * 7 % 91}.5,{x},{'ab'[n % 2]},{label}")
    return table("id,when,price,x,c,y", rows)


def test_the_device_reads_rows_as_training_does(odd):
    dataset, signature, _ = prepared(odd, "data.missing=NA,?", "data.rare=drop")
    signature = Signature.from_dict(json.loads(json.dumps(signature.as_dict())), "test").with_assets(
        lambda name: dataset.assets[name]
    )
    require_consistent(signature)
    kind, raws = family("tabular"), in_order(dataset)
    found = kind.labelled(odd, signature)
    assert len(found.raws) == COUNT - 3
    assert found.raws.tobytes() == raws.tobytes()
    assert found.notes == (
        "1 rows without a target are left out",
        "2 rows are of classes that were left out in training",
    )
    row = {"when": "5/5/2021 4:30", "price": "$28.5", "x": value(4), "c": "a", "id": 4}
    assert kind.read(row, signature) == raws[4 - 1]  # row 3 is of a rare class
    assert kind.read(json.dumps({**row, "price": 28.5}), signature) == raws[3]
    whole = kind.expand(str(odd), signature)
    assert len(whole) == COUNT
    tensors = kind.tensors(raws, signature)
    # two columns of numbers, seven of the date, and a mark: x is empty in ten rows, the date in only four
    assert tensors["numbers"].shape[1] == 2 + 7 + 1
    assert np.isfinite(tensors["numbers"]).all()


def test_joined_classes_are_joined_when_validated(odd):
    dataset, signature, _ = prepared(odd, "data.missing=NA,?", "data.rare=other")
    found = family("tabular").labelled(odd, signature)
    assert dataset.labels == ("h", "l", "other")
    assert len(found.raws) == COUNT - 1
    assert (found.targets == 2).sum() == 2
    assert "2 rows are of classes that the model joins as 'other'" in found.notes


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"when": "31/31/2021"}, "column 'when' must hold a date, day-first; received 31/31/2021"),
        ({"price": "€3"}, "column 'price' must hold a finite number, written with \\$"),
        ({"x": "n.a."}, "column 'x' must hold a finite number"),
    ],
)
def test_the_device_refuses_cells_of_another_form(odd, row, rule):
    _, signature, _ = prepared(odd, "data.missing=NA,?", "data.rare=drop")
    given = {"when": "5/5/2021", "price": "$1", "x": 1, "c": "a", **row}
    with pytest.raises(InputError, match=rule):
        family("tabular").read(given, signature)


def test_values_without_a_target_are_left_out_when_validated(table):
    path = table("x,y", [f"{value(n)},{'-999.0' if n % 25 == 0 else value(n) * 2}" for n in range(COUNT)])
    dataset, signature, _ = prepared(path, "data.missing=-999")
    found = family("tabular-values").labelled(path, signature)
    assert len(found.raws) == COUNT - 4 == dataset.report["dropped"]["unlabelled"] * 24
    assert found.notes == ("4 rows without a target are left out",)
    only = table("x,y", ["1.5,-999", "2.5,"])
    with pytest.raises(InputError, match="must have rows with a target; received none"):
        family("tabular-values").labelled(only, signature)


def test_all_questions_are_asked_at_once(odd):
    with pytest.raises(InputError) as caught:
        prepared(odd)
    message = str(caught.value)
    assert "line 3: column 'x' holds numbers; received NA. 11 cells of 'x', 'y' hold NA or ?" in message
    assert message.count("data.missing=NA,?") == 1
    assert "1 with fewer than 5 rows ('rare')" in message
    assert "data.rare=drop to leave out 2 rows" in message


@pytest.mark.parametrize(
    ("column", "pairs", "rule"),
    [
        (lambda n: "a,b" if n == 4 else value(n), ("data.categories=c",), "Correct it, or set data.categories=c,x"),
        (lambda n: f"bad {n}" if n < 9 else value(n), (), "9 cells are no numbers"),
        (lambda n: f"bad {n}" if n < 9 else value(n), ("data.categories=z", "data.target=y"), "data.categories=z,x"),
        (lambda n: "old" if n == 4 else value(n), (), r"data\.missing=old,NA if.*line 3: column 'm' holds numbers"),
        (lambda n: "soon" if n == 4 else f"2021-03-{n % 28 + 1:02d}", (), "column 'x' holds dates; received soon"),
        (lambda n: f"{n % 12 + 1}.{n % 11 + 1}.2021", (), "data.dates=day-first or data.dates=month-first"),
        (lambda n: "12" if n == 4 else f"{n}%", (), "column 'x' holds numbers; received 12"),
        (lambda n: "€4" if n == 4 else f"${n}", (), "column 'x' holds numbers; received €4"),
        (lambda n: f"{n}/31/2021" if n == 40 else f"{n % 12 + 1}/31/2021", ("data.dates=month-first",), "holds dates"),
    ],
)
def test_a_cell_of_another_form_is_asked_about(table, column, pairs, rule):
    odd = ["NA" if n == 1 else n % 5 for n in range(60)]  # a mark of another column does not hide the odd cell
    rows = [f'"{column(n)}",{n % 7},{odd[n]},{n % 3},{"hl"[n % 2]}' for n in range(60)]
    path = table("x,c,m,z,y", rows)
    with pytest.raises(InputError, match=rule):
        prepared(path, *pairs)


@pytest.mark.parametrize("mark", ["mean", "error"])
def test_the_former_meaning_of_missing_is_refused(table, mark):
    path = table("x,y", [f"{value(n)},{'hl'[n % 2]}" for n in range(60)])
    with pytest.raises(InputError, match=f"setting data.missing: names the cells.*Set data.fill={mark}"):
        prepared(path, f"data.missing={mark}")


def test_a_run_of_an_earlier_version_reads_its_data_as_it_did(table):
    rows = [f"{n},P{n},{'' if n % 9 == 0 else '?' if n % 9 == 1 else value(n)},2021-01-{n % 28 + 1:02d},{'hl'[n % 2]}"
            for n in range(60)]  # fmt: skip
    path = table("id,name,x,when,y", [*rows, "60,P60,3,2021-01-01,rare"])
    data = asdict(resolve(load("tabular"), (), smoke=False).data)
    for key in ("fill", "unlabelled", "rare", "dates", "duplicates"):
        del data[key]
    before = json.loads(json.dumps({"seed": 0, "data": {**data, "missing": "mean", "empty": ["?"]}}))
    settings = recorded_settings(before, "tabular", "recipe.json")
    task = tasks.task("tabular")
    dataset = task.prepare(settings, str(path), progress=Silent())
    assert task.signature(settings, dataset, Built(None, ())).preprocess[0] == {
        "op": "columns", "numbers": ["id", "x"], "categories": ["name", "when"], "targets": ["y"], "empty": ["?"],
        "missing": "mean",
    }  # fmt: skip
    assert dataset.labels == ("h", "l", "rare")
    refused = recorded_settings({**before, "data": {**before["data"], "missing": "error"}}, "tabular", "recipe.json")
    with pytest.raises(InputError, match="line 2: column 'x' must hold a number; received an empty cell"):
        task.prepare(refused, str(path), progress=Silent())


@pytest.mark.parametrize(
    ("name", "column", "kept"),
    [
        ("x", lambda n: n, False),
        ("x", lambda n: n + 1, False),
        ("x", lambda n: COUNT - n, False),
        ("x", lambda n: 1000 + n, False),
        ("x", lambda n: 1000 + n * 37 % 1009, True),
        ("PassengerId", lambda n: 1000 + n * 37 % 1009, False),
        ("identifier", lambda n: 1000 + n * 37 % 1009, False),
        ("order_no", lambda n: 1000 + n * 37 % 1009, False),
        ("humidity", lambda n: 1000 + n * 37 % 1009, True),
        ("x", lambda n: n + 0.5, True),
        ("x", lambda n: n // 2, True),
        ("x", lambda n: f"a sentence of its own, number {n}", False),
        ("x", lambda n: f"a sentence, number {n // 2}", True),
        ("x", lambda n: "", False),
        ("x", lambda n: "2021-03-01", False),
    ],
)
def test_columns_that_carry_no_information_are_left_out(table, name, column, kept):
    path = table(f"{name},z,y", [f'"{column(n)}",{value(n)},{"hl"[n % 2]}' for n in range(COUNT)])
    dataset, _, progress = prepared(path)
    assert dataset.report["left_out"] == ([] if kept else [name])
    assert any("is left out" in line for line in progress.said) is not kept


@pytest.mark.parametrize(
    ("target", "rows", "kind", "note"),
    [
        (lambda n: n % 5, 60, "label", "5 whole numbers as classes (data.kind=regress: as values)"),
        (lambda n: n % 2, 60, "label", None),
        (lambda n: 1947 + n, 16, "values", "whole numbers as values (data.kind=classify: as classes)"),
        (lambda n: 70 + n % 11, 25, "values", "whole numbers as values (data.kind=classify: as classes)"),
        (lambda n: n % 21, 210, "values", "whole numbers as values (data.kind=classify: as classes)"),
        (lambda n: n * 7, 210, "values", None),
        (lambda n: f"${n * 3}.50", 60, "values", "'$0.50' is 0.5"),
        (lambda n: f"{n % 4}+", 60, "label", None),
    ],
)
def test_whole_numbers_are_classes_where_each_stands_often(table, target, rows, kind, note):
    path = table("x,y", [f"{value(n)},{target(n)}" for n in range(rows)])
    dataset, _, progress = prepared(path)
    assert dataset.report["kind"] == kind
    noted = [line for line in progress.said if line.startswith("the target")]
    assert len(noted) == (note is not None)
    assert note is None or note in noted[0]


def test_a_setting_brings_a_column_back(table):
    path = table("id,name,z,y", [f"{n},P{n},{value(n)},{'hl'[n % 2]}" for n in range(COUNT)])
    dataset, _, _ = prepared(path, "data.numbers=id", "data.categories=name")
    assert dataset.report["left_out"] == []
    assert dataset.report["columns"]["numbers"] == ["id", "z"]
    assert dataset.report["columns"]["categories"] == ["name"]


@pytest.mark.parametrize(
    ("column", "far"),
    [
        (lambda n: -1 if n % 7 == 0 else n % 30, "-1"),
        (lambda n: 999 if n % 2 else n % 30, "999"),
        (lambda n: 0 if n % 10 == 0 else 150 + n % 40, "0"),
        (lambda n: 0 if n % 2 else n % 30, None),
        (lambda n: 0 if n % 2 else 3.2 + n % 30 / 20, None),
        (lambda n: 1 if n % 5 == 0 else n % 30 / 100, None),
        (lambda n: n % 2, None),
        (lambda n: n % 30 - 15, None),
        (lambda n: -200 if n == 5 else value(n), None),
    ],
)
def test_far_values_are_pointed_out(table, column, far):
    path = table("x,z,y", [f"{column(n)},{value(n)},{'hl'[n % 2]}" for n in range(COUNT)])
    _, _, progress = prepared(path)
    warned = [line for line in progress.warned if "far from the others" in line]
    assert len(warned) == (far is not None)
    assert far is None or f"data.missing={far}" in warned[0]


def test_a_time_of_day_is_an_hour(table):
    path = table("t,x,y", [f"{n % 24:02d}:{n % 60:02d},{value(n)},{'hl'[n % 2]}" for n in range(COUNT)])
    dataset, _, progress = prepared(path)
    assert dataset.report["columns"]["dates"] == [{"column": "t", "order": "year-first", "parts": ["hour"]}]
    assert "'00:00' is 00:00), as numbers: hour" in " ".join(progress.said)


def test_copies_stay_where_columns_take_few_values(table):
    rows = [f"{n % 3},{n % 2},{'hl'[n % 5 % 2]}" for n in range(COUNT)]
    dataset, _, progress = prepared(table("a,b,y", rows))
    found = dataset.report["duplicate_rows"]
    assert found["left_out"] == 0 < found["across_splits"]
    assert sum(dataset.report["samples"].values()) == COUNT
    assert any("data.duplicates=drop" in line for line in progress.warned)
    dataset, _, _ = prepared(table("a,b,y", rows), "data.duplicates=keep")
    assert dataset.report["duplicate_rows"] == {}


def test_conflicting_copies_are_counted(table):
    rows = [f"{value(n)},{n % 7},{'hl'[n % 2]}" for n in range(90)]
    rows += [f"{value(n)},{n % 7},{'lh'[n % 2]}" for n in range(4)]
    dataset, _, progress = prepared(table("a,b,y", rows))
    assert dataset.report["duplicate_rows"]["conflicts"] == 4
    assert "4 rows equal another one but have another target" in progress.warned


def test_a_damaged_step_is_refused(odd):
    _, signature, _ = prepared(odd, "data.missing=NA,?", "data.rare=drop")
    step = signature.preprocess[0]
    date = step["dates"][0]
    for change in (
        {"dates": [{**date, "order": "up"}]}, {"dates": [{**date, "parts": ["century"]}]}, {"dates": [3]},
        {"dates": [date, date]}, {"marked": ["c"]}, {"signs": [["price", "?"]]}, {"signs": [["price"]]},
        {"rest": "keep"}, {"unlabelled": 1},
    ):  # fmt: skip
        broken = replace(signature, preprocess=({**step, **change}, *signature.preprocess[1:]))
        with pytest.raises(InputError, match="columns"):
            require_consistent(broken)
