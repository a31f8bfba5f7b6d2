"""Rules of the project that no other tool holds: sizes, contracts, what is declared and what is there."""

from __future__ import annotations

import ast
import configparser
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "toolkit").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")])
LIGHT_PARTS = ("base", "edge", "recipe", "remote", "cli/main.py", "cli/commands/predict.py", "run.py")
LIGHT = tuple(f"toolkit/dltk/{name}" for name in LIGHT_PARTS)


def config():
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def short(path):
    return path.relative_to(ROOT).as_posix()


LIGHT_SOURCES = [path for path in SOURCES if short(path).startswith(LIGHT)]


def module_name(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts[1:] if parts[0] == "toolkit" else ["dltk", *parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_file_is_over_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_a_module_has_a_docstring_and_lists_what_is_public(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree)
    assigned = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    names = {target.id for target in assigned if isinstance(target, ast.Name)}
    assert "__all__" in names or path.name in ("__init__.py", "__main__.py")


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_functions_stay_under_40_lines(path):
    """Of code: signature, docstring and blank lines do not make a function harder to follow."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 40, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", [path for path in SOURCES if "commands" not in path.parts], ids=short)
def test_functions_have_at_most_eight_parameters(path):
    """`self` and `cls` aside. What belongs together is one settings object; a command has one parameter an option."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            names = [item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            names += [item.arg for item in (given.vararg, given.kwarg) if item is not None]
            names = [name for name in names if name not in ("self", "cls")]
            assert len(names) <= 8, f"{node.name} has {len(names)} parameters"


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_path_of_a_machine_and_nothing_unfinished(path):
    text = path.read_text()
    assert not re.search(r"/(home|root|Users|work|tmp)/\w", text)
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)


@pytest.mark.parametrize("path", LIGHT_SOURCES, ids=short)
def test_all_names_what_is_there(path):
    """`__all__` of the light modules; those of the heavy ones are held by whoever imports them."""
    module = importlib.import_module(module_name(path))
    if module_name(path) in ("dltk.base", "dltk"):
        return
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), name


def test_every_package_is_declared():
    declared = set(config()["options"]["packages"].split())
    folders = {module_name(path) for path in SOURCES if path.name == "__init__.py"}
    assert declared == folders


def test_every_recipe_is_an_entry_point():
    lines = config()["options.entry_points"]["dltk.recipes"].split("\n")
    targets = {line.partition("=")[2].strip() for line in lines if line.strip()}
    files = {path.stem for path in (ROOT / "recipes").glob("*.py")} - {"__init__"}
    assert targets == {f"dltk.recipes.{stem}:recipe" for stem in files}


def test_the_base_install_is_light():
    names = {re.split(r"[<>=]", line)[0] for line in config()["options"]["install_requires"].split()}
    assert names == {"numpy", "click", "rich", "Pillow"}


def test_every_requirement_is_bounded_above_or_a_tool():
    """Versions that were tried; tools of development and pinned data may float."""
    for extra, lines in config()["options.extras_require"].items():
        if extra not in ("dev", "demo"):
            assert all("<" in line or "==" in line for line in lines.strip().splitlines()), extra


def test_imports_go_down_the_floors():
    linter = pytest.importorskip("importlinter.cli", reason="import-linter comes with the extra dev")
    assert linter
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(config_filename='setup.cfg'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_light_import_stays_light():
    code = (
        "import sys; import dltk.edge, dltk.edge.load, dltk.recipe.load, dltk.cli.main, dltk.run;"
        "print(sorted({'tensorflow', 'keras', 'onnx', 'sklearn', 'pandas', 'scipy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_functions_are_not_hidden_by_their_modules():
    """`dltk.edge.load` is the function, whoever imported the module of that name first."""
    code = (
        "import dltk.edge.load, dltk.edge; from dltk.edge import load; assert callable(load), load;"
        "import dltk.workflows.finetune; from dltk.workflows import adopt, finetune;"
        "assert callable(finetune) and callable(adopt)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ci_runs_lint_and_test():
    path = ROOT / ".ci" / "run"
    lines = path.read_text().splitlines()
    assert lines[-2:] == ["make lint", "make test"]
    assert path.stat().st_mode & 0o111
