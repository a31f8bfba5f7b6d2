"""Somebody else's run: opening it, compressing it and exporting it execute nothing that it brings."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields

import pytest

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.recipe.kept import MissingRecordedSetting
from dltk.recipe.load import read, registered, resolve
from dltk.recipe.settings import as_dict
from dltk.run import Run
from small import QUIET, TRAINING, invoke

pytestmark = QUIET

LEAVES_A_TRACE = "import pathlib\npathlib.Path({!r}).touch()\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A run of a recipe file, trained for seconds."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mine.py").write_text(read("cnn").source.replace('name="cnn"', 'name="mine"'))
    done = invoke("finetune", folder / "mine.py", "--data", "digits", *TRAINING, "--run", folder / "run")
    assert done.exit_code == 0, done.output
    return folder / "run"


@pytest.fixture
def taken(own, tmp_path):
    """A copy of it whose recipe.py leaves a trace where it is executed."""
    shutil.copytree(own, tmp_path / "run")
    trace = tmp_path / "trace"
    source = (own / "recipe.py").read_text() + LEAVES_A_TRACE.format(str(trace))
    (tmp_path / "run" / "recipe.py").write_text(source)
    return tmp_path / "run", trace


def change(run, name="recipe", **values):
    found = json.loads((run / f"{name}.json").read_bytes())
    (run / f"{name}.json").write_text(json.dumps(found | values))


def test_a_run_of_a_recipe_file_is_compressed_and_exported_without_it(taken, tmp_path):
    run, trace = taken
    (run / "recipe.py").unlink()
    done = invoke("compress", run, "--step", "quantize:precision=float16", "--no-control", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert f"dltk finetune {run}/recipe.py --data digits" in told["commands"][0]
    assert "--smoke" in told["commands"][0]
    assert told["commands"][0].endswith("--set calibration.samples=50 --set data.size=8")
    done = invoke("export", f"{run}-compressed", "--out", tmp_path / "bundle")
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "bundle" / "manifest.json").read_bytes())["lineage"]["recipe"] == "mine"
    assert not trace.exists()


@pytest.mark.parametrize("command", ["compress", "export", "report"])
def test_the_recipe_in_a_run_is_not_executed(taken, command, tmp_path):
    run, trace = taken
    more = {"compress": ["--step", "quantize:precision=float16", "--no-control"], "export": ["--out", tmp_path / "b"]}
    done = invoke(command, run, *more.get(command, []))
    assert done.exit_code == 0, done.output
    assert not trace.exists()


@pytest.mark.parametrize("command", ["compress", "export"])
def test_a_trusted_recipe_must_be_what_the_run_was_made_with(taken, own, command, tmp_path):
    run, trace = taken
    done = invoke(command, run, "--trust-recipe")
    assert done.exit_code == 3
    assert "must be the recipe that the run was made with" in done.stderr
    assert not trace.exists()
    loaded = read(run / "recipe.py")
    trace.unlink()
    change(run, source_sha256=sha256(loaded.source.encode()))
    opened = Run.open(run, trust_recipe=True)
    assert type(opened.settings()).__module__.startswith("dltk_recipe_")
    assert trace.exists()


@pytest.mark.parametrize("name", ["/tmp/else.py", "../mine.py", "else.py", "./recipe.py", "sub/recipe"])
@pytest.mark.parametrize("words", [(), ("--trust-recipe",)])
def test_a_recipe_outside_of_the_run_is_refused(taken, name, words, tmp_path):
    run, trace = taken
    change(run, recipe=name.replace("/tmp", str(tmp_path)))
    (tmp_path / "else.py").write_text(LEAVES_A_TRACE.format(str(trace)))
    for command in ("export", "compress"):
        done = invoke(command, run, *words)
        assert done.exit_code == 3, done.output
        assert "must be recipe.py in the run, or the name of a recipe" in done.stderr
    assert not trace.exists()


def test_a_link_to_a_recipe_outside_is_refused(taken, tmp_path):
    run, _ = taken
    (tmp_path / "else.py").write_text((run / "recipe.py").read_text())
    (run / "recipe.py").unlink()
    (run / "recipe.py").symlink_to(tmp_path / "else.py")
    assert invoke("export", run, "--trust-recipe").exit_code == 3
    done = invoke("compress", run, "--step", "quantize:precision=float16", "--no-control")
    assert done.exit_code == 3, done.output
    assert "recipe.py: must be a readable regular file" in done.stderr


def test_a_run_whose_installed_recipe_has_changed_is_read_by_its_values(own, tmp_path):
    shutil.copytree(own, tmp_path / "run")
    change(tmp_path / "run", recipe="cnn", source_sha256="0" * 64)
    settings = Run.open(tmp_path / "run").settings()
    assert as_dict(settings) == json.loads((own / "recipe.json").read_bytes())["settings"]
    assert "Settings" in type(settings).__name__
    assert not type(settings).__module__.startswith("dltk.recipes")


def test_a_student_that_a_run_names_is_not_executed(taken, tmp_path):
    run, trace = taken
    (tmp_path / "evil.py").write_text(LEAVES_A_TRACE.format(str(trace)))
    found = json.loads((run / "recipe.json").read_bytes())
    found["settings"]["compress"]["steps"] = [f"distil:epochs=1,student=recipe:{tmp_path / 'evil.py'}"]
    change(run, settings=found["settings"])
    done = invoke("compress", run)
    assert done.exit_code == 3, done.output
    assert "a recipe file that a run names is not executed" in done.stderr
    assert "--trust-recipe" in done.stderr
    assert not trace.exists()


def test_a_module_that_a_run_names_is_not_imported(taken, tmp_path, monkeypatch):
    run, trace = taken
    (tmp_path / "evil_world.py").write_text(LEAVES_A_TRACE.format(str(trace)))
    monkeypatch.syspath_prepend(tmp_path)
    change(run, task="control")
    change(run, "data", source="evil_world:CartPole-v1")
    done = invoke("compress", run, "--step", "quantize:precision=float16")
    assert done.exit_code == 3, done.output
    assert "is not imported" in done.stderr
    recipe = tmp_path / "control.py"
    recipe.write_text(read("control").source.replace('default="CartPole-v1"', "default=None"))
    (run / "metrics.json").unlink()
    change(run, settings=as_dict(read(recipe).recipe.settings), source_sha256=sha256(recipe.read_bytes()))
    done = invoke("finetune", recipe, "--run", run, "--resume")
    assert done.exit_code == 3, done.output
    assert "is not imported" in done.stderr
    assert not trace.exists()


@pytest.mark.parametrize("name", sorted(registered()))
def test_settings_of_every_recipe_come_back_from_their_values(name, tmp_path):
    """A copy of it as a file of the user's own: equal values, and the groups that training looks for."""
    (tmp_path / "mine.py").write_text(read(name).source)
    loaded = read(tmp_path / "mine.py")
    made = Run.create(tmp_path / "run")
    settings = resolve(loaded.recipe, ["seed=7"])
    made.write_recipe(loaded, settings, smoke=False)
    found = Run.open(made.path, finished=False).settings()
    assert as_dict(found) == as_dict(settings)
    assert made.changed_settings() == {"seed": 7}
    for group in fields(settings):
        mine, theirs = getattr(settings, group.name), getattr(found, group.name)
        shared = [kind for kind in type(mine).__mro__ if kind.__module__ == "dltk.recipe.groups"]
        if group.name in ("data", "augment", "calibration", "compress"):
            assert all(isinstance(theirs, kind) for kind in shared)


