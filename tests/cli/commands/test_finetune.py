"""`dltk finetune`: the whole way at smoke size, refusal, resume, and what goes wrong before anything is trained."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner

from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.cli.main import cli
from dltk.edge.families import family
from dltk.run import Run
from dltk.workflows import finetune

# NumPy 2 deprecates how TensorFlow and Keras hand arrays over; it is theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:In the future `np.object` will be defined:FutureWarning"),
]


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "cnn"
    done = invoke("finetune", "cnn", "--data", "digits", "--smoke", "--run", folder, "--set", "seed=1")
    assert done.exit_code == 0, done.output
    return folder, done


def test_a_run_holds_all_that_export_needs(made):
    folder, done = made
    assert f"dltk compress {folder}" in done.stdout
    assert "accuracy" in done.stdout
    run = Run.open(folder)
    assert run.settings().seed == 1
    assert run.settings().fit.epochs == run.recipe.smoke["fit.epochs"]
    assert run.data_source == "digits"
    assert run.signature.labels == tuple("0123456789")
    assert run.signature.postprocess[-1]["temperature"] != 1.0
    raws, targets = run.evaluation()
    assert raws.shape == (len(targets), 16, 16, 3)
    with run.history_path.open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == [str(number) for number in range(run.settings().fit.epochs + 1)]
    kept = run.read_json("metrics")["kept"]
    best = max(rows, key=lambda row: (float(row["validation_accuracy"]), -float(row["validation_loss"])))
    assert (kept["phase"], str(kept["epoch"])) == (best["phase"], best["epoch"])
    assert f"kept: epoch {kept['epoch']} of 5 in fit" in done.stderr
    assert not list(folder.rglob(".dltk-*"))


def test_the_model_gives_the_accuracy_that_the_metrics_say(made):
    import keras

    run = Run.open(made[0])
    model = keras.saving.load_model(run.model_path)
    assert [tensor.name for tensor in model.inputs] == ["image"]
    raws, targets = run.evaluation()
    outputs = np.asarray(model(family("classification").tensors(raws, run.signature)["image"], training=False))
    accuracy = (outputs.argmax(-1) == targets).mean()
    assert accuracy == pytest.approx(run.read_json("metrics")["accuracy"], abs=1e-9)
    assert accuracy > 0.5  # chance is 0.1; 0.8 is usual: it did learn


def test_equal_runs_are_equal_to_the_bit(made, tmp_path):
    again = finetune("cnn", data="digits", smoke=True, run=tmp_path / "again", set=["seed=1"])
    for name in ("signature.json", "evaluation.npz", "metrics.json", "recipe.json", "data.json", "model.keras"):
        assert (again.path / name).read_bytes() == (made[0] / name).read_bytes(), name


def test_the_model_file_tells_no_time(made):
    with zipfile.ZipFile(made[0] / "model.keras") as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == ""


def test_json_goes_to_stdout_alone(made):
    words = ("--data", "digits", "--smoke", "--run", made[0], "--set", "seed=1", "--resume", "--json")
    done = invoke("finetune", "cnn", *words)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["metrics"]["accuracy"] > 0
    assert "is finished already" in done.stderr


def test_a_run_is_never_overwritten(made):
    before = (made[0] / "model.keras").stat().st_mtime_ns
    done = invoke("finetune", "cnn", "--data", "digits", "--smoke", "--run", made[0])
    assert done.exit_code == 3
    assert "never overwritten" in done.stderr
    assert (made[0] / "model.keras").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "seed=2"), "seed=2 where the run has 1"),
        (("--set", "seed=1", "--data", "fashion-mnist"), "was made with the data digits"),
    ],
)
def test_resume_refuses_another_command(made, words, message):
    done = invoke("finetune", "cnn", "--smoke", "--run", made[0], "--resume", *words)
    assert done.exit_code == 3
    assert message in done.stderr


def test_resume_goes_on_from_the_checkpoint(made, tmp_path):
    """What an interruption after the first epoch leaves, finished: the very same model."""
    folder = tmp_path / "run"

    class Stop(Silent):
        def bar(self, label, total):
            if label.startswith("fit 3/"):
                raise KeyboardInterrupt
            return super().bar(label, total)

    with pytest.raises(KeyboardInterrupt):
        finetune("cnn", data="digits", smoke=True, run=folder, set=["seed=1"], progress=Stop())
    with pytest.raises(InputError, match="was not finished"):
        Run.open(folder)
    progress = Silent()
    finetune("cnn", data="digits", smoke=True, run=folder, set=["seed=1"], resume=True, progress=progress)
    assert "fit: resuming after epoch 2 of 5" in progress.said
    for name in ("model.keras", "metrics.json", "evaluation.npz"):
        assert (folder / name).read_bytes() == (made[0] / name).read_bytes(), name


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("cn", "--data", "digits"), 3, "Did you mean 'cnn'?"),
        (("cnn",), 3, "--data: must be given"),
        (("cnn", "--data", "no/such/folder"), 3, "no/such/folder"),
        (("cnn", "--data", "digits", "--set", "fit.epoch=3"), 3, "Did you mean"),
        (("cnn", "--data", "digits", "--set", "fit.epochs"), 3, "must be KEY=VALUE"),
        (("./none.py", "--data", "digits"), 3, "none.py: the file must exist"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(tmp_path, words, code, message):
    done = invoke("finetune", *words, "--run", tmp_path / "run")
    assert done.exit_code == code
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_keras_backend_is_an_environment_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    done = invoke("finetune", "cnn", "--data", "digits", "--smoke", "--run", tmp_path / "run")
    assert done.exit_code == 5
    assert "must be tensorflow" in done.stderr


@pytest.mark.parametrize(("recipe", "words"), [("forecast", ()), ("gan", ("--data", "digits"))])
def test_other_tasks_go_the_same_way(tmp_path, recipe, words):
    done = invoke("finetune", recipe, *words, "--smoke", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    run = Run.open(tmp_path / "run")
    raws, _ = run.evaluation()
    (name,) = family(run.signature.family).tensors(raws[:2], run.signature)
    assert name == run.signature.inputs[0].name
    assert run.signature.task == run.recipe.task


def test_a_backbone_in_two_phases(tmp_path):
    done = invoke("finetune", "image-classification", "--data", "digits", "--smoke", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    with (tmp_path / "run" / "history.csv").open() as stream:
        assert [row["phase"] for row in csv.DictReader(stream)] == ["head", "head", "tune", "tune"]
    kept = Run.open(tmp_path / "run").read_json("metrics")["kept"]
    assert (
        f"Weights kept: {'epoch 1 of 1 in' if kept['epoch'] else 'the weights at the start of'} {kept['phase']}"
        in done.stdout
    )
    assert "random weights" in Run.open(tmp_path / "run").read_json("notes")["weights"]


def test_a_recipe_file_of_ones_own(tmp_path):
    from dltk.recipe.load import read

    (tmp_path / "own.py").write_text(read("forecast").source)
    run = finetune(tmp_path / "own.py", smoke=True, run=tmp_path / "run")
    shutil.move(run.path, tmp_path / "moved")
    (tmp_path / "own.py").unlink()
    assert Run.open(tmp_path / "moved").settings().data.window == 12
