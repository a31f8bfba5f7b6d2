"""The light commands: `predict`, `validate`, `bench`, `doctor`."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import tiny
from dltk.base.install import pip_extra
from dltk.cli.commands.doctor import _PACKAGES
from dltk.cli.main import cli
from dltk.edge.runtime.worker import BLOCKED


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    tiny.write_bundle(folder, {"model.float32.tflite": tiny.tflite(), "model.float32.onnx": tiny.onnx()})
    return folder


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path_factory.mktemp("photos") / "rose.png"
    image.fromarray(tiny.raws(1)[0]).save(path)
    return path


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_predict_prints_labels(bundle, photo):
    done = run("predict", bundle, photo, photo, "--top", 2)
    assert done.exit_code == 0
    assert sum(any(label in line for label in tiny.LABELS) for line in done.stdout.splitlines()) == 4


@pytest.mark.parametrize("runtime", ["tflite", "onnx"])
def test_predict_as_json(bundle, photo, runtime):
    done = run("predict", bundle, photo, "--runtime", runtime, "--json")
    found = json.loads(done.stdout)
    assert found["artifact"].endswith(runtime)
    assert {entry["label"] for entry in found["answers"][0]["answer"]} == set(tiny.LABELS)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing", "x.png"], 3, "dltk export"),
        (["BUNDLE", "nothing.png"], 3, "nothing.png"),
        (["BUNDLE", "PHOTO", "--runtime", "tensorrt"], 2, "tflite"),
        (["BUNDLE", "PHOTO", "--artifact", "model.float32.tflit"], 3, "Did you mean"),
        (["BUNDLE", "PHOTO", "--top", "0"], 2, "--top"),
        (["BUNDLE", "PHOTO", "--out", "answer.png"], 2, "--out"),
        (["BUNDLE"], 2, "INPUT"),
        (["BUNDLE", "PHOTO", "--env", "CartPole-v1"], 2, "INPUT"),
        (["BUNDLE", "--env", "CartPole-v1"], 2, "--env: needs the bundle of a policy"),
        (["BUNDLE", "--env", "CartPole-v1", "--out", "x.png"], 2, "--out: writes predictions"),
        (["BUNDLE", "PHOTO", "--episodes", "3"], 2, "--episodes, --seed: need --env"),
    ],
)
def test_predict_refuses(bundle, photo, words, code, said):
    done = run("predict", *({"BUNDLE": bundle, "PHOTO": photo}.get(word, word) for word in words))
    assert done.exit_code == code
    assert said in done.stderr
    assert not done.stdout


def test_validate_passes_a_sound_bundle(bundle):
    done = run("validate", bundle)
    assert done.exit_code == 0
    assert done.stdout.count("passed") == 2
    assert json.loads(run("validate", bundle, "--json").stdout)["passed"] is True


def test_validate_shows_everything_and_then_fails(models_that_differ):
    done = run("validate", models_that_differ)
    assert done.exit_code == 4
    assert "failed" in done.stdout
    assert "passed" in done.stdout
    assert "model.float32.onnx" in done.stderr
    assert json.loads(run("validate", models_that_differ, "--json").stdout)["passed"] is False


@pytest.fixture
def models_that_differ(bundle, tmp_path):
    tiny.write_bundle(
        tmp_path / "b", {"model.float32.tflite": tiny.tflite(), "model.float32.onnx": tiny.onnx(shift=1.0)}
    )
    return tmp_path / "b"


def test_validate_names_a_damaged_file(bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "labels.txt").write_text("cat\ndog\nowk\n")
    done = run("validate", copy)
    assert done.exit_code == 3
    assert "labels.txt" in done.stderr


def test_validate_tells_what_it_left_out_of_the_data(bundle, tmp_path):
    image = pytest.importorskip("PIL.Image")
    (tmp_path / "owl").mkdir()
    for number, sample in enumerate(tiny.raws(30)):
        image.fromarray(sample).save(tmp_path / "owl" / f"{number}.png")
    (tmp_path / "owl" / "bad.png").write_bytes(b"x")
    (tmp_path / "owl" / "notes.txt").write_text("x")
    done = run("validate", bundle, "--data", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.count("on 30 samples") == 2
    assert done.stdout.splitlines()[-2] == "ignored, not an image: 1 file: owl/notes.txt"
    assert done.stdout.splitlines()[-1].startswith("skipped 1 of 31 files that cannot be read: owl/bad.png: must be")
    data = json.loads(run("validate", bundle, "--data", tmp_path, "--json").stdout)["data"]
    assert (data["samples"], [entry["name"] for entry in data["skipped"]]) == (30, ["owl/bad.png", "owl/notes.txt"])


def test_bench_measures(bundle):
    done = run("bench", bundle, "--artifact", "model.float32.tflite", "--json")
    (found,) = json.loads(done.stdout)["artifacts"]
    assert found["p50_ms"] > 0
    text = run("bench", bundle, "--artifact", "model.float32.onnx", "--threads", 2).stdout
    assert "p50" in text
    assert "2 thread(s)" in text


def test_doctor_knows_what_is_here(monkeypatch, tmp_path):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))
    (tmp_path / "dltk-cache").mkdir()
    (tmp_path / "dltk-cache" / "file").write_bytes(b"x" * 1000)
    found = json.loads(run("doctor", "--json").stdout)
    assert found["cache"] == {"path": str(tmp_path / "dltk-cache"), "bytes": 1000}
    assert found["packages"]["numpy"]
    assert found["machine"]["cpu"] in run("doctor").stdout


def test_doctor_names_every_package_of_every_extra():
    """Developers' own only where they are installed."""
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[3] / "setup.cfg")
    extras = {"": setup["options"]["install_requires"], **setup["options.extras_require"]}
    wanted = {extra: set(re.findall(r"^[\w-]+", text.strip(), re.MULTILINE)) for extra, text in extras.items()}
    assert {extra: set(names) for extra, names in _PACKAGES.items()} == wanted
    found = json.loads(run("doctor", "--json").stdout)
    assert {"onnxslim", "optuna"} <= set(found["packages"])
    assert not {"dev", "demo"} & set(found["missing"])


def test_doctor_says_how_to_get_what_is_missing(monkeypatch):
    monkeypatch.setattr("dltk.cli.commands.doctor._version", lambda name: None if name == "onnxruntime" else "1")
    done = run("doctor")
    assert pip_extra("onnx") in done.stdout
    assert pip_extra("tflite") not in done.stdout


_LIGHT = """
import sys
from dltk.cli.main import cli
try:
    cli(sys.argv[1:])
except SystemExit as end:
    assert not end.code, end.code
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("command", ["predict", "validate", "bench", "doctor"])
def test_light_commands_import_nothing_heavy(bundle, photo, command):
    words = {"predict": [bundle, photo], "bench": [bundle, "--artifact", "model.float32.tflite"], "validate": [bundle]}
    program = [sys.executable, "-c", _LIGHT, command, *words.get(command, [])]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not {*BLOCKED, "scipy", "rich"} & loaded
