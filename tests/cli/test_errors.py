"""Under --json an error is one JSON document on stdout, whatever the command and whatever went wrong."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from dltk.base.errors import EnvironmentFault, InputError, LimitError, UsageError, unknown_name_hint
from dltk.cli.boundary import Unmet
from dltk.cli.main import COMMANDS, cli

FIELDS = {"error", "where", "hint", "code"}

# What each command takes to get as far as its own work.
WORDS = {
    "recipes": (),
    "inspect": ("x",),
    "backbones": (),
    "doctor": (),
    "finetune": ("cnn",),
    "adopt": ("m.keras", "--recipe", "cnn"),
    "compress": ("runs/x",),
    "export": ("runs/x",),
    "validate": ("b",),
    "predict": ("b", "x"),
    "bench": ("b",),
    "report": ("b",),
    "cache": (),
}


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def document(done):
    """The one document on stdout, with the fields of an error that says the same as the exit code."""
    found = json.loads(done.stdout_bytes.decode("utf-8"))
    assert found.keys() >= FIELDS
    assert found["code"] == done.exit_code
    assert all(isinstance(found[name], str) for name in ("error", "where", "hint"))
    assert found["error"]
    assert found["where"]
    return found


def raising(monkeypatch, name, fault):
    """Let the command `name` raise `fault` instead of doing its work."""
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)

    def callback(*given, **named):
        raise fault

    monkeypatch.setattr(command, "callback", callback)


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_told_in_json(name):
    done = invoke(name, *WORDS[name], "--json", "--no-such-option")
    assert document(done) == document(done) | {"where": "--no-such-option", "code": 2}


@pytest.mark.parametrize("name", COMMANDS)
def test_too_many_words_or_too_few_are_told_in_json(name):
    assert document(invoke(name, "--json", *(["a", "b", "c"] if name != "predict" else [])))["code"] == 2


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (UsageError("--x", "must be", 1), 2),
        (InputError("a/b", "must be so", "\udcff\x1b", "Do this."), 3),
        (LimitError("drop", "must be at most 0.01", 0.02, measured={"drop": float("nan"), "rows": [1.5]}), 4),
        (EnvironmentFault("tensorflow", "must be installed"), 5),
        (OSError(28, "No space left on device", "x"), 5),
        (KeyboardInterrupt(), 130),
        (SystemExit(143), 143),
        (ZeroDivisionError("division by zero"), 1),
    ],
)  # fmt: skip
def test_every_kind_of_error_is_told_in_json(monkeypatch, name, fault, code):
    raising(monkeypatch, name, fault)
    done = invoke(name, *WORDS[name], "--json")
    assert done.exit_code == code
    found = document(done)
    if isinstance(fault, LimitError):
        assert found["measured"] == {"drop": "nan", "rows": [1.5]}
    if code == 1:
        assert found["error"] == "ZeroDivisionError: division by zero"
        assert isinstance(done.exception, ZeroDivisionError)  # it goes on, and Python prints the traceback


@pytest.mark.parametrize("name", COMMANDS)
def test_without_json_stdout_stays_empty(monkeypatch, name):
    raising(monkeypatch, name, InputError("a/b", "must be so", 1, "Do this."))
    done = invoke(name, *WORDS[name])
    assert (done.stdout, done.stderr) == ("", "Error: a/b: must be so; received 1. Do this.\n")


def test_what_a_command_found_all_the_same_is_in_the_same_document(monkeypatch):
    fault = Unmet(LimitError("b", "must pass", measured=1), {"artifacts": [{"status": "failed"}]}, "a table")
    raising(monkeypatch, "validate", fault)
    found = document(invoke("validate", "b", "--json"))
    assert found == {
        "artifacts": [{"status": "failed"}], "error": "must pass", "where": "b", "hint": "", "code": 4
    }  # fmt: skip
    done = invoke("validate", "b")
    assert (done.stdout, done.stderr) == ("a table\n", "Error: b: must pass.\n")


@pytest.mark.parametrize(
    "words", [("--json", "finetune"), ("fintune", "--json"), ("--nope", "--json"), ("x", "--json")]
)
def test_before_any_command_is_known(words):
    assert document(invoke(*words))["code"] == 2


def test_json_behind_two_dashes_is_no_option():
    assert invoke("predict", "none", "--", "--json").stdout == ""


def test_names_that_are_not_utf_8(tmp_path):
    """Of files, and in a terminal that is not UTF-8 either."""
    words = [sys.executable, "-m", "dltk.cli.main"]
    name = os.fsencode(tmp_path) + b"/caf\xe9 \xff"
    for command in ([b"validate", name], [b"export", name], [b"report", name], [b"predict", name, b"x"]):
        done = subprocess.run(
            [*words, *command, b"--json"], capture_output=True, env=os.environ | {"PYTHONIOENCODING": "latin-1"}
        )
        found = json.loads(done.stdout.decode("utf-8"))
        assert (done.returncode, found["code"]) == (3, 3), done.stderr
        assert "caf" in found["where"]


WAITING = """
import sys
import dltk.cli.main as main, dltk.base.cache.contents as cache
def list_cache():
    print("ready", file=sys.stderr, flush=True)
    while True:
        pass
