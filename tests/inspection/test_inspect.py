"""An inspection says what `finetune` would do: it asks the same code, and reads less of the data."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import small
import tiny
from corpus_cases import CASES, prepared
from dltk.base.errors import InputError
from dltk.data.glance import Glance
from dltk.inspection import inspect
from dltk.inspection.text import as_text
from odd_data import Case

_HEAVY = ("tensorflow", "keras", "sklearn", "pandas", "scipy", "onnx")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_of_the_corpus_is_read_or_refused_as_by_finetune(case: Case, tmp_path: Path) -> None:
    source, settings = case.write(tmp_path), case.settings
    if case.flag is not None:
        (refused,) = inspect(source, recipe=case.recipe, set=settings).refused
        assert case.flag in str(refused.fault)
        assert case.flag in refused.helps
        settings = (*settings, case.flag)
    (fit,) = inspect(source, recipe=case.recipe, set=settings).fits
    dataset, lines = prepared(case.recipe, source, settings)
    assert fit.dataset is not None
    assert fit.dataset.labels == dataset.labels
    assert fit.samples == {name: len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    for name in ("columns", "kind", "samples", "classes", "time", "season", "left_out"):
        assert fit.dataset.report.get(name) == dataset.report.get(name), name
    for words in case.said:
        assert words in lines
        assert words in "\n".join(fit.lines)


def test_the_corpus_is_not_empty():
    assert len(CASES) >= 1


def _people(path: Path, rows: int = 300, separator: str = ",") -> Path:
    draw = random.Random(0)
    lines = [separator.join(("age", "city", "income"))]
    lines += [separator.join((str(18 + row % 70), draw.choice(("Graz", "Linz")), draw.choice(("low", "high"))))
              for row in range(rows)]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


def _table(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def _images(root: Path, count: int, *folders: str) -> Path:
    draw = np.random.Generator(np.random.PCG64(0))
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(draw.integers(0, 255, (12, 16, 3), np.uint8)).save(root / folder / f"{number:03}.png")
    return root


def test_a_table_shows_its_columns_classes_and_copies(tmp_path):
    path = _people(tmp_path / "people.csv")
    path.write_text(path.read_text() + "44,,low\n44,,low\n")
    found = inspect(path)
    kinds = {column["name"]: column["kind"] for column in found.overview.columns}
    assert kinds == {"age": "number", "city": "category", "income": "target"}
    assert found.overview.rows == 302
    assert next(each["missing"] for each in found.overview.columns if each["name"] == "city") == round(2 / 302, 4)
    lines = path.read_text().splitlines()[1:]
    assert found.overview.copies == len(lines) - len(set(lines))
    assert found.fits[0].recipe == "tabular"
    counts = {label: sum(splits.values()) for label, splits in found.fits[0].classes.items()}
    assert counts == {label: sum(line.endswith(label) for line in lines) for label in ("low", "high")}


@pytest.mark.parametrize(
    ("header", "rows", "recipe"),
    [
        ("time,load", [f"2024-01-{day:02} {hour:02}:00,{hour % 7}" for day in range(1, 29) for hour in range(24)],
         "forecast"),
        ("userId,movieId,rating", [f"{row % 20},{row * 7 % 50},{row % 5 + 1}" for row in range(300)], "recommender"),
        ("text,label", [f"this is text {row},{'ab'[row % 2]}" for row in range(60)], "text-classification"),
        ("a,b,y", [f"{row % 9},{row % 4},{'ab'[row % 2]}" for row in range(60)], "tabular"),
    ],
)  # fmt: skip
def test_the_recipe_that_a_table_is_for_comes_first(header, rows, recipe, tmp_path):
    path = _table(tmp_path / "data.csv", header, rows)
    found = inspect(path)
    assert found.fits[0].recipe == recipe
    assert found.commands[0] == f"dltk finetune {recipe} --data {path}"


def test_the_settings_are_part_of_the_command(tmp_path):
    path = _people(tmp_path / "my people.csv")
    found = inspect(path, recipe="tabular", set=["data.target=city"])
    assert found.commands == (f"dltk finetune tabular --data '{path}' --set data.target=city",)


def test_folders_show_sizes_copies_and_classes(tmp_path):
    root = _images(tmp_path / "photos", 100, "train/cat", "train/dog", "test/cat", "test/dog")
    (root / "test/cat/copy.png").write_bytes((root / "train/cat/000.png").read_bytes())
    (root / "train/dog/copy.png").write_bytes((root / "train/dog/000.png").read_bytes())
    found = inspect(root, recipe="image-classification")
    (fit,) = found.fits
    assert fit.samples["test"] == 201
    assert sum(fit.samples.values()) == 401  # the copy in the training split is left out, as finetune does
    assert (fit.facts["copies"], fit.facts["across_splits"]) == (2, 1)
    assert fit.facts["decoded"] < fit.facts["listed"] == 402
    assert fit.facts["sizes"] == {"12 x 16": 32}
    assert "64 of 402 files decoded" in as_text(found)


@pytest.mark.parametrize(("count", "is_part"), [(30, False), (90, True)])
def test_that_only_some_masks_were_looked_at_is_reported(count, is_part, tmp_path):
    root = _images(tmp_path / "parts", count, "images")
    (root / "masks").mkdir()
    for number in range(count):
        mask = np.zeros((12, 16), np.uint8)
        mask[:, number % 8 :] = 1
        Image.fromarray(mask).save(root / "masks" / f"{number:03}.png")
    fit = inspect(root).fits[0]
    assert fit.recipe == "segmentation"
    assert (sum(fit.samples.values()) < count) == is_part
    assert any("images were looked at" in line for line in fit.lines) == is_part


def test_one_unreadable_file_makes_all_be_decoded(tmp_path):
    root = _images(tmp_path / "photos", 100, "cat", "dog")
    files = sorted(root.rglob("*.png"))
    for path in files[::3]:
        path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (refused,) = inspect(root, recipe="image-classification").refused
    with pytest.raises(InputError) as caught:
        prepared("image-classification", root, ())
    assert str(refused.fault) == str(caught.value)


def test_a_look_leaves_nothing_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    inspect(_images(tmp_path / "photos", 10, "cat", "dog"))
    assert not list((tmp_path / "cache").rglob("*"))


def test_files_of_one_size_are_compared_up_to_a_limit(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path, text in zip(paths, ("same", "same", "else"), strict=True):
        path.write_text(text)
    glance = Glance()
    first, second, third = glance.digests(paths)
    assert first == second != third
    limited = Glance(hashed=4)
    assert len(set(limited.digests(paths))) == 3
    assert not limited.is_compared


def test_a_large_table_is_read_in_part_and_that_is_said(tmp_path):
    path = _people(tmp_path / "people.csv", rows=400_000)
    found = inspect(path, recipe="tabular")
    assert (found.overview.rows, found.overview.looked_at) == (400_000, 10_000)
    assert "about 400,000 rows, 3 columns; what follows is from the first 10,000 rows" in as_text(found)
    assert not any("10,000 rows" in line for line in found.fits[0].lines)


def test_what_a_part_refuses_is_tried_on_all_rows(tmp_path):
    rows = [f"{row % 97},{'low' if row < 15_000 else 'high'}" for row in range(30_000)]
    found = inspect(_table(tmp_path / "sorted.csv", "a,y", rows), recipe="tabular")
    assert found.fits[0].classes.keys() == {"low", "high"}
    assert not found.overview.is_part


def test_both_readings_are_named_and_tried(tmp_path):
    path = _table(tmp_path / "numbers.csv", "0.1,0.2,a", [f"0.{row},0.{row + 1},{'ab'[row % 2]}" for row in range(60)])
    found = inspect(path)
    assert not found.fits
    tabular = next(attempt for attempt in found.refused if attempt.recipe == "tabular")
    assert tabular.helps == ("data.header=none", "data.header=first")
    assert "reads it: --set data.header=none or --set data.header=first" in as_text(found)


def test_a_setting_that_ends_in_a_sign_is_tried(tmp_path):
    rows = [f'"{row},5{row % 10}","{row % 7},25",{"ab"[row % 2]}' for row in range(60)]
    (refused,) = inspect(_table(tmp_path / "comma.csv", "x,z,y", rows), recipe="tabular").refused
    assert "data.decimal=," in str(refused.fault)
    assert "data.decimal=," in refused.helps


def test_arrays_are_listed_without_reading_them(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros((5, 3), np.float32))
    found = inspect(tmp_path / "x.npz")
    assert not found.fits
    assert found.as_dict()["arrays"] == [{"name": "a", "dtype": "float32", "shape": [5, 3]}]
    np.savez(tmp_path / "y.npz", x=tiny.raws(30), y=np.arange(30) % 3)
    assert inspect(tmp_path / "y.npz").fits[0].recipe == "image-classification"


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.csv", "x.parquet", "x.xlsx", "x.zip", "x.bin"])
@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"PK\x03\x04" + b"\xff" * 50, b"\x93NUMPY\x01\x00\xff\xff{"])
def test_hostile_files_are_refused(name, data, tmp_path):
    (tmp_path / name).write_bytes(data)
    assert not inspect(tmp_path / name).fits


def test_the_command_ends_with_3_where_nothing_fits(tmp_path):
    done = small.invoke("inspect", str(_people(tmp_path / "people.csv")))
    assert done.exit_code == 0, done.output
    assert "dltk finetune tabular" in done.stdout
    path = _table(tmp_path / "one.csv", "a,y", ["1,x", "2,x"])
    done = small.invoke("inspect", str(path), "--recipe", "tabular", "--json")
    assert done.exit_code == 3
    found = json.loads(done.stdout)
    assert found["fits"] == []
    assert found["code"] == 3
    assert found["refused"][0]["message"] in done.stderr
    assert small.invoke("inspect", str(tmp_path / "none.csv")).exit_code == 3
    assert small.invoke("inspect", str(path), "--set", "data.nothing=1").exit_code == 3


def test_recipes_with_data_is_an_inspection(tmp_path):
    path = str(_people(tmp_path / "people.csv"))
    given = small.invoke("recipes", "tabular", "--data", path)
    assert given.exit_code == 0
    assert given.stdout == small.invoke("inspect", path, "--recipe", "tabular").stdout
    assert small.invoke("recipes", "--data", path).exit_code == 2


def test_nothing_heavy_is_loaded(tmp_path):
    path = _people(tmp_path / "people.csv")
    code = (
        "import sys; from dltk.inspection import inspect; assert inspect(sys.argv[1]).fits; "
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_100_mb_take_under_300_mb_and_3_seconds(tmp_path):
    path = tmp_path / "large.csv"
    block = "".join(f"{row % 89},{row * 7 % 1013}.25,{'abc'[row % 3]},{'low' if row % 2 else 'high'}\n"
                    for row in range(50_000))  # fmt: skip
    with path.open("w") as stream:
        stream.write("age,height,city,income\n")
        for _ in range(100_000_000 // len(block) + 1):
            stream.write(block)
    # Started by a small process: the peak of a child counts what its parent had in memory.
    code = (
        "import resource, subprocess, sys; "
        "subprocess.run([sys.executable, '-m', 'dltk.cli.main', 'inspect', sys.argv[1]], check=True, stdout=-3); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_maxrss, used.ru_utime + used.ru_stime)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    peak, seconds = map(float, done.stdout.split())
    assert peak < 300_000  # kB
    assert seconds < 3.0  # of the processor: others may be at work here
