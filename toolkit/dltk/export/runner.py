"""run.pyz of a bundle: the modules of `dltk.edge` that its model needs, word for word, in one archive that Python runs.

Python puts the archive itself on its path, and not the folder that it stands in: what lies beside it is data.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dltk.base.install import own_version
from dltk.edge.families import FAMILIES

__all__ = ["RUNNER", "runner"]

RUNNER = "run.pyz"  # as a bundle calls it
_TOOLKIT = Path(__file__).resolve().parents[2]  # the folder that `dltk` stands in
_START = "dltk.edge.standalone"
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip knows: equal sources give equal bytes

_MAIN = '''\
# SPDX-License-Identifier: Apache-2.0
"""Runs the model of the bundle that contains this archive, on a device where dltk is not installed.

    python -I run.pyz INPUT...               predictions, the same as `dltk predict` gives
    python -I run.pyz --check                replays the golden samples; exit code 4 if a prediction differs
    python -I run.pyz --tensor NAME=x.npy    input tensors in, output tensors out
    python -I run.pyz --help                 all it can do

It needs Python 3.9 or newer, NumPy 1.24 or newer, and one runtime: ai-edge-litert or tflite-runtime for .tflite files,
onnxruntime for .onnx files. Images need Pillow, HEIC images pillow-heif, texts tokenizers. Before anything runs,
each file of the bundle is checked against its hash in the manifest. -I makes Python ignore PYTHONPATH.

modules.json beside this file holds the modules of dltk {version} that read a bundle and run a "{family}" model,
word for word: in one piece they pack to two thirds. Nothing of a dltk that may be installed is imported.
"""

import os  # this one and the next are loaded before this line is reached: nothing is looked for
import sys

ARCHIVE = os.path.realpath(os.path.dirname(__file__))
FOLDER = os.path.dirname(ARCHIVE)  # of the bundle: what lies there is data, wherever PYTHONPATH leads
sys.path[:] = [ARCHIVE] + [entry for entry in sys.path[1:] if os.path.realpath(entry) != FOLDER]
import json  # noqa: E402 -- not before the path is clean
from importlib.util import spec_from_loader  # noqa: E402

MODULES = json.loads(__loader__.get_data(os.path.join(__loader__.archive, "modules.json")))


class Carried:
    """Imports the modules above."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in MODULES:
            return None
        is_package = any(name.startswith(fullname + ".") for name in MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        exec(compile(MODULES[name], f"{{ARCHIVE}}/modules.json: {{name}}", "exec"), module.__dict__)

    def get_source(self, fullname):
        return MODULES[fullname]


class StrictZip(zip):
    """`zip` of Python 3.9, which does not know `strict` yet."""

    def __new__(cls, *columns, strict=False):
        if strict:
            columns = [list(column) for column in columns]
            if len({{len(column) for column in columns}}) > 1:
                raise ValueError("zip(): arguments must have the same length")
        return super().__new__(cls, *columns)


if __name__ == "__main__":
    if sys.version_info < (3, 10):
        import builtins

        builtins.zip = StrictZip
    try:
        import numpy  # noqa: F401
    except ImportError as fault:
        hint = f"Run `{{sys.executable}} -m pip install numpy`."
        print(f"Error: run.pyz: needs NumPy; received {{fault}}. {{hint}}", file=sys.stderr)
        sys.exit(5)
    sys.meta_path.insert(0, Carried())
    from dltk.edge.standalone import main

    sys.exit(main(FOLDER))
'''


def runner(family: str) -> bytes:
    """run.pyz for models of `family`: of equal versions of dltk, and zlib, always the same bytes."""
    sources = {"__main__.py": _MAIN.format(version=own_version(), family=family)}
    modules = _closure([_START, FAMILIES[family]])
    sources["modules.json"] = json.dumps(modules, ensure_ascii=False, indent=0, sort_keys=True)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # Unix, whatever this machine is
            archive.writestr(entry, sources[name], zipfile.ZIP_DEFLATED, 9)
    return stream.getvalue()


def _closure(todo: list[str]) -> dict[str, str]:
    """Module name -> source of `todo` and all of dltk that they import; see `_imported`."""
    found: dict[str, str] = {}
    while todo:
        name = todo.pop()
        if name in found or (file := _file(name)) is None:
            continue
        found[name], imported = _read(file)
        todo += [name.rpartition(".")[0], *imported]
    return found


@cache
def _read(file: Path) -> tuple[str, tuple[str, ...]]:
    """The source of a module, and what it imports."""
    source = file.read_text(encoding="utf-8")
    return source, tuple(_imported(ast.parse(source)))


def _file(name: str) -> Path | None:
    """The file of a module of dltk; None for any other name."""
    if name.partition(".")[0] != "dltk":
        return None
    path = _TOOLKIT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _imported(node: ast.AST) -> Iterator[str]:
    """Names that are imported when the code runs: modules, and what may be modules of a package.

    Inside functions too, but for those that only an installed dltk calls, which are marked `installed_only`.
    """
    if isinstance(node, ast.FunctionDef) and any(ast.unparse(mark) == "installed_only" for mark in node.decorator_list):
        return
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module:
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)