cache.list_cache = list_cache
sys.argv = ["dltk", "cache", "--json"]
main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_told_in_json(number, code):
    child = subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{WAITING}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stderr.readline() == "ready\n"
        child.send_signal(number)
        told, _ = child.communicate(timeout=20)
    assert (child.returncode, json.loads(told)["code"]) == (code, code)


# What was typed -> what to type instead: each of these words must be in the hint, and the command must take it.
MEANT = [
    (("finetune", "cnn", "--epochs", "3"), ("--set", "fit.epochs=3")),
    (("finetune", "image-classification", "--epochs=3"), ("--set", "tune.epochs=3")),
    (("finetune", "--epochs", "3", "image-classification"), ("--set", "head.epochs=3")),
    (("finetune", "forecast", "--lr", "0.1"), ("--set", "fit.learning_rate=0.1")),
    (("finetune", "cnn", "--learning-rate", "1e-3"), ("--set", "fit.learning_rate=1e-3")),
    (("finetune", "cnn", "--batch-size", "8"), ("--set", "fit.batch_size=8")),
    (("finetune", "cnn", "--batch_sise", "8"), ("--set", "fit.batch_size=8")),
    (("finetune", "cnn", "--img-size", "64"), ("--set", "data.size=64")),
    (("finetune", "image-classification", "--model", "resnet50"), ("--set", "model.backbone=resnet50")),
    (("finetune", "segmentation", "--backbone", "resnet50"), ("--set", "model.backbone=resnet50")),
    (("finetune", "tabular", "--seed", "-1"), ("--set", "seed=-1")),
    (("finetune", "tabular", "--seed"), ("--set", "seed=0")),
    (("finetune", "cnn", "--flip"), ("--set", "augment.flip=true")),
    (("finetune", "cnn", "--no-flip"), ("--set", "augment.flip=false")),
    (("finetune", "gan", "--loss", "wgan-gp"), ("--set", "adversarial.loss=wgan-gp")),
    (("adopt", "m.keras", "--recipe", "cnn", "--range", "0..1"), ("--set", "input.range=0..1")),
    (("adopt", "m.keras", "--recipe=cnn", "--size", "32"), ("--set", "data.size=32")),
    (("compress", "runs/x", "--sparsity", "0.5"), ("--step", "prune:sparsity=0.5")),
    (("export", "runs/x", "--cosine", "0.9"), ("--gate", "cosine=0.9")),
    (("export", "runs/x", "--output", "y"), ("--out",)),
    (("compress", "runs/x", "--output", "y"), ("--run",)),
    (("finetune", "cnn", "--smokes"), ("--smoke",)),
    (("finetune", "cnn", "photos"), ("--data", "photos")),
    (("finetune", "cnn", "fit.epochs=3"), ("--set", "fit.epochs=3")),
]


