"""The pages promise nothing that is not there: commands parse, settings exist, links lead somewhere, snippets run."""

from __future__ import annotations

import ast
import configparser
import contextlib
import importlib
import json
import re
import shlex
from pathlib import Path

import click
import pytest

from dltk.cli.main import COMMANDS, cli
from dltk.compress.steps import parse_steps
from dltk.data.examples.write import EXAMPLES
from dltk.data.named.load import NAMED, TABLES
from dltk.recipe.load import load, registered, resolve

ROOT = Path(__file__).parent.parent
DLTK = ROOT / "toolkit" / "dltk"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


def name(path):
    return path.relative_to(ROOT).as_posix()


def shown_commands(text):
    """Argument lists of every `dltk` command in a console block; assignments before it are left out."""
    for kind, block in FENCE.findall(text):
        if kind == "console":
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                while words and ASSIGNMENT.fullmatch(words[0]):
                    words.pop(0)
                if words[:1] == ["dltk"]:
                    yield words[1:]


def named_commands(text):
    """Argument lists of every `dltk ...` in running text, where arguments may be left out."""
    for found in re.findall(r"`dltk ([^`]+)`", FENCE.sub("", text)):
        yield [word for word in shlex.split(found) if word != "..."]


def parse(words):
    """What click makes of `words`, without running the command."""
    command = cli.get_command(click.Context(cli), words[0])
    assert command is not None, words[0]
    return command.make_context(words[0], list(words[1:]))


ALL = [(name(page), words) for page in PAGES for words in shown_commands(page.read_text())]
MENTIONED = [(name(page), words) for page in PAGES for words in named_commands(page.read_text())]


def label(value):
    return value if isinstance(value, str) else " ".join(value)


def test_there_are_commands_to_check():
    """Else a change of the pages' form would switch these tests off."""
    assert len(ALL) >= 20
    assert {words[0] for _, words in ALL} >= {"finetune", "adopt", "compress", "export", "validate", "predict"}


@pytest.mark.parametrize(("page", "words"), ALL, ids=label)
def test_a_shown_command_parses(page, words):
    assert words[0] in COMMANDS
    parse(words)


@pytest.mark.parametrize(("page", "words"), MENTIONED, ids=label)
def test_a_mentioned_command_exists(page, words):
    if words[0].startswith("-"):
        return
    assert words[0] in COMMANDS
    with contextlib.suppress(click.MissingParameter):  # only its name was given
        parse(words)


@pytest.mark.parametrize(("page", "words"), [pair for pair in ALL if pair[1][0] == "finetune"], ids=label)
def test_shown_settings_exist(page, words):
    found = parse(words).params
    if found["recipe"].endswith(".py"):
        return
    assert found["recipe"] in registered()
    resolve(load(found["recipe"]), found["pairs"], smoke=found["smoke"])


@pytest.mark.parametrize(("page", "words"), [pair for pair in ALL if pair[1][0] == "compress"], ids=label)
def test_shown_steps_exist(page, words):
    found = parse(words).params
    parse_steps(found["steps"])  # names what does not exist; without steps the recipe's plan or limits are meant


