"""Examples: every recipe reads its own without a warning; equal bytes each time; nothing that exists is touched."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

import small
from dltk import tasks
from dltk.base import files
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data.examples.write import EXAMPLES, take_example, write_example
from dltk.recipe.load import load, read, registered, resolve
from dltk.run import Run

pytestmark = small.QUIET

WITH = [name for name in registered() if load(name).data.example]
LABELS = {
    "intents": ("card_arrival", "close_account", "exchange_rate", "lost_card", "pin_blocked", "transfer_failed"),
    "masks": ("background", "circle", "square", "triangle"),
    "people": ("high", "low"),
    "photos": ("circle", "cross", "ring", "square", "star", "triangle"),
    "posts": ("fault", "praise", "return"),
    "recordings": ("fall", "hiss", "pulse", "rise"),
}
SAMPLES = {"intents": 900, "masks": 160, "people": 1200, "photos": 900, "posts": 720, "recordings": 192}


@pytest.fixture(scope="module", autouse=True)
def _without_flushing():
    """Nothing is flushed to disk: thousands of small files take long on a busy disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "sync_tree", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Name -> (folder, what `--data` takes) of every example."""
    base = tmp_path_factory.mktemp("examples")
    return {name: (base / name, write_example(name, base / name)) for name in EXAMPLES}


def test_every_recipe_has_an_example_but_the_one_whose_data_is_an_environment():
    assert set(registered()) - set(WITH) == {"control"}
    assert {load(name).data.example for name in WITH} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_small_and_has_a_licence(written, name):
    folder, data = written[name]
    assert data.exists()
    assert "CC0 1.0" in (folder / "README.txt").read_text()
    assert EXAMPLES[name].summary in (folder / "README.txt").read_text()
    assert 10_000 < sum(map(len, small.files(folder).values())) < 5_000_000


def test_another_process_writes_equal_bytes(written, tmp_path):
    script = (
        "import sys; from pathlib import Path; from dltk.base import files; files.sync_tree = lambda folder: None\n"
        "from dltk.data.examples.write import EXAMPLES, write_example\n"
        "for name in EXAMPLES: write_example(name, Path(sys.argv[1], name))\n"
        "heavy = {'tensorflow', 'keras', 'sklearn', 'scipy', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, env=environment)
    for name, (folder, _) in written.items():
        assert small.files(tmp_path / name) == small.files(folder), name


@pytest.mark.parametrize("smoke", [False, True])
@pytest.mark.parametrize("recipe", WITH)
def test_a_recipe_reads_its_example_without_a_warning(written, recipe, smoke):
    """With the settings as they are, but for the tokenizer that would be downloaded."""
    loaded, progress = load(recipe), Silent()
    example = loaded.data.example
    pairs = ("data.tokenizer=train",) if recipe == "text-transfer" else ()
    settings = resolve(loaded, pairs, smoke=smoke)
    dataset = tasks.task(loaded.task).prepare(settings, str(written[example][1]), progress=progress)
    # A smoke run shortens texts of its own accord.
    assert [line for line in progress.warned if not (smoke and "truncated after" in line)] == []
    splits = (dataset.train, dataset.validation, dataset.test)
    assert all(len(split) >= (5 if smoke else 16) for split in splits)
    if example in LABELS and loaded.task != "generate":
        assert dataset.labels == LABELS[example]
    if example in SAMPLES and not smoke:
        assert sum(map(len, splits)) == SAMPLES[example]


def test_speakers_of_the_recordings_stay_in_one_split(written):
    loaded = load("audio-keyword")
    settings = resolve(loaded, ("data.group_pattern={group}_*",), smoke=False)
    source = str(written["recordings"][1])
    dataset = tasks.task(loaded.task).prepare(settings, source, progress=Silent())
    for split in (dataset.train, dataset.validation, dataset.test):
        assert len(split) % 24 == 0  # four signals, six recordings of each by one speaker
        assert set(np.asarray(split.targets).tolist()) == {0, 1, 2, 3}


def test_an_empty_folder_is_taken_and_another_is_left_alone(tmp_path):
    (tmp_path / "empty").mkdir()
    assert write_example("people", tmp_path / "empty").is_file()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("full", "file", "link"):
        done = small.invoke("recipes", "tabular", "--example", tmp_path / name)
        assert done.exit_code == 3
        assert f"{name}: must not exist yet" in done.stderr
        with pytest.raises(InputError, match="give --data"):
            take_example("people", tmp_path / name)
    assert small.files(tmp_path / "full") == {"mine.txt": b"mine"}
    assert (tmp_path / "file").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_an_example_is_written_once_and_then_taken(tmp_path):
    data = take_example("people", tmp_path / "people")
    data.write_text("changed\n")
    assert take_example("people", tmp_path / "people") == data
    assert data.read_text() == "changed\n"
    (tmp_path / "people" / "README.txt").write_text("of another version")
    with pytest.raises(InputError, match="must be free for the example 'people'"):
        take_example("people", tmp_path / "people")


@pytest.mark.parametrize("recipe", WITH)
def test_the_command_that_is_shown_writes_it_and_names_the_next(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = small.invoke("recipes", recipe)
    (command,) = re.findall(r"^Example data: dltk (.*)$", shown.stdout, re.MULTILINE)
    done = small.invoke(*shlex.split(command))
    assert done.exit_code == 0, done.output
    (following,) = re.findall(r"^  dltk (finetune .*)$", done.stdout, re.MULTILINE)
    name, flag, data = shlex.split(following)[1:]
    assert (name, flag) == (recipe, "--data")
    assert (tmp_path / data).exists()


def test_the_message_for_missing_data_names_the_command_that_helps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = small.invoke("finetune", "tabular")
    assert done.exit_code == 3
    assert "--data: must be given. It is a CSV with a header" in done.stderr
    (command,) = re.findall(r"`dltk (recipes [^`]*)`", done.stderr)
    found = small.invoke(*shlex.split(command), "--json")
    assert found.exit_code == 0, found.output
    assert (tmp_path / json.loads(found.stdout)["data"]).is_file()
    assert not (tmp_path / "runs").exists()


def test_the_recipe_whose_data_is_an_environment(tmp_path):
    done = small.invoke("recipes", "control", "--example", tmp_path / "data")
    assert done.exit_code == 3
    assert "recipe control: has no example data. Its data is CartPole-v1 unless --data is given" in done.stderr
    assert "`dltk finetune control --smoke`" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_recipe_is_needed(tmp_path):
    done = small.invoke("recipes", "--example", tmp_path / "data")
    assert done.exit_code == 2
    assert "--example: needs the name of a recipe" in done.stderr


def own_recipe(folder, **changes):
    """The recipe tabular as a user's file, with other texts in it."""
    text = read("tabular").source
    for old, new in changes.values():
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = folder / "own recipe.py"
    path.write_text(text)
    return path


