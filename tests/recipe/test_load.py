"""Recipes by name and by path; broken files are named with their line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dltk.base.errors import InputError
from dltk.recipe.load import load, read, registered, resolve
from dltk.recipe.settings import digest

WHOLE = """
from dataclasses import dataclass, field
from dltk.recipe import Built, DataHint, ImageData, Recipe, setting

@dataclass(frozen=True)
class Settings:
    seed: int = setting(0, "seed", low=0)
    data: ImageData = field(default_factory=ImageData)

recipe = Recipe("mine", "One.", "image-classification", Settings(), lambda s, c: None, {"data.size": 16},
                DataHint("a folder", "a/1.png"))
"""


def write(folder, text):
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_dltks_own_recipes_are_registered_and_load():
    own = (Path(__file__).parents[2] / "recipes").glob("*.py")
    assert set(registered()) >= {path.stem.replace("_", "-") for path in own} - {"--init--"}
    assert list(registered()) == sorted(registered())
    for name in registered():
        recipe = load(name)
        assert recipe.name == name
        assert recipe.data.sample.count("\n") == 2  # three lines
        assert resolve(recipe, smoke=True) != recipe.settings


def test_a_recipe_by_path(tmp_path):
    loaded = read(write(tmp_path, WHOLE))
    assert (loaded.recipe.name, loaded.is_file, loaded.source) == ("mine", True, WHOLE)
    assert resolve(loaded.recipe, ["seed=4"], smoke=True).data.size == 16
    assert resolve(loaded.recipe, ["data.size=24"], smoke=True).data.size == 24  # what is typed comes last


@pytest.mark.parametrize("name", sorted(registered()))
def test_each_recipe_may_be_copied_out_and_edited(name, tmp_path):
    """A copy stands on its own: it finds nothing beside itself, and what is changed in it counts."""
    ours = read(name)
    assert ours.source.count("seed: int = setting(0,") == 1
    path = tmp_path / "copied.py"
    path.write_text(ours.source.replace("seed: int = setting(0,", "seed: int = setting(7,"))
    copy = load(path)
    assert (copy.name, copy.settings.seed) == (name, 7)
    assert digest(resolve(copy, ["seed=0"])) == digest(ours.recipe.settings)


def test_a_recipe_of_another_package_is_listed_and_found(tmp_path):
    (tmp_path / "theirs.py").write_text(WHOLE.replace('"mine"', '"theirs"'))
    meta = tmp_path / "theirs-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[dltk.recipes]\ntheirs = theirs:recipe\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for words, expected in ((["recipes"], "theirs  "), (["recipes", "theirs"], "theirs: One.")):
        command = [sys.executable, "-m", "dltk.cli.main", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert expected in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (\n", "mine.py, line 1: must be valid Python"),
        ("import os\n\n1 / 0\n", "mine.py, line 3: must run without an error; received ZeroDivisionError"),
        ("raise SystemExit(0)\n", "mine.py, line 1: must run without an error"),
        ("import no_such_module_at_all\n", "mine.py, line 1: must run without an error"),
        ("x = 1\n", "must define `recipe`"),
        ("recipe = 3\n", "must be a dltk.recipe.Recipe; received int"),
        (WHOLE.replace("frozen=True", "frozen=False"), "must be an instance of a frozen dataclass"),
        (WHOLE.replace("Settings()", "Settings"), "must be an instance of a frozen dataclass"),
        (WHOLE.replace("    seed", "    sead"), "must have `seed` and `data`; received no seed"),
        (WHOLE.replace("data.size", "data.sice"), "smoke must change known settings"),
        ("\0", "mine.py: must be valid Python"),
    ],
)
def test_a_broken_file_says_where(tmp_path, text, message):
    with pytest.raises(InputError) as caught:
        load(write(tmp_path, text))
    assert message in str(caught.value)
    assert caught.value.exit_code == 3


def test_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="must exist"):
        load(tmp_path / "none.py")
    with pytest.raises(InputError, match="Did you mean 'cnn'"):
        load("cn")
    (tmp_path / "latin.py").write_bytes(b"x = '\xe9'\n")
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path / "latin.py")


def test_what_other_arguments_take_is_named_as_such(tmp_path):
    """A model, a run or data in a recipe's place: said so, with the command that takes it."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text("{}")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "manifest.json").write_text("{}")
    (tmp_path / "rows.csv").write_text("a,label\n1,x\n")
    for name, received, command in [
        ("photos", "a folder", f"dltk finetune RECIPE --data {tmp_path / 'photos'}"),
        ("run", "a run", f"dltk export {tmp_path / 'run'}"),
        ("bundle", "a bundle", f"dltk validate {tmp_path / 'bundle'}"),
        ("model.keras", "a model", f"dltk adopt {tmp_path / 'model.keras'} --recipe"),
        ("rows.csv", "data", f"dltk finetune RECIPE --data {tmp_path / 'rows.csv'}"),
    ]:
        with pytest.raises(InputError) as caught:
            load(tmp_path / name)
        assert f"or its .py file; received {received}. " in str(caught.value)
        assert command in str(caught.value)
    with pytest.raises(InputError, match=r"dltk adopt model\.h5"):
        load("model.h5")  # as it is typed in the model's own folder


def test_recipes_load_nothing_heavy():
    code = (
        "import sys; from dltk.recipe.load import load, registered; [load(n) for n in registered()];"
        "heavy = {'tensorflow', 'keras', 'numpy', 'onnx', 'sklearn', 'pandas', 'rich'} & set(sys.modules); print(heavy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("pairs", "smoke", "steps"),
    [
        ((), False, 800),
        (("seed=1",), False, 800),
        (("fit.epochs=7",), False, 0),
        (("fit.epochs=7", "fit.least_steps=90"), False, 90),
        ((), True, 0),
        (("fit.least_steps=90",), True, 90),
    ],
)
def test_epochs_that_are_set_are_not_raised(pairs, smoke, steps):
    """By the user or by the smoke settings."""
    assert resolve(load("segmentation"), pairs, smoke=smoke).fit.least_steps == steps
