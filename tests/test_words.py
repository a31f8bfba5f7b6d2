"""The field's words in what a user reads: help texts, messages, docstrings, documents and public names.

Each rule is a word or phrase that dltk's texts once used in a sense of their own, and the term to write instead. A rule
must not hit legitimate uses of the word: where it has some, the rule names its context ("side" is fine for the sides of
an image or of a padding, and forbidden for the splits of a data set). Names of code are not texts: what stands in
backticks, in braces, in quotes or before a dot, and options such as `--out`, is left out before a text is searched.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dltk.cli.main import COMMANDS, cli

ROOT = Path(__file__).parent.parent
CODE = sorted([*(ROOT / "toolkit" / "dltk").rglob("*.py"), *(ROOT / "recipes").glob("*.py")])
WEB = sorted((ROOT / "toolkit" / "dltk" / "report" / "web").iterdir())
DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_UNIT = (  # what something may be counted by: "one line per class", not "a line a class"
    "class|label|sample|row|image|word|layer|line|epoch|item|category|channel|output|column|pixel|axis|phase|tensor|"
    "artifact|split|second|segment|token"
)
_COUNTED = (
    "one|lines?|rows?|folders?|subfolders?|labels?|numbers?|values?|scores?|files?|samples|entry|weights?|scales?"
)
# pattern -> what to write. Matched against words, ignoring case.
RULES = {
    r"pictures?": "image",
    r"things?(?! are\b)": "the noun that is meant",
    r"(train(ing)?|validation|test|data|other|same|each|every|which|several|both|light) sides?": "split, part, machine",
    r"(on|from) one side": "in one split",
    r"kept aside|aside": "held out, without",
    r"tell|tells|telling|told": "report, log, print, distinguish",
    r"say|says|saying|said": "report, log, print, define, state",
    r"answer|answers|answered|answering": "prediction, output, reply",
    r"(hold|holds|held|holding)( \w+){0,5} against|held to": "compare with, check against",
    r"(take|takes|taken|taking|took) up": "resume after epoch N",
    r"(go|goes|going|gone|went) on( with)?": "resume, continue",
    r"atoms?": "channel numbers",
    r"couple|couples|coupled|coupling": "dependency graph, channel groups",
    r"tied|(tie|ties)(?= (of|between|together|the|tensors|ranges))": "shared ranges",  # equal scores are ties
    r"repair|repairs|repaired|repairing": "bias correction, fix",
    r"settle|settles|settled|settling": "batch-norm re-estimation, finish",
    r"evenly spread|(is|are) spread|(least|own|input|activation) spread": "evenly spaced, range",  # of figures: fine
    r"(from|of|by) (any|some)(one|body)": "untrusted, the user",
    r"came of": "results",
    r"the same again": "reproducible",
    r"to the bit": "bit-identical",
    r"bought|buys": "effect of a step",
    r"(judge|judges|judged|judging)": "evaluate, compare",
    rf"({_COUNTED}) an? ({_UNIT})(?! (of|that|is|has|may|must|can|does)\b)": "per class, per layer",
}
FORBIDDEN = {
    re.compile(rf"(?<![\w.'-])(?:{pattern})(?![=.-]?\w)", re.IGNORECASE): use for pattern, use in RULES.items()
}
# What reads as a text of code, not as prose.
_NAMES = re.compile(
    r"```.*?```|`[^`\n]*`|\{[^{}]*\}|\"[\w:./-]+\"|<[^<>]*>|--[\w-]+|\b\w+(?:\.\w+)+\b|\(\w+,(?: \w+,?)*\)|https?:\S+"
    r"|^ *\w+(?:, \w+)*: (?=\S)",
    re.DOTALL | re.MULTILINE,
)
_CALLS = {"log", "warn", "echo", "confirm", "note"}
# Public names that still use such a word. Remove a name here once it is renamed; new ones are not added.
STILL_CALLED: set[str] = set()
_NAME = re.compile(
    r"(?:^|_)(?:pictures?|things?|sides?|tells?|told|says?|said|answers?|aside|tie|ties|tied|spread|couples?|coupled|coupling"
    r"|atoms?|repair|repairs|repaired|settle|settles|settled|bought|judge|judged|shaped|strangers|heldback|held_back)(?:$|_)"
)


def faults(text: str) -> list[str]:
    """The forbidden words of `text`, each with what to write instead."""
    prose = re.sub(r"\s+", " ", _NAMES.sub(" ~ ", text))
    return [f"{found[0]!r} (write: {use})" for rule, use in FORBIDDEN.items() for found in rule.finditer(prose)]


def helps(command: click.Command, name: str) -> Iterator[tuple[str, str]]:
    """(place, text) of each help text of a command."""
    yield name, command.help or ""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield f"{name} {parameter.opts[0]}", parameter.help or ""


def strings(path: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of every docstring of a public name, every message and every text of a constant in a module."""
    tree = ast.parse(path.read_text())
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
            title = getattr(node, "name", "")
            if not title.startswith("_"):
                yield f"{name}: {title}", text
        elif isinstance(node, ast.Raise | ast.Return | ast.Yield) or _is_message(node):
            yield from ((f"{name}:{node.lineno}", text) for text in _texts(node))
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            yield from ((f"{name}:{node.lineno}", text) for text in _texts(node))


