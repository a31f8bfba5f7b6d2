"""`dltk backbones`: a table for people, JSON for programs, no TensorFlow for either."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from dltk.cli.commands.backbones import backbones
from dltk.models.backbones.table import BACKBONES


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path))


def test_the_table_names_them_all():
    done = CliRunner().invoke(backbones, [], catch_exceptions=False)
    assert done.exit_code == 0
    for name in BACKBONES:
        assert name in done.stdout


def test_json_has_every_fact():
    done = CliRunner().invoke(backbones, ["--json"], catch_exceptions=False)
    (first, *_) = facts = json.loads(done.stdout)["backbones"]
    assert [each["name"] for each in facts] == list(BACKBONES)
    assert first["parameters"] == BACKBONES[first["name"]].parameters
    assert {source["checked_by"] for each in facts for source in each["sources"]} == {
        "MD5",
        "SHA-256",
        "no published hash",
    }


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from dltk.cli.commands.backbones import backbones; backbones(['--json'], standalone_mode=False); "
        "sys.exit(bool({'tensorflow', 'keras', 'onnx', 'sklearn', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
