"""The Run folder: never overwritten, never half believed."""

from __future__ import annotations

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.bundle.archive import pack
from dltk.edge.bundle.arrays import npz_bytes, save_npz
from dltk.edge.bundle.integrity import read_manifest
from dltk.recipe.load import read, resolve
from dltk.recipe.settings import as_dict
from dltk.run import Run


def begun(folder, recipe="cnn"):
    loaded = read(recipe)
    run = Run.create(folder)
    run.write_recipe(loaded, resolve(loaded.recipe, ["seed=5"], smoke=True), smoke=True)
    return run


def test_settings_come_back(tmp_path):
    run = Run.open(begun(tmp_path / "run").path, finished=False)
    assert run.name == "run"
    assert run.recipe.name == "cnn"
    assert run.settings() == resolve(run.recipe, ["seed=5"], smoke=True)


def test_a_recipe_file_is_kept_with_the_run(tmp_path):
    source = read("cnn").source
    path = tmp_path / "own.py"
    path.write_text(source)
    run = begun(tmp_path / "run", path)
    path.unlink()
    assert run.recipe_name == "cnn"
    assert as_dict(run.settings())["seed"] == 5
    assert (run.path / "recipe.py").read_text() == source


def test_nothing_is_overwritten(tmp_path):
    begun(tmp_path / "run")
    with pytest.raises(InputError, match="never overwritten"):
        Run.create(tmp_path / "run")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="never overwritten") as caught:
        Run.create(tmp_path / "file")
    assert "--resume" not in str(caught.value)  # which would not go on with that
    with pytest.raises(InputError, match="--resume"):
        Run.require_free(tmp_path / "run")
    with pytest.raises(InputError, match="parent is a folder"):
        Run.create(tmp_path / "file" / "below")
    (tmp_path / "empty").mkdir()
    assert Run.create(tmp_path / "empty").path.is_dir()


def test_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match="must be a run folder"):
        Run.open(tmp_path / "none")
    with pytest.raises(InputError, match=r"recipe\.json is missing"):
        Run.open(tmp_path)
    with pytest.raises(InputError, match="was not finished"):
        Run.open(begun(tmp_path / "run").path)


def test_a_bundle_or_a_model_is_said_to_be_one(tmp_path):
    """Given to `export`, `compress` or `report` in a run's place."""
    (bundle := tmp_path / "bundle").mkdir()
    for name in ("manifest.json", "recipe.json"):
        (bundle / name).write_text("{}")
    (tmp_path / "bundle.zip").write_bytes(pack({"manifest.json": b"{}"}))
    (tmp_path / "my model.keras").write_bytes(b"PK\3\4")
    (tmp_path / "notes.txt").write_text("no run")
    for name, message in {
        "bundle": r"must be a run, not a bundle\. Give the run that it was exported from",
        "bundle.zip": "must be a run, not an archive",
        "my model.keras": r"not a model file\. Make a run from it: dltk adopt '.*my model\.keras' --recipe",
        "notes.txt": "must be a run, not a file",
    }.items():
        for finished in (True, False):
            with pytest.raises(InputError, match=message):
                Run.open(tmp_path / name, finished=finished)
    begun(tmp_path / "my run")
    with pytest.raises(InputError, match=r"a run, which has none\. Make a bundle from it: dltk export '.*/my run'"):
        read_manifest(tmp_path / "my run")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"recipe": "cnn"}', '{"recipe": 1, "recipe": 2}', "nul\0"])
def test_a_damaged_recipe_json_is_named(tmp_path, text):
    run = begun(tmp_path / "run")
    (run.path / "recipe.json").write_text(text)
    with pytest.raises(InputError, match=r"recipe\.json"):
        run.settings()


def test_settings_that_no_longer_fit_are_named(tmp_path):
    run = begun(tmp_path / "run")
    found = run.read_json("recipe")
    found["settings"]["model"]["blokcs"] = 2
    run.write_json("recipe", found)
    with pytest.raises(InputError, match=r"blokcs.*Did you mean 'blocks'"):
        run.settings()


def test_evaluation_is_read_back_and_has_no_times(tmp_path):
    run = begun(tmp_path / "run")
    arrays = {"raws": np.arange(6, dtype=np.uint8).reshape(2, 3), "targets": np.array([1, 0])}
    save_npz(run.evaluation_path, arrays)
    raws, targets = run.evaluation()
    assert raws.dtype == np.uint8
    assert (raws == arrays["raws"]).all()
    assert (targets == arrays["targets"]).all()
    assert npz_bytes(arrays) == npz_bytes(dict(reversed(arrays.items())))


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4", npz_bytes({"raws": np.zeros(2)}), npz_bytes({"raws": np.zeros(99)})[:-30]]
)
def test_a_damaged_evaluation_is_named(tmp_path, data):
    run = begun(tmp_path / "run")
    run.evaluation_path.write_bytes(data)
    with pytest.raises(InputError, match=r"evaluation\.npz"):
        run.evaluation()


def test_pickles_are_refused(tmp_path):
    run = begun(tmp_path / "run")
    np.savez(run.evaluation_path, raws=np.array([{}], object), targets=np.zeros(1))
    with pytest.raises(InputError, match="plain arrays"):
        run.evaluation()