def _is_message(node: ast.AST) -> bool:
    """Whether the node makes an error, prints, logs, asks, is a setting, or a value that has a name such as `hint`."""
    if isinstance(node, ast.Assign):
        return any(isinstance(each, ast.Name) for each in node.targets)
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return (
        called in _CALLS or called.endswith(("Error", "Fault", "Column", "Recipe", "DataHint")) or called == "setting"
    )


def _texts(node: ast.AST) -> Iterator[str]:
    """The constant texts below a node that have more than one word; of an f-string without its values."""
    inside: set[int] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in each.values]
            inside |= {id(part) for part in each.values}
            yield "".join(parts)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in inside:
            yield from [each.value] if " " in each.value.strip() else []


def test_help_texts_use_the_fields_words():
    found = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found += [(place, fault) for place, text in helps(command, name) for fault in faults(text)]
    found += [("dltk", fault) for fault in faults(cli.help or "")]
    assert found == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_messages_and_docstrings_use_the_fields_words(path):
    assert [(place, fault) for place, text in strings(path) for fault in faults(text)] == []


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_use_the_fields_words(path):
    lines = _NAMES.sub(lambda found: "\n" * found[0].count("\n"), path.read_text()).splitlines()
    assert [(place, fault) for place, line in enumerate(lines, 1) for fault in faults(line)] == []


def test_the_demo_page_uses_the_fields_words():
    """What it shows: texts between the tags, and strings of more than one word in its scripts."""
    page = next(path for path in WEB if path.suffix == ".html").read_text()
    shown = re.findall(r">([^<>{}]+)<", page) + re.findall(r'aria-label="([^"]+)"', page)
    for path in WEB:
        if path.suffix == ".js":
            shown += [a or b for a, b in re.findall(r"\"([^\"\n]* [^\"\n]*)\"|`([^`\n]* [^`\n]*)`", path.read_text())]
    assert len(shown) > 30
    assert [(text, fault) for text in shown for fault in faults(re.sub(r"\$\{[^}]*\}", "~", text))] == []


def test_public_names_use_the_fields_words():
    found = set()
    for path in CODE:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and any(getattr(each, "id", "") == "__all__" for each in node.targets):
                found |= {name for name in ast.literal_eval(node.value) if _NAME.search(_snake(name))}
    assert found - STILL_CALLED == set()
    assert STILL_CALLED - found == set(), "renamed: take them out of the list"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize(
    "text",
    [
        "must be an undamaged picture",
        "copies stay on one side of the split, on the training side",
        "The table says what came of it.",
        "the answers are held against the reference",
        "fit: taking up after epoch 2",
        "a folder with one subfolder a class, or one label an image",
        "tensors whose ranges are tied, behind a repair",
        "inputs equal to the bit, from anyone",
        "go on with: dltk compress",
    ],
)
def test_a_planted_sentence_is_found(text):
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "at most 4096 pixels per side; equal scores are ties; the outer folder; nothing, anything, something",
        '`answers` and {told} and "side" are names of code, and so is settings.sides; see answers.js',
        "a standard deviation is a spread; the file a user names; one subfolder per class",
    ],
)
def test_other_uses_of_a_word_are_not(text):
    assert faults(text) == []


def test_a_planted_message_is_found_in_code(tmp_path, monkeypatch):
    """Wherever a message may be made: an error, its hint, a log line, a constant, a docstring."""
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    for code in (
        'def f():\n    raise InputError("x", f"must be a picture of {name}")',
        'def f():\n    hint = "Repair it first."\n    raise InputError("x", "y", hint)',
        'def f(progress):\n    progress.warn("this is what it says")',
        'HINT = "It is for the training side."',
        'def f():\n    """The answer to it."""',
        'x: int = setting(1, "labels a sample")',
    ):
        path = tmp_path / "module.py"
        path.write_text(code)
        assert [fault for _, text in strings(path) for fault in faults(text)], code
