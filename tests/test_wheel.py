"""The wheel of `make wheel` is all that a device needs: by the page's own commands, and by the hints that it gives."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from hints import COMMAND

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "exported" / "digits"
PAGE = ROOT / "docs" / "how-to" / "device.md"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built as a user does; skipped where setuptools, which builds it, cannot be had."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path_factory.mktemp("dist")
    look = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder / "look", "setuptools>=77"]
    if subprocess.run(look, capture_output=True, check=False).returncode:
        pytest.skip("no package index is within reach")
    subprocess.run(["make", "-s", "-C", ROOT, "wheel", f"DIST={folder}"], check=True, capture_output=True, timeout=240)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def device(wheel, tmp_path_factory):
    """A shell in the home folder of an empty device: dltk from the wheel, no runtime yet."""
    home = tmp_path_factory.mktemp("device")
    uv = shutil.which("uv")
    make = [uv, "venv", "-q", "--seed", "--python"] if uv else [sys.executable, "-m", "venv"]
    subprocess.run([*make, *([sys.executable] if uv else []), home / ".venv"], check=True)
    shutil.copy2(wheel, home)
    shutil.copytree(DIGITS, home / "digits", ignore=shutil.ignore_patterns("__pycache__"))
    import PIL.Image
    from sklearn.datasets import load_digits

    pixels = np.round(load_digits().images[0] * (255 / 16)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(home / "zero.png")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    variables = kept | {"PATH": f"{home / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}

    def shell(line):
        return subprocess.run(
            ["bash", "-c", line], cwd=home, env=variables, capture_output=True, text=True, check=False
        )

    done = shell("pip install -q dltk_edge-*.whl")
    assert done.returncode == 0, done.stderr
    return shell


def test_it_holds_every_module_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    toolkit, recipes = ROOT / "toolkit", ROOT / "recipes"
    modules = {path.relative_to(toolkit).as_posix() for path in toolkit.rglob("*.py")}
    modules |= {f"dltk/recipes/{path.relative_to(recipes).as_posix()}" for path in recipes.rglob("*.py")}
    web = {path.relative_to(toolkit).as_posix() for path in (toolkit / "dltk" / "report" / "web").iterdir()}
    assert names == modules | web | {"dltk/py.typed"}
    assert {"dltk/report/web/demo.html", "dltk/recipes/cnn.py"} <= names


def test_it_does_what_needs_no_runtime(device):
    assert device("dltk --help").stdout.startswith("Usage: dltk")
    assert "dltk 0." in device("dltk --version").stdout
    assert "image-classification" in device("dltk recipes").stdout
    missing = json.loads(device("dltk doctor --json").stdout)["missing"]
    assert {"tflite", "onnx", "heic", "train"} <= set(missing)
    assert not any("dltk" in command.split(" install ")[1] for command in missing.values())


def test_its_hint_installs_the_runtime_and_it_answers(device):
    done = device("dltk predict digits zero.png")
    assert done.returncode == 5
    commands = COMMAND.findall(done.stderr)
    assert re.fullmatch(r"pip install 'ai-edge-litert[<>=.,0-9]+'", commands[0]), done.stderr
    assert device(commands[0]).returncode == 0
    assert device("dltk predict digits zero.png").stdout.split()[2] == "0"
    done = device("dltk validate digits")
    assert (done.returncode, done.stdout.count("passed")) == (0, 3), done.stderr


def test_the_page_installs_it_in_one_line(device):
    """The line as it stands in docs/how-to/device.md; what it asks for is there by now, or is fetched."""
    (line,) = re.findall(r"^\$ (pip install .*\.whl.*)$", PAGE.read_text(), re.MULTILINE)
    done = device(line)
    assert done.returncode == 0, done.stderr
    assert device("dltk predict digits zero.png --runtime tflite").returncode == 0
