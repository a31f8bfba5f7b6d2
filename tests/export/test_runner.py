"""run.pyz gives the answers of `dltk predict` where there is no dltk, and refuses what dltk refuses."""

from __future__ import annotations

import ast
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import alone
import killed_publish
import tiny
from dltk.bundle import publish
from dltk.cli.main import cli
from dltk.edge.families import FAMILIES
from dltk.export.runner import RUNNER, runner
from dltk.report.template import PAGE, STYLE

ROOT = Path(__file__).parents[2] / "toolkit" / "dltk"
RUNTIMES = {"tflite": ("ai-edge-litert", "flatbuffers"), "onnx": ("onnxruntime", "flatbuffers", "protobuf")}


def bundle_of(folder, data, file, more=None):
    """A published bundle of one artifact, with its runner and `more` files."""
    sealing = killed_publish.sealing("tiny", data)
    files = {name: value for name, value in sealing.files.items() if name != "model.float32.tflite"}
    files |= {file: data, RUNNER: runner("classification"), **(more or {})}
    publish(replace(sealing, artifacts=[tiny.artifact(file, data)], files=files), folder)
    return folder


@pytest.fixture(scope="module", params=RUNTIMES)
def device(request, tmp_path_factory):
    """(packages of a device, bundle for its runtime): NumPy, Pillow, one runtime, and what that one needs."""
    pytest.importorskip("ai_edge_litert" if request.param == "tflite" else "onnxruntime")
    pytest.importorskip("onnx")
    work = tmp_path_factory.mktemp(request.param)
    site = alone.packages(work / "site", "numpy", "Pillow", *RUNTIMES[request.param])
    make = tiny.tflite if request.param == "tflite" else tiny.onnx
    return site, bundle_of(work / "tiny", make(), f"model.float32.{request.param}")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("photos")
    for number in range(3):  # larger than the model's input: resizing is part of it
        pixels = np.random.default_rng(number).integers(0, 256, (11 + number, 9, 3), np.uint8)
        image.fromarray(pixels).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def predict(*words):
    done = CliRunner().invoke(cli, ["predict", *map(str, words)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_there_is_no_dltk_but_its_own(device, tmp_path):
    script = tmp_path / "try.py"
    for name in ("dltk", "click", "rich", "tensorflow"):
        script.write_text(f"import {name}")
        assert "No module named" in alone.run(device[0], script).stderr


@pytest.mark.parametrize("old", [False, True], ids=["this Python", "as Python 3.9"])
def test_it_prints_what_predict_prints(device, photos, old):
    """To the letter: it is the same code. As 3.9 it also brings its own `zip`, which is what that Python lacks."""
    site, bundle = device
    for words in (photos, [*photos, "--top", 2, "--json"]):
        done = alone.run(site, bundle / RUNNER, *words, old=old)
        assert done.returncode == 0, done.stderr
        told = predict(bundle, *words)
        assert (json.loads(done.stdout)["answers"] if "--json" in words else done.stdout) == (
            json.loads(told)["answers"] if "--json" in words else told
        )


def test_it_takes_tensors(device, tmp_path):
    site, bundle = device
    tensors = np.random.default_rng(0).random((2, *tiny.SIGNATURE.inputs[0].sample_shape), np.float32)
    np.save(tmp_path / "x.npy", tensors)
    done = alone.run(
        site, bundle / RUNNER, "--tensor", f"image={tmp_path / 'x.npy'}", "--json", "--out", tmp_path / "y.npz"
    )
    assert done.returncode == 0, done.stderr
    from dltk.edge import load

    wanted = load(bundle).run({"image": tensors})["logits"]
    assert np.array_equal(np.array(json.loads(done.stdout)["outputs"]["logits"], np.float32), wanted)
    assert np.array_equal(np.load(tmp_path / "y.npz")["logits"], wanted)
    text = alone.run(site, bundle / RUNNER, "--tensor", tmp_path / "x.npy").stdout.splitlines()
    assert (text[0], len(text)) == ("logits", 3)


def test_it_checks_the_golden_samples(device):
    done = alone.run(device[0], device[1] / RUNNER, "--check")
    assert (done.returncode, done.stdout.count("passed")) == (0, 1), done.stderr


def test_a_model_that_answers_otherwise_is_exit_code_4(device, tmp_path):
    site, bundle = device
    if not (bundle / "model.float32.onnx").is_file():
        pytest.skip("one runtime is enough: the model is changed, not how it is run")
    other = bundle_of(tmp_path / "other", tiny.onnx(shift=1.0), "model.float32.onnx")
    done = alone.run(site, other / RUNNER, "--check")
    assert done.returncode == 4
    assert "failed" in done.stdout
    assert "must give its recorded predictions" in done.stderr


@pytest.mark.parametrize("name", ["model", "labels.txt", "golden.npz", RUNNER, "manifest.json"])
def test_each_file_is_held_against_its_hash(device, photos, tmp_path, name):
    site, bundle = device
    copy = shutil.copytree(bundle, tmp_path / "copy")
    path = next(path for path in copy.iterdir() if path.name.startswith(name))
    path.write_bytes(path.read_bytes() + b"\n")
    done = alone.run(site, copy / RUNNER, photos[0])
    assert done.returncode == 3
    assert path.name in done.stderr
    assert not done.stdout
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "INPUT"),
        (["no.png"], 3, "no.png"),
        (["--check", "x.png"], 2, "--check"),
        (["x.png", "--top", "0"], 2, "top"),
        (["x.png", "--artifact", "model.flaot32.tflite"], 3, "model.flaot32.tflite"),
        (["--tensor", "picture=x.npy"], 3, "image"),
        (["--tensor", "x.npy", "--tensor", "x.npy"], 3, "image"),
        (["--tensor", "no.npy"], 3, "no.npy"),
        (["--nothing"], 2, "--nothing"),
    ],
)
def test_it_refuses_in_a_line_and_with_dltks_exit_codes(device, words, code, said):
    done = alone.run(device[0], device[1] / RUNNER, *words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def _started(site, bundle, photo):
    """Names of the top modules that are there once a photo was answered, wherever they come from."""
    code = (
        "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv.pop(0)\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: print(*{name.partition('.')[0] for name in sys.modules})"
    )
    command = [sys.executable, "-I", "-S", "-c", code, site, bundle / RUNNER, photo]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(set(done.stdout.split()[-1000:]) & ({*sys.stdlib_module_names} | {"numpy", "PIL", "dltk"}))


@pytest.mark.parametrize("words", [["-I"], [], ["-E"]], ids=["isolated", "plain", "without the environment"])
def test_what_lies_beside_it_is_no_code(device, photos, tmp_path, words):
    """A file, or a folder, called like any module that is imported; started from that folder, and from another."""
    copy, canary = shutil.copytree(device[1], tmp_path / "copy"), tmp_path / "canary"
    names = _started(*device, photos[0])
    assert {"linecache", "pathlib", "json", "zipfile", "numpy", "dltk", "os", "__future__"} <= set(names)
    mark = f"open({str(canary)!r}, 'a').write(__name__)"
    for number, name in enumerate(sorted({*names, "__main__", "sitecustomize"})):
        if number % 2 or name == "dltk":
            (copy / name).mkdir()
            (copy / name / "__init__.py").write_text(mark)
        else:
            (copy / f"{name}.py").write_text(mark)
    for place, runner_there in ((copy, RUNNER), (tmp_path, copy / RUNNER)):
        for given in (["--help"], [photos[0]]):
            command = [sys.executable, *words, runner_there, *given]
            done = subprocess.run(command, capture_output=True, text=True, cwd=place)
            assert not canary.exists(), canary.read_text()
            assert done.returncode == (0 if given == ["--help"] else 3), done.stderr
    assert "is not listed in the manifest" in done.stderr


def test_nor_is_what_the_manifest_lists_and_python_is_led_to(device, photos, tmp_path):
    """Files of a sealed bundle that are called like modules, in a folder that PYTHONPATH names."""
    canary, (model,) = tmp_path / "canary", [path for path in device[1].iterdir() if path.name.startswith("model")]
    mark = f"open({str(canary)!r}, 'a').write(__name__)".encode()
    more = {f"{name}.py": mark for name in ("numpy", "argparse", "tempfile", "dltk", "PIL")}
    bundle = bundle_of(tmp_path / "bundle", model.read_bytes(), model.name, more)
    environment = {**os.environ, "PYTHONPATH": str(bundle)}
    done = subprocess.run(
        [sys.executable, RUNNER, photos[0]], capture_output=True, text=True, cwd=bundle, env=environment
    )
    assert not canary.exists(), canary.read_text()
    assert done.stdout == predict(bundle, photos[0]), done.stderr


def test_what_is_missing_is_named(device, photos, tmp_path):
    site = alone.packages(tmp_path / "bare", "numpy", "Pillow")
    done = alone.run(site, device[1] / RUNNER, photos[0])
    assert (done.returncode, "pip install" in done.stderr, "dltk[" in done.stderr) == (5, True, False)
    (tmp_path / "empty").mkdir()
    done = alone.run(tmp_path / "empty", device[1] / RUNNER, photos[0])
    assert (done.returncode, "pip install numpy" in done.stderr) == (5, True)


def carried(family):
    """Module name -> source, that of the archive's own start among them."""
    with zipfile.ZipFile(io.BytesIO(runner(family))) as archive:
        assert archive.namelist() == ["__main__.py", "modules.json"]
        return {**json.loads(archive.read("modules.json")), "__main__": archive.read("__main__.py").decode()}


@pytest.mark.parametrize("family", FAMILIES)
def test_it_carries_all_that_each_family_imports(family, tmp_path):
    """Imports that stand in functions too: each carried module is imported, and nothing else of dltk is."""
    (tmp_path / RUNNER).write_bytes(runner(family))
    modules = set(carried(family)) - {"__main__"}
    code = (
        f"import runpy, sys; found = runpy.run_path({str(tmp_path / RUNNER)!r}, run_name='carried')\n"
        "sys.meta_path.insert(0, found['Carried']())\n"
        "from importlib import import_module\n"
        f"[import_module(name) for name in {sorted(modules)!r}]\n"
        "from dltk.edge.families import family\n"
        f"print(family({family!r}).name)\n"
        f"assert {{name for name in sys.modules if name.partition('.')[0] == 'dltk'}} == {modules!r}"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == family


def test_its_modules_are_those_of_dltk_and_few_bytes():
    import dltk

    toolkit = Path(dltk.__file__).parents[1]
    for family in FAMILIES:
        files = carried(family)
        assert len(runner(family)) < 110_000
        for name in set(files) - {"__main__"}:
            path = toolkit / name.replace(".", "/")
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            assert files[name] == file.read_text(encoding="utf-8")


def test_equal_versions_give_equal_files():
    assert runner("classification") == runner("classification")


def test_python_3_9_reads_it(tmp_path):
    """`zip(strict=True)` it brings for itself."""
    pytest.importorskip("vermin")
    for family in FAMILIES:
        for name, source in carried(family).items():
            (tmp_path / f"{name}.py").write_text(source)
    tool = Path(sys.executable).with_name("vermin")
    command = [tool, "-t=3.9-", "--no-tips", "--violations", "--exclude", "zip(strict)", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_zip_of_python_3_9_learns_to_be_strict(tmp_path):
    (tmp_path / RUNNER).write_bytes(runner("classification"))
    kept = list(sys.path)
    try:
        strict = runpy.run_path(str(tmp_path / RUNNER), run_name="carried")["StrictZip"]
    finally:
        sys.path[:] = kept
    assert list(strict("ab", [1, 2, 3])) == [("a", 1), ("b", 2)]
    assert list(strict(iter("ab"), iter([1, 2]), strict=True)) == [("a", 1), ("b", 2)]
    with pytest.raises(ValueError, match="the same length"):
        strict("ab", [1, 2, 3], strict=True)


def test_no_alias_of_types_is_made_with_a_bar():
    """Python 3.9 runs such a line, unlike an annotation, and has no `|` between types; vermin does not see it."""
    types = {"str", "int", "float", "bytes", "None", "Path", "NDArray", "dict", "list", "tuple", "IO"}
    for path in [*(ROOT / "base").rglob("*.py"), *(ROOT / "edge").rglob("*.py")]:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign):
                bars = [
                    each
                    for each in ast.walk(node.value)
                    if isinstance(each, ast.BinOp) and isinstance(each.op, ast.BitOr)
                ]
                names = {each.id for bar in bars for each in ast.walk(bar) if isinstance(each, ast.Name)}
                assert not names & types, f"{path}, line {node.lineno}: write Union[...]"


@pytest.mark.parametrize("family", FAMILIES)
def test_what_every_bundle_carries_stays_small(family):
    """The runner, and of `report.html` what no model changes; the model card and the licenses are under 2 KB."""
    assert len(runner(family)) + len((PAGE + STYLE).encode()) + 2_000 < 120_000
