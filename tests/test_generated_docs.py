"""The generated pages of docs/ say what the code says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GENERATE = ROOT / "docs" / "generate.py"


def test_pages_are_up_to_date():
    done = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("missing", ["coverage.md", "cli.md", "report.md"])
def test_check_finds_a_page_that_is_out_of_date(tmp_path, missing):
    copy = tmp_path / "generate.py"
    copy.write_bytes(GENERATE.read_bytes())
    (tmp_path / "reference").mkdir()
    recorded = GENERATE.parent / "reference" / "coverage.json"
    (tmp_path / "reference" / "coverage.json").write_bytes(recorded.read_bytes())
    subprocess.run([sys.executable, copy], check=True)
    page = tmp_path / "reference" / missing
    page.write_text(page.read_text() + "more\n")
    done = subprocess.run([sys.executable, copy, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert missing in done.stderr
    assert "make docs" in done.stderr


def test_every_command_has_a_page_section():
    from dltk.cli.main import COMMANDS

    text = (ROOT / "docs" / "reference" / "cli.md").read_text()
    assert all(f"## dltk {name}\n" in text for name in COMMANDS)