@pytest.mark.parametrize(("typed", "meant"), MEANT)
def test_an_unknown_option_names_what_was_meant(typed, meant):
    done = invoke(*typed)
    assert done.exit_code == 2
    said = done.stderr.replace("'", "").replace("--step prune:", "--step  prune:")
    assert " ".join(meant).replace("--step prune", "--step  prune") in said
    if meant[0] in ("--set", "--step", "--gate") and "-1" not in typed:
        # The advice is taken: whatever is refused then, it is neither the option nor the setting.
        again = invoke(*typed[: 2 if typed[0] != "adopt" else 4], *meant, "--json")
        where = json.loads(again.stdout)["where"]
        assert not where.startswith(("setting", "--set", "--step", "--gate")), again.stdout


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("finetne", "finetune"), ("train", "finetune"), ("quantize", "compress"), ("exprot", "export")],
)
def test_a_misspelt_command_names_the_one_that_was_meant(typed, meant):
    done = invoke(typed, "x")
    assert done.exit_code == 2
    assert f"Did you mean {meant!r}?" in done.stderr


def test_an_option_before_its_command_is_told_where_it_goes():
    assert "Give it after the command: dltk finetune ... --json." in invoke("--json", "finetune", "cnn").stderr
    assert "dltk predict ... --top." in invoke("--top", "3", "predict", "b", "x.jpg").stderr
    assert "after the command" not in invoke("--top", "3", "finetune", "cnn").stderr  # which has no --top


def test_what_is_missing_is_listed():
    assert "cnn" in invoke("finetune").stderr
    said = invoke("adopt", "model.keras", "--data", "digits").stderr
    assert "--recipe: must be given. Known: " in said
    assert "image-classification" in said
    assert "control" not in said  # whose models cannot be adopted


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("finetune", "cnn", "--set", "fit.epoch=3"), "'fit.epochs'"),
        (("finetune", "cnn", "--set", "epochs=3"), "'fit.epochs'"),
        (("finetune", "image-classification", "--set", "tune.epoch=3"), "Did you mean 'tune.epochs'?"),
        (("finetune", "image-classification", "--set", "head.lr=3"), "Did you mean 'head.learning_rate'?"),
        (("finetune", "image-classification", "--set", "head.size=3"), "Did you mean 'data.size'?"),
        (("finetune", "image-classification", "--set", "lr=3"), "'head.learning_rate' or 'tune.learning_rate'"),
        (("finetune", "cnn", "--set", "fit.epochs"), "--set fit.epochs=45"),
        (("adopt", "m", "--recipe", "cnn", "--set", "input.rnge=0..1"), "'input.range'"),
        (("adopt", "m", "--recipe", "cnn", "--set", "input.range=0-1"), "setting input.range"),
        (("compress", "runs/x", "--step", "prune:sparsty=0.5"), "'sparsity'"),
        (("export", "runs/x", "--gate", "drop"), "--gate drop=0.02"),
    ],
)
def test_a_hint_gives_the_whole_name_of_a_setting(words, hint):
    assert hint in invoke(*words).stderr


def test_a_name_that_must_be_there_is_not_turned_around():
    """Which of the two is misspelt cannot be known: the hint names both, and does not offer the wrong one as right."""
    said = unknown_name_hint("label", ["path", "Lable"])
    assert said == "The nearest is 'Lable': both must have the same name."
    assert unknown_name_hint("label", ["x"]) == ""


def test_usage_is_said_in_the_one_form():
    done = invoke("bench", "b", "--threads", "0")
    assert isinstance(done.exception, SystemExit | click.exceptions.Exit)
    assert done.stderr.splitlines()[-1].startswith("Error: --threads: 0 is not in the range")
