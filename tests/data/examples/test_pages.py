"""The pages of the recipes, followed to the letter at smoke size, from the example to predictions."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import small

pytestmark = [*small.QUIET, pytest.mark.slow, pytest.mark.timeout(1800)]

PAGES = Path(__file__).parents[3] / "docs" / "how-to" / "recipes"
# A model of a few steps is not compared with the limits of a trained one.
SMALL = {
    "finetune": ("--smoke",),
    "compress": ("--no-control",),
    "export": ("--gate", "drop=1", "--gate", "top1_agreement=0", "--gate", "cosine=0.5"),
}
DOWNLOADS = ("text-transfer", "fashion", "Banking77")  # commands with these words need a network


def commands(page):
    """The argument lists of the `dltk` commands in the console blocks of a page, in order."""
    for block in re.findall(r"^```console\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ dltk "):
                yield shlex.split(line.removeprefix("$ dltk "), comments=True)


@pytest.mark.parametrize("page", [path.stem for path in sorted(PAGES.glob("*.md")) if path.stem != "control"])
def test_every_command_of_a_page_runs_on_the_example(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = set()
    for words in commands(PAGES / f"{page}.md"):
        if any(name in word for word in words for name in DOWNLOADS):
            continue
        done = small.invoke(*words, *SMALL.get(words[0], ()))
        assert done.exit_code == 0, f"{words}: {done.output}"
        seen.add(words[0])
    assert seen >= {"recipes", "finetune", "predict"} - ({"predict"} if page == "gan" else set())