def test_a_setting_that_is_not_there_is_named(own, tmp_path):
    shutil.copytree(own, tmp_path / "run")
    change(tmp_path / "run", settings={"seed": 0})
    settings = Run.open(tmp_path / "run").settings()
    assert getattr(settings, "augment", None) is None
    with pytest.raises(
        MissingRecordedSetting, match=r"settings\.compress: is needed, and the run does not have it.*--trust-recipe"
    ):
        settings.compress  # noqa: B018


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"seed": "x"}, "must be a whole number"),
        ({"model": {"units": [[1]]}}, "must hold single values"),
        ({"data": {"size": "big", "resize": "stretch", "validation": 0.1, "test": 0.2, "limit": 0, "group": None,
                   "max_pixels": 1, "max_unreadable": 0.1}}, "data.*size"),
        ({"data": {"size": 10**9, "resize": "stretch", "validation": 0.1, "test": 0.2, "limit": 0, "group": None,
                   "max_pixels": 1, "max_unreadable": 0.1}}, "must lie between 8 and 1024"),
        ({"calibration": {"samples": 10**12}}, "must lie between"),
        ({"compress": {"steps": 3}}, "must be a list of"),
        ({"model": {"__class__": 3}}, "must be a plain word"),
        ({"def": 3}, "must be a plain word"),
        ({"model": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}}}, "nest at most"),
    ],
)  # fmt: skip
def test_settings_of_another_kind_are_refused(own, tmp_path, settings, rule):
    shutil.copytree(own, tmp_path / "run")
    change(tmp_path / "run", settings=settings)
    with pytest.raises(InputError, match=rule):
        Run.open(tmp_path / "run").settings()


SIGNATURES = {
    "a negative temperature": lambda found: found.update(postprocess=[{"op": "softmax", "temperature": -1}]),
    "three labels of ten": lambda found: found.update(labels=found["labels"][:3]),
    "another size": lambda found: found["preprocess"].append({"op": "resize", "height": 9, "width": 9}),
    "another family": lambda found: found.update(family="policy"),
    "a name that steers": lambda found: found["inputs"][0].update(name="x\x1b[31m"),
}


@pytest.mark.parametrize("change_of", SIGNATURES.values(), ids=list(SIGNATURES))
@pytest.mark.parametrize("command", ["compress", "export"])
def test_a_signature_that_cannot_lead_to_answers_is_refused(taken, change_of, command):
    run, _ = taken
    found = json.loads((run / "signature.json").read_bytes())
    change_of(found)
    (run / "signature.json").write_text(json.dumps(found))
    done = invoke(command, run, *(["--step", "quantize:precision=float16"] if command == "compress" else []))
    assert done.exit_code == 3, done.output
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert "signature.json" in errors[0]


@pytest.mark.parametrize("found", ["[]", "1", "{}", '{"source": ["x"]}'])
def test_a_data_json_of_another_form_is_one_error(taken, found):
    run, _ = taken
    (run / "data.json").write_text(found)
    done = invoke("export", run)
    assert done.exit_code == 3, done.output
    assert "data.json: must have the source of the data" in done.stderr


def test_the_task_must_be_the_recipes(tmp_path):
    loaded, folder = read("cnn"), tmp_path / "run"
    run = Run.create(folder)
    run.write_recipe(loaded, resolve(loaded.recipe), smoke=False)
    change(folder, task="text-classification")
    with pytest.raises(InputError, match="task: must be image-classification, as in the recipe"):
        run.settings()
