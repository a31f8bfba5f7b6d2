"""Rules of the project that no other tool holds: sizes, contracts, what is declared and what is there."""

from __future__ import annotations

import ast
import configparser
import importlib
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "toolkit").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")])
HEAVY = {"tensorflow", "keras", "onnx", "sklearn", "pandas", "scipy", "rich"}
MOST_FILES, MOST_CRUMBS, CRUMB = 15, 24, 50  # files in a folder; small files in all; lines that a small one stays under
NAMED_FILE = re.compile(r"(?:[a-z_0-9]+/)+[a-z_0-9]+\.(?:py|mjs|js)")


def config():
    found = configparser.ConfigParser()
    found.read(ROOT / "setup.cfg")
    return found


def short(path):
    return path.relative_to(ROOT).as_posix()


def module_name(path):
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts[1:] if parts[0] == "toolkit" else ["dltk", *parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def named_files(path):
    """Texts in the source at `path` that are paths of modules, with a folder."""
    texts = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return [text for text in texts if isinstance(text, str) and NAMED_FILE.fullmatch(text)]


LIGHT = config()["importlinter:contract:light"]["source_modules"].split()
LIGHT_SOURCES = [path for path in SOURCES if f"{module_name(path)}.".startswith(tuple(f"{name}." for name in LIGHT))]
COMMANDS = {path.stem for path in (ROOT / "toolkit/dltk/cli/commands").glob("*.py")} - {"__init__"}


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_file_is_over_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


def test_no_folder_is_crowded():
    paths = [path for top in ("toolkit", "recipes", "tests") for path in (ROOT / top).rglob("*.py")]
    counts = Counter(short(path.parent) for path in paths if path.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MOST_FILES} == {}


def test_few_files_are_crumbs():
    """A file of a few lines makes a reader jump; some stand alone because they are looked for by their names."""
    sizes = {short(path): len(path.read_text().splitlines()) for path in SOURCES if path.name != "__init__.py"}
    crumbs = sorted(name for name, lines in sizes.items() if lines < CRUMB)
    assert len(crumbs) <= MOST_CRUMBS, crumbs


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


def test_every_package_that_is_imported_is_declared():
    """Not only what happens to come with another one."""
    options = config()
    lines = [options["options"]["install_requires"], *options["options.extras_require"].values()]
    declared = {re.split(r"[<>=;]", line)[0].replace("_", "-").lower() for line in "\n".join(lines).split()}
    owners, missing = packages_distributions(), set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {name.partition(".")[0] for name in names} - {*sys.stdlib_module_names, "dltk"}:
                if not declared & {owner.replace("_", "-").lower() for owner in owners.get(top, [top])}:
                    missing.add(f"{short(path)}: {top}")
    assert not missing


def test_imports_go_down_the_floors():
    linter = pytest.importorskip("importlinter.cli", reason="import-linter comes with the extra dev")
    assert linter
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(config_filename='setup.cfg'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_light_import_stays_light():
    """Of every module that the contract `light` names; also of the runtimes, which load with the first model."""
    names = sorted(map(module_name, LIGHT_SOURCES))
    code = (
        f"import sys; from importlib import import_module; [import_module(name) for name in {names!r}];"
        f"print(sorted({HEAVY | {'ai_edge_litert', 'tflite_runtime', 'onnxruntime'}!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_is_light_or_trains():
    """A new command is placed in the contract `light`, or here."""
    light = {name.rpartition(".")[2] for name in LIGHT if name.startswith("dltk.cli.commands.")}
    assert COMMANDS - light == {"adopt", "compress", "export", "finetune"}
    assert light <= COMMANDS


def test_what_the_contracts_name_is_there():
    """A rule for a module that has moved would hold nothing."""
    names = {module_name(path) for path in SOURCES}
    assert set(LIGHT) <= names
    assert len(LIGHT_SOURCES) > len(LIGHT)
    contracts = {name: config()[name] for name in config().sections() if name.startswith("importlinter:contract:")}
    floors = {part["containers"] for part in contracts.values() if "containers" in part}
    with_rooms = {".".join(name.split(".")[:2]) for name in names if name.count(".") > 2} - {"dltk.recipes"}
    assert floors == with_rooms | {"dltk"}
    assert all(part["exhaustive"] == "True" for part in contracts.values() if "containers" in part)


def test_files_that_tests_and_rules_name_are_there():
    """A constant with the old path of a file that has moved would switch off what it is for."""
    roots = [ROOT, ROOT / "toolkit" / "dltk", ROOT / "tests"]
    missing = {
        (short(path), name)
        for path in [*(ROOT / "tests").rglob("*.py"), *SOURCES]
        for name in named_files(path)
        if not any((root / name.removeprefix("dltk/")).is_file() for root in roots)
    }
    assert missing == set()
    globs = re.findall(r'^"(\S+)/\*\*" =', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert globs
    assert all((ROOT / folder).is_dir() for folder in globs)


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
