"""The safety rules hold on all of dltk's source; none is spared in vain, and each finds a breach that is planted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from safety_rules import RULES, breaches

ROOT = Path(__file__).parents[1] / "toolkit" / "dltk"
_FORBIDDEN_IMPORTS = ("pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "joblib")


@pytest.fixture(scope="module")
def modules() -> dict[str, ast.Module]:
    """Path below dltk/ -> its source, parsed."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    }


@pytest.mark.parametrize("name", RULES)
def test_the_rule_holds(modules, name):
    rule = RULES[name]
    broken = {
        module: lines
        for module, tree in modules.items()
        if module not in rule.spared and (lines := breaches(rule, tree))
    }
    assert not broken, rule.why


@pytest.mark.parametrize("name", RULES)
def test_no_module_is_spared_in_vain(modules, name):
    spared = RULES[name].spared
    assert set(spared) == {module for module in spared if module in modules and breaches(RULES[name], modules[module])}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, rule in RULES.items() for text in rule.planted])
def test_a_planted_breach_is_found(name, text):
    assert len(breaches(RULES[name], ast.parse(f"def planted():\n    return {text}"))) == 1


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, rule in RULES.items() for text in rule.harmless])
def test_what_is_harmless_is_let_through(name, text):
    assert not breaches(RULES[name], ast.parse(text))


def test_only_the_reader_of_pinned_weights_imports_pickle(modules):
    found = {
        (module, name) for module, tree in modules.items() for name in _imported(tree) if name in _FORBIDDEN_IMPORTS
    }
    assert found == {("models/backbones/pth.py", "pickle")}


@pytest.mark.parametrize("text", ["import pickle", "from pickle import loads", "import yaml.loader as y"])
def test_an_import_is_found_however_it_is_written(text):
    assert set(_imported(ast.parse(text))) & set(_FORBIDDEN_IMPORTS)


_BY_THEIR_NAMES = ("json", "numpy", "os", "shutil", "subprocess", "tarfile")


def test_the_modules_that_rules_name_are_called_by_their_names(modules):
    """`from json import loads` would hide a call from the rules; so would `import json as j`."""
    assert not {(module, name) for module, tree in modules.items() for name in _renamed(tree)}
    assert list(_renamed(ast.parse("from json import loads\nimport shutil as s\nimport numpy as np"))) == [
        "loads of json",
        "shutil as s",
    ]


def _renamed(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in _BY_THEIR_NAMES:
            yield from (f"{alias.name} of {node.module}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (
                f"{alias.name} as {alias.asname}"
                for alias in node.names
                if alias.name in _BY_THEIR_NAMES and alias.asname not in (None, "np")
            )


def test_only_the_study_of_a_search_is_a_database(modules):
    """optuna writes SQLite on its own; nothing else does."""
    text = {module for module, tree in modules.items() if {"sqlite3", "sqlalchemy"} & set(_imported(tree))}
    assert text == {"search/study.py"}


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