def test_a_wrong_command_would_be_found():
    with pytest.raises(click.NoSuchOption):
        parse(["export", "runs/x", "--no-such-flag"])
    (words,) = shown_commands("```console\n$ A=1 dltk export runs/x  # why\n```\n")
    assert words == ["export", "runs/x"]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_page_can_be_reached_from_the_readme():
    reached = {(ROOT / target).resolve() for target in LINK.findall((ROOT / "README.md").read_text())}
    assert reached >= {page.resolve() for page in PAGES if page.name != "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_snippets_compile_and_import_what_is_there(page):
    for kind, block in FENCE.findall(page.read_text()):
        if kind != "python":
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dltk."):
                module = importlib.import_module(node.module or "")
                assert {alias.name for alias in node.names} <= set(module.__all__), node.module


def test_the_recipe_of_the_page_can_be_loaded(tmp_path):
    page = (ROOT / "docs" / "how-to" / "recipe.md").read_text()
    (block,) = (block for kind, block in FENCE.findall(page) if kind == "python")
    file = tmp_path / "dense.py"
    file.write_text(block)
    recipe = load(file)
    assert resolve(recipe, ["units=64"], smoke=True).fit.epochs == recipe.smoke["fit.epochs"]
    assert "keras" not in {line.split(".")[0] for line in re.findall(r"^import (\S+)", block, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_are_short_enough_to_read_in_a_terminal(page):
    """Tables and commands aside, which cannot be broken."""
    long = [
        line for line in page.read_text().splitlines() if len(line) > 120 and not line.startswith(("|", "$", "dltk "))
    ]
    assert not long


def test_the_measurements_page_is_made_of_its_json(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "benchmarks"))
    figures = importlib.import_module("support.figures")
    kept = json.loads((ROOT / "docs" / "measurements.json").read_text())["figures"]
    page = figures.render([figures.Figure(**each) for each in kept])
    assert page == (ROOT / "docs" / "measurements.md").read_text()


def test_the_extras_of_the_readme_are_declared():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    table = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(table) == set(config["options.extras_require"])


def where_things_are():
    """The section of that name, and the names in its code spans that are paths."""
    page = (ROOT / "docs" / "explanation.md").read_text()
    section = page.partition("\n## Where things are\n")[2].partition("\n## ")[0]
    spans = re.findall(r"`([^`]+)`", section)
    return section, [span for span in spans if "/" in span or span.endswith(".py")]


def test_paths_of_where_things_are_exist():
    _, paths = where_things_are()
    assert len(paths) > 40
    for path in paths:
        assert any((root / path).exists() for root in (DLTK, ROOT)), path


def test_files_named_in_the_table_of_folders_are_in_their_folder():
    section, _ = where_things_are()
    rows = re.findall(r"^\| `([a-z_/]+)/` \| (.*) \|$", section, re.MULTILINE)
    assert len(rows) > 25
    for folder, text in rows:
        for found in re.findall(r"`([a-z_0-9]+)`", text):
            assert any((DLTK / folder / name).exists() for name in (found, f"{found}.py")), f"{folder}: {found}"


def test_the_table_of_folders_has_every_floor_in_order_and_every_room():
    _, paths = where_things_are()
    floors = re.findall(r"\w+", contract("floors", "layers"))
    first = [span.partition("/")[0].removesuffix(".py") for span in paths[paths.index("cli/") :]]
    assert list(dict.fromkeys(first))[: len(floors)] == floors
    rooms = {f"{path.parent.relative_to(DLTK).as_posix()}/" for path in DLTK.glob("*/*/__init__.py")}
    assert rooms <= set(paths)


def contract(name, key):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config[f"importlinter:contract:{name}"][key]


FOLLOWED = [*sorted((ROOT / "docs" / "how-to" / "recipes").glob("*.md")), ROOT / "README.md"]
KNOWN_DATA = {*NAMED, *TABLES, "CartPole-v1", "LunarLander-v3"}
_SAMPLE = re.compile(r".+\.(jpg|png|wav|csv|txt)")


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """A folder with every example, under its name."""
    base = tmp_path_factory.mktemp("examples")
    for known, example in EXAMPLES.items():
        (base / known).mkdir()
        example.write(base / known)
    return base


@pytest.mark.parametrize("page", FOLLOWED, ids=name)
def test_a_page_can_be_followed_without_own_data(page, examples, tmp_path):
    """Whatever a shown command reads is an example that a command before it wrote, or has a name."""
    recipes = 0
    for words in shown_commands(page.read_text()):
        found = parse(words).params
        if words[0] == "recipes" and found["example"]:
            (tmp_path / found["example"]).symlink_to(examples / load(found["name"]).data.example)
        inputs = [found["data"]] if found.get("data") else []
        if words[0] == "predict":
            inputs += [word for word in found["inputs"] if _SAMPLE.fullmatch(word)]
        for path in inputs:
            assert path in KNOWN_DATA or (tmp_path / path).exists(), " ".join(words)
        recipes += words[0] == "finetune"
    assert recipes
