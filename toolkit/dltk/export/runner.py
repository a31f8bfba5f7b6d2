"""run.py of a bundle: the modules of `dltk.edge` that its model needs, word for word, in one file that runs alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dltk.base.install import own_version
from dltk.edge.families import FAMILIES

__all__ = ["RUNNER", "runner"]

RUNNER = "run.py"  # as a bundle calls it
_TOOLKIT = Path(__file__).resolve().parents[2]  # the folder that `dltk` stands in
_START = "dltk.edge.standalone"

_HEAD = '''\
#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the model of the bundle that this file stands in, on a device where dltk is not installed.

    python run.py INPUT...               answers, the same as `dltk predict` gives
    python run.py --check                replays the golden samples; exit code 4 if an answer differs
    python run.py --tensor NAME=x.npy    input tensors in, output tensors out
    python run.py --help                 all it can do

It needs Python 3.9 or newer, NumPy 1.24 or newer, and one runtime: ai-edge-litert or tflite-runtime for .tflite files,
onnxruntime for .onnx files. Pictures need Pillow, HEIC pictures pillow-heif, texts tokenizers. Before anything runs,
each file of the bundle is held against the hash that the manifest has of it.

MODULES holds the modules of dltk {version} that read a bundle and run a "{family}" model, word for word.
The few lines at the end import them from there, and nothing of a dltk that may be installed.
"""

from __future__ import annotations

import linecache
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path

MODULES: dict[str, str] = {{}}
'''

_TAIL = '''\

class Carried(MetaPathFinder, Loader):
    """Imports the modules above."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname not in MODULES:
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in MODULES)
        return spec_from_loader(fullname, self, is_package=is_package)

    def exec_module(self, module: object) -> None:
        name, source = module.__name__, MODULES[module.__name__]
        file = f"{__file__}: {name}"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)  # for tracebacks
        if sys.version_info < (3, 10):
            module.__dict__["zip"] = strict_zip
        exec(compile(source, file, "exec"), module.__dict__)


def strict_zip(*columns: object, strict: bool = False) -> object:
    """`zip` of Python 3.9, which does not know `strict` yet."""
    held = [list(column) for column in columns]
    if strict and len({len(column) for column in held}) > 1:
        raise ValueError("zip(): arguments must have the same length")
    return zip(*held)


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]  # what lies beside this file is data
    try:
        import numpy  # noqa: F401
    except ImportError as fault:
        hint = f"Run `{sys.executable} -m pip install numpy`."
        print(f"Error: run.py: needs NumPy; received {fault}. {hint}", file=sys.stderr)
        sys.exit(5)
    sys.meta_path.insert(0, Carried())
    from dltk.edge.standalone import main

    sys.exit(main(here))
'''


def runner(family: str) -> bytes:
    """The source of run.py for models of `family`: of equal versions of dltk always the same bytes."""
    pieces = [_HEAD.format(version=own_version(), family=family)]
    for name, source in sorted(_closure([_START, FAMILIES[family]]).items()):
        if "'''" in source:
            raise ValueError(f"{name} must not hold three single quotes: run.py carries it between such")
        pieces.append(f"\nMODULES[\"{name}\"] = r'''\n{source}'''\n")
    return "".join([*pieces, _TAIL]).encode()


def _closure(todo: list[str]) -> dict[str, str]:
    """Module name -> source of `todo` and all of dltk that they import, inside functions too."""
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
    """Names that are imported when the code runs: modules, and what may be modules of a package."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom) and node.module:
        yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    for child in ast.iter_child_nodes(node):
        yield from _imported(child)
