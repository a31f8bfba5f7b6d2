"""Ctrl-C and SIGTERM in work that can be gone on with: the run is kept, and the command that is named goes on."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from click.testing import CliRunner

from dltk import workflows
from dltk.base.errors import InputError
from dltk.cli.main import cli
from kills import stubs

STOPS = [(KeyboardInterrupt(), 130), (SystemExit(143), 143)]


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def told(done):
    """The folder and the words of the command in the last line of stderr."""
    line = done.stderr.splitlines()[-1]
    kept, _, command = line.partition("; resume with: ")
    assert kept.startswith("Kept in "), done.stderr
    assert "half-written" not in done.stderr
    return kept.removeprefix("Kept in "), shlex.split(command)


@pytest.mark.parametrize(("stop", "code"), STOPS)
def test_the_named_command_goes_on_with_the_training(tmp_path, monkeypatch, stop, code):
    stubs.put_in_place(monkeypatch)
    folder, trained = tmp_path / "my runs" / "it's", stubs.Counting.step

    def stopping(self, batch):
        if batch == 4.0:  # the second batch of the third epoch
            raise stop
        return trained(self, batch)

    monkeypatch.setattr(stubs.Counting, "step", stopping)
    words = ("finetune", "cnn", "--run", folder, "--data", "digits", "--set", "fit.epochs=3", "--json")
    done = invoke(*words)
    assert done.exit_code == code, done.output
    path, (program, *again) = told(done)
    assert (path, program) == (str(folder), "dltk")
    assert again == [*map(str, words), "--resume"]
    monkeypatch.setattr(stubs.Counting, "step", trained)
    done = invoke(*again)
    assert done.exit_code == 0, done.output
    assert "resuming after epoch 2" in done.stderr
    whole = stubs.train(tmp_path / "whole")
    assert (folder / "model.keras").read_bytes() == (whole.path / "model.keras").read_bytes()


def test_a_run_without_a_name_of_its_own_is_named(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stubs.Counting, "evaluate", lambda self, epoch: (_ for _ in ()).throw(KeyboardInterrupt))
    path, words = told(invoke("finetune", "--data", "digits", "--", stubs.recipe_file(tmp_path)))
    assert path == "runs/cnn"
    assert words == ["dltk", "finetune", "--data", "digits", "--resume", "--", str(tmp_path / "own.py")]
    path, again = told(invoke(*words[1:]))
    assert (path, again) == ("runs/cnn", words), "--resume is said once"


def test_nothing_is_promised_where_nothing_was_begun(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    monkeypatch.setattr(workflows, "finetune", lambda *given, **named: (_ for _ in ()).throw(KeyboardInterrupt))
    done = invoke("finetune", "cnn", "--data", "digits", "--run", tmp_path / "run")
    assert (done.exit_code, done.stderr) == (130, "Interrupted; no half-written files are left.\n")


@pytest.mark.parametrize(("stop", "code"), STOPS)
def test_a_compression_is_kept_too(tmp_path, monkeypatch, stop, code):
    def begun(run, **named):
        (tmp_path / "run-compressed").mkdir()
        (tmp_path / "run-compressed" / "compress.json").write_text("{}")
        raise stop

    monkeypatch.setattr(workflows, "compress", begun)
    words = ["compress", str(tmp_path / "run"), "--step", "prune:sparsity=0.5,epochs=2"]
    done = invoke(*words)
    assert done.exit_code == code
    assert told(done) == (str(tmp_path / "run-compressed"), ["dltk", *words, "--resume"])


def test_a_resumed_run_refuses_a_recipe_that_was_edited(tmp_path, monkeypatch):
    """The difference is said, the run's own copy stays, and with it the run goes on."""
    stubs.put_in_place(monkeypatch)
    recipe, run = stubs.recipe_file(tmp_path), tmp_path / "run"
    text = recipe.read_text()
    monkeypatch.setattr(stubs.Counting, "done", lambda self, history: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stubs.train(run, recipe=recipe)
    monkeypatch.undo()
    stubs.put_in_place(monkeypatch)
    line = next(line for line in text.splitlines() if "layers.Dense(" in line)
    recipe.write_text(text.replace(line, f'{line}\n    logits = layers.Activation("tanh")(logits)'))
    with pytest.raises(InputError, match=r"another text of the recipe; received @@.*\+.*tanh.*in place of") as caught:
        stubs.train(run, recipe=recipe, resume=True)
    assert caught.value.exit_code == 3
    assert (run / "recipe.py").read_text() == text
    recipe.write_text(text + "\n" * 3)
    with pytest.raises(InputError, match="another text of the recipe"):
        stubs.train(run, recipe=recipe, resume=True)
    assert np.isfinite(stubs.train(run, recipe=run / "recipe.py", resume=True).read_json("metrics")["accuracy"])


def test_a_resumed_run_refuses_another_version_of_a_registered_recipe(tmp_path, monkeypatch):
    stubs.put_in_place(monkeypatch)
    monkeypatch.setattr(stubs.Counting, "done", lambda self, history: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        stubs.train(tmp_path / "run")
    monkeypatch.undo()
    stubs.put_in_place(monkeypatch)
    kept = tmp_path / "run" / "recipe.json"
    found = json.loads(kept.read_text())
    kept.write_text(json.dumps(found | {"source_sha256": "0" * 64}))
    with pytest.raises(InputError, match="another version of the recipe; received cnn"):
        stubs.train(tmp_path / "run", resume=True)
