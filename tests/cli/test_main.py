"""The command line as a whole: instant help, exit codes, one form of error."""

from __future__ import annotations

import importlib
import json
import signal
import subprocess
import sys
import time

import click
import pytest
from click.testing import CliRunner

from dltk.base.errors import EnvironmentFault, InputError, LimitError, UsageError
from dltk.cli import options
from dltk.cli.boundary import error_boundary
from dltk.cli.console import Console
from dltk.cli.main import COMMANDS, cli
from dltk.recipe.load import registered


def invoke(*words):
    return CliRunner().invoke(cli, list(words))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    done = invoke(name, "--help")
    assert done.exit_code == 0, done.output
    assert "Example:" in done.output
    assert f"dltk {name}" in done.output.split("Example:")[1]
    assert "--json" in done.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_names_a_command_that_is_there(name):
    module, _, attribute = COMMANDS[name][0].partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)


def test_help_lists_every_command():
    done = invoke("--help")
    assert done.exit_code == 0
    assert all(f"  {name} " in done.output for name in COMMANDS)


def test_an_unknown_command_is_usage_with_a_suggestion():
    done = invoke("fintune", "cnn")
    assert done.exit_code == 2
    assert "Did you mean 'finetune'?" in done.output


def test_an_unknown_option_is_usage():
    assert invoke("recipes", "--jsn").exit_code == 2


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (InputError, 3), (LimitError, 4), (EnvironmentFault, 5)])
def test_the_boundary_gives_message_and_code(error, code, capsys):
    with pytest.raises(click.exceptions.Exit) as caught, error_boundary():
        raise error("here", "must be so", "x", "Do this.")
    assert caught.value.exit_code == code
    assert capsys.readouterr() == ("", "Error: here: must be so; received x. Do this.\n")


def test_what_was_measured_is_printed(capsys):
    with pytest.raises(click.exceptions.Exit), error_boundary():
        raise LimitError("drop", "must be at most 0.01", measured={"drop": 0.02})
    assert '"drop": 0.02' in capsys.readouterr().err
    with pytest.raises(click.exceptions.Exit), error_boundary():
        raise LimitError("loss", "must stay finite", measured=[float("nan")])
    assert "[nan]" in capsys.readouterr().err


def test_an_interrupt_is_130_and_a_fault_of_our_own_passes():
    with pytest.raises(click.exceptions.Exit) as caught, error_boundary():
        raise KeyboardInterrupt
    assert caught.value.exit_code == 130
    with pytest.raises(ZeroDivisionError), error_boundary():
        raise ZeroDivisionError


SLEEPER = """
import pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits SIGINT as ignored
from dltk.cli.commands import recipes
from dltk.cli import main
mark = pathlib.Path(sys.argv[1])
def load(name):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        mark.write_text("cleaned up")
recipes.load = load
sys.argv = ["dltk", "recipes", "cnn"]
main.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_unwind_and_give_their_code(tmp_path, number, code):
    mark = tmp_path / "mark"
    child = subprocess.Popen([sys.executable, "-c", SLEEPER, str(mark)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        assert child.wait(timeout=20) == code
    assert mark.read_text() == "cleaned up"


def test_help_is_instant_and_loads_nothing_heavy():
    code = (
        "import sys; from dltk.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "print({'numpy', 'rich', 'tensorflow', 'keras', 'PIL'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "set()"
    times = []
    for _ in range(3):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dltk.cli.main", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - started)
    assert min(times) < 1.0  # 0.1 s on an idle machine; the rest is for one that is busy


def test_recipes_lists_and_describes():
    listed = json.loads(invoke("recipes", "--json").output)["recipes"]
    assert [row["name"] for row in listed] == list(registered())
    text = invoke("recipes", "cnn").output
    assert "fit.learning_rate" in text
    assert "photos/cat/001.jpg" in text
    found = json.loads(invoke("recipes", "forecast", "--json").output)
    assert found["data"]["default"] == "sine"
    assert {row["key"] for row in found["settings"]} >= {"seed", "data.window", "fit.epochs"}
    assert invoke("recipes", "nope").exit_code == 3


def test_show_prints_json_or_text(capsys):
    options.show({"b": 1, "a": "é"}, "text", True)
    assert capsys.readouterr().out == '{\n  "a": "é",\n  "b": 1\n}\n'
    options.show({"b": 1}, "text", False)
    assert capsys.readouterr().out == "text\n"


@pytest.mark.parametrize("bars", [False, True])
def test_the_console_writes_to_stderr_only(bars, capsys):
    console = Console(bars=bars)
    with console.bar("outer [x]", 2) as outer, console.bar("inner", 1) as inner:
        inner.advance()
        outer.advance(2, "loss 0.1")
        console.log("a line [with] brackets")
    console.warn("careful")
    out, err = capsys.readouterr()
    assert out == ""
    assert "a line [with] brackets" in err
    assert "Warning: careful" in err
