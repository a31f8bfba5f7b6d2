"""What stands in files reaches no terminal raw: not as text, not as JSON, not as progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from click.testing import CliRunner

import small
import tiny
from dltk.base.terminal import escape_control_characters, json_text, one_line
from dltk.cli.console import Console
from dltk.cli.main import cli
from dltk.export.runner import RUNNER, runner

STEERS = ["\x1b]0;owned\x07", "\x9b31m", "\x07", "\x7f", "\r", "\b", "\u202e", "\u2066", "\u2028", "\udc9b", "\x00"]
STAYS = "größe \u4f60\u597d \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \U0001f469\u200d\U0001f52c a\u3000b\tc\nd"


@pytest.mark.parametrize("text", STEERS)
def test_what_steers_is_escaped_and_stays_equal_as_json(text):
    assert escape_control_characters(f"a{text}b").isprintable()
    found = json_text({"label": f"a{text}b"})
    assert found.replace("\n", "").isprintable()
    assert json.loads(found) == {"label": f"a{text}b"}
    found.encode()


def test_letters_of_any_language_stay():
    assert escape_control_characters(STAYS) == STAYS
    assert json.loads(json_text([STAYS])) == [STAYS]
    assert json_text({"b": 1, "a": [1.5]}) == '{\n  "a": [\n    1.5\n  ],\n  "b": 1\n}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))


def test_labels_and_file_names_are_shown_and_steer_nothing(tmp_path):
    """Of a bundle, by predict and by run.pyz, for a person and as JSON; the picture's name is no UTF-8."""
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    labels = ("\x1b]0;owned\x07", "dog\x9b2J", "\u202eowl")
    signature = replace(tiny.SIGNATURE, labels=labels)
    models, more = {"model.float32.onnx": tiny.onnx()}, {RUNNER: runner("classification")}
    tiny.write_bundle(tmp_path / "b", models, signature=signature, more=more)
    photo = os.fsencode(tmp_path) + b"/\xff\x1b[2J.png"
    with open(photo, "wb") as stream:
        image.new("RGB", (4, 4), "red").save(stream, "PNG")
    for command in (
        [sys.executable, "-m", "dltk.cli.main", "predict", str(tmp_path / "b")],
        [sys.executable, "-I", str(tmp_path / "b" / RUNNER)],
    ):
        for more_words in ([], ["--json"]):
            done = subprocess.run(
                [*command, photo, *more_words], capture_output=True, env=small.environment(), check=False
            )
            assert done.returncode == 0, done.stderr
            text = done.stdout.decode()
            assert text.replace("\n", "").isprintable()
            if more_words:
                (row,) = json.loads(text)["answers"]
                assert {each["label"] for each in row["answer"]} == set(labels)
                assert os.fsencode(row["input"]) == photo


def test_a_label_or_a_name_adds_no_line(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    signature = replace(tiny.SIGNATURE, labels=("cat\nError: 1", "dog\r\n2", "owl\t3"))
    tiny.write_bundle(tmp_path / "b", {"model.float32.onnx": tiny.onnx()}, signature=signature)
    image.new("RGB", (4, 4), "red").save(tmp_path / "a\nb.png", "PNG")
    done = small.invoke("predict", tmp_path / "b", tmp_path / "a\nb.png")
    assert done.exit_code == 0, done.output
    name, *lines = done.stdout.splitlines()
    assert name.endswith("a\\nb.png")
    assert {line[9:] for line in lines} == {"cat\\nError: 1", "dog\\r\\n2", "owl\\t3"}
    assert one_line(STAYS).count("\n") == 0


@pytest.mark.parametrize("setting", ["PYTHONIOENCODING=ascii", "PYTHONIOENCODING=latin-1", "LC_ALL=C"])
def test_a_terminal_without_utf_8_gets_escapes(tmp_path, setting):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    signature = replace(tiny.SIGNATURE, labels=("größe", "\u4f60", "\U0001f469"))
    tiny.write_bundle(tmp_path / "b", {"model.float32.onnx": tiny.onnx()}, signature=signature)
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (4, 4), "red").save(tmp_path / "a.png", "PNG")
    name, _, value = setting.partition("=")
    plainly = {name: value, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (["backbones"], ["predict", "b", "a.png"], ["predict", "b", "a.png", "--json"]):
        command = [sys.executable, "-m", "dltk.cli.main", *words]
        done = subprocess.run(command, capture_output=True, env=small.environment(**plainly), cwd=tmp_path, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode("utf-8" if "--json" in words else "latin-1")
        if words[0] == "predict" and "--json" not in words:
            assert "\\u4f60" in text
            assert "\\U0001f469" in text


def test_progress_and_errors_of_the_command_line_too(capsys):
    console = Console(bars=False)
    console.log("a\x1b[2Jb")
    console.warn("a\x9bb")
    assert capsys.readouterr().err == "a\\x1b[2Jb\nWarning: a\\x9bb\n"
    done = CliRunner().invoke(cli, ["predict", "--\x1b[2J"])
    assert done.exit_code == 2
    assert "\x1b" not in done.stderr
