"""Public docstrings are there, name what is raised, and give the shapes of arrays."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "toolkit").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")])
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
SPECIAL = ("__init__", "__post_init__", "__call__", "__enter__", "__exit__")  # documented by their class
SIZE = r"(?:\.\.\.|len\(\w+\)|\w+)(?: (?:\+|-|\*|or) \w+)*"
SHAPE = re.compile(rf"\bshapes?\b|\bscalars?\b|\(\)|\({SIZE}(?:,|(?:, {SIZE})+)\)")  # (n, height, width, 3 or 1), (n,)

PLANTED = '''
class Filter:
    """Smooths recordings."""

    kernel: NDArray[np.float32]

    def __init__(self, width):
        if width < 1:
            raise InputError("width", "must be at least 1", width)

    def reset(self):
        self.last = None

    def run(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """The recording, smoothed (see Smith, Digital filters).

        Raises:
            InputError: if it is too short.
        """
        if not len(samples):
            raise LimitError("samples", "must be some")
        try:
            raise KeyError("caught below")
        except KeyError:
            return samples

    def _hidden(self):
        raise ValueError
'''
FOUND = [
    "Filter: does not name InputError, which it raises",
    "Filter: gives no shape of its arrays",
    "Filter.reset: has no docstring",
    "Filter.run: does not name LimitError, which it raises",
    "Filter.run: gives no shape of its arrays",
]


def public(body, prefix=""):
    """(qualified name, node) of the public classes, functions and methods in `body`."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


def is_command(node):
    """Whether `node` is a click command: its docstring is its help."""
    return any(re.search(r"\b(command|group)\b", ast.unparse(mark)) for mark in node.decorator_list)


def caught(handler):
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {ast.unparse(kind).rpartition(".")[2] for kind in kinds if kind}


def raised(node, inside=frozenset()):
    """Names of what `node` raises with `raise name(...)` and does not catch; functions inside it do not count."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
        return set()
    if isinstance(node, ast.Raise):
        return {ast.unparse(node.exc.func).rpartition(".")[2]} - inside if isinstance(node.exc, ast.Call) else set()
    if isinstance(node, ast.Try):
        here = inside.union(*(caught(handler) for handler in node.handlers))
        rest = [*node.handlers, *node.orelse, *node.finalbody]
        return set().union(*(raised(part, here) for part in node.body), *(raised(part, inside) for part in rest))
    return set().union(*(raised(part, inside) for part in ast.iter_child_nodes(node)))


def takes_arrays(node):
    """Whether an argument or the result of the function `node` is annotated as an array."""
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    notes = [*(argument.annotation for argument in arguments if argument), node.returns]
    return any("NDArray" in ast.unparse(note) for note in notes if note)


def has_arrays(node):
    """Whether a public attribute that the class `node` declares is annotated as an array."""
    declared = (part for part in node.body if isinstance(part, ast.AnnAssign) and "NDArray" in ast.unparse(part))
    return any(not ast.unparse(part.target).startswith("_") for part in declared)


def lacks_of_raises(name, body, text):
    """Each exception stands in `text` by its name; of functions that make one, an exception does."""
    for kind in sorted(set().union(*(raised(part) for part in body))):
        if not re.search(rf"\b{kind}\b" if kind[0].isupper() else r"(Error|Fault|Exit)\b", text):
            yield f"{name}: does not name {kind}, which it raises"


def problems(source):
    """What the public docstrings of the module with this source lack."""
    for name, node in public(ast.parse(source).body):
        text = ast.get_docstring(node) or ""
        if not text:
            yield f"{name}: has no docstring"
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, FUNCTIONS) and part.name in SPECIAL]
            text = "\n".join([text, *(ast.get_docstring(method) or "" for method in methods)])
            for method in methods:
                yield from lacks_of_raises(name, method.body, text)
            if (has_arrays(node) or any(map(takes_arrays, methods))) and not SHAPE.search(text):
                yield f"{name}: gives no shape of its arrays"
        elif not is_command(node):
            yield from lacks_of_raises(name, node.body, text)
            if takes_arrays(node) and not SHAPE.search(text):
                yield f"{name}: gives no shape of its arrays"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_public_docstrings_are_complete(path):
    assert list(problems(path.read_text())) == []


def test_what_a_docstring_lacks_is_found():
    assert list(problems(PLANTED)) == FOUND