def test_a_recipe_of_the_users_may_name_one_too(tmp_path):
    path = own_recipe(tmp_path)
    done = small.invoke("recipes", path, "--example", tmp_path / "data")
    assert done.exit_code == 0, done.output
    assert f"dltk finetune '{path}' --data {tmp_path / 'data' / 'people.csv'}" in done.stdout


def test_a_recipe_of_the_users_without_one(tmp_path):
    path = own_recipe(tmp_path, example=('        example="people",\n', ""))
    done = small.invoke("recipes", path, "--example", tmp_path / "data")
    assert done.exit_code == 3
    assert "has no example data. In a recipe file, DataHint(example=NAME) names one: intents, load" in done.stderr
    assert "Example data" not in small.invoke("recipes", path).stdout
    for words in ((), ("--smoke",)):
        done = small.invoke("finetune", path, "--run", tmp_path / "run", *words)
        assert done.exit_code == 3
        assert "--data: must be given. It is a CSV with a header" in done.stderr
        assert "--example" not in done.stderr


def test_a_recipe_of_the_users_with_one_that_does_not_exist(tmp_path):
    path = own_recipe(tmp_path, example=('example="people"', 'example="poeple"'))
    for words in (("recipes", path, "--example", tmp_path / "data"), ("finetune", path, "--smoke", "--run",
                  tmp_path / "run")):  # fmt: skip
        done = small.invoke(*words)
        assert done.exit_code == 3
        assert "DataHint.example: must name an example; received poeple. Did you mean 'people'?" in done.stderr


_SLOW = pytest.mark.slow


@pytest.mark.parametrize("recipe", [pytest.param(n, marks=() if n == "tabular" else _SLOW) for n in registered()])
def test_a_smoke_run_needs_no_data(recipe, tmp_path):
    done = small.invoke("finetune", recipe, "--smoke", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    hint, source = load(recipe).data, Run.open(tmp_path / "run").data_source
    if hint.default:
        assert source == hint.default
        assert f"data: {hint.default}, because --data was not given" in done.stderr
        return
    folder = tmp_path / f"example-{hint.example}"
    assert source.startswith(str(folder))
    assert f"data: generated example in {folder}, because --data was not given" in done.stderr


@_SLOW
def test_runs_in_one_folder_share_the_example_and_compressing_reads_it(tmp_path):
    small.make(tmp_path / "run", "finetune", "tabular", "--smoke", "--run", tmp_path / "run")
    before = small.files(tmp_path / "example-people")
    small.make(tmp_path / "again", "finetune", "tabular", "--smoke", "--run", tmp_path / "again")
    small.make(tmp_path / "less", "compress", tmp_path / "run", "--no-control", "--run", tmp_path / "less")
    assert small.files(tmp_path / "example-people") == before


def test_an_empty_name_is_no_request_for_the_example(tmp_path):
    done = small.invoke("finetune", "tabular", "--smoke", "--data", "", "--run", tmp_path / "run")
    assert done.exit_code == 3
    assert "--data: must be given" in done.stderr
    assert list(tmp_path.iterdir()) == []
