"""The benchmarks' own parts: a figure that is written wrongly is worse than none."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
MACHINE = {"cpu": "A processor", "architecture": "x86_64", "instructions": ["avx2"], "threads": 2}


@pytest.fixture
def part(monkeypatch):
    """Import a module that stands beside this file, as the scripts do."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


def test_a_table_has_a_row_an_artifact(part):
    tables = part("support.tables")
    metric = {"name": "accuracy", "value": 0.9, "reference": 0.905, "drop": 0.005, "interval": [-0.001, 0.01]}
    artifacts = [
        {"file": "model.int8.tflite", "bytes": 2_500_000, "download_bytes": 9, "p50_ms": 1.5, "metric": metric},
        {"file": "model.onnx", "bytes": 1, "download_bytes": 2, "p50_ms": None, "metric": None},
    ]
    lines = tables.as_text(tables.artifact_rows({"artifacts": artifacts})).splitlines()
    assert lines[0].split()[:3] == ["artifact", "bytes", "gzip"]
    figures = ["2,500,000", "9", "1.50", "0.9000", "+0.50", "-0.10", "..", "+1.00"]
    assert lines[2].split() == ["model.int8.tflite", *figures]
    assert lines[3].split() == ["model.onnx", "1", "2", "-", "-", "-", "-"]


def test_a_frechet_distance_is_that_of_two_normal_distributions(part):
    """Means 3 apart in one direction; deviations 1 and 2 in the other: 9 + (1 - 2)^2."""
    frechet = part("recipe.gan").frechet
    draw = np.random.default_rng(0).standard_normal((2, 200_000, 2))
    other = draw[1] * (1.0, 2.0) + (3.0, 0.0)
    assert frechet(draw[0], draw[0]) == pytest.approx(0, abs=1e-6)
    assert frechet(draw[0], other) == pytest.approx(10, rel=0.02)  # 200,000 draws: a standard error of 0.3 %


def test_figures_of_a_group_replace_the_old_ones_and_others_stay(part, tmp_path):
    figures = part("support.figures")

    def figure(group, value):
        return figures.Figure(group, "what", "command", value, "once", "at most 2", True, MACHINE)

    path = tmp_path / "measurements.json"
    figures.merge(path, [figure("a", "1"), figure("b", "1")])
    whole = figures.merge(path, [figure("b", "2")])
    assert [(each.group, each.value) for each in whole] == [("a", "1"), ("b", "2")]
    assert len(json.loads(path.read_text())["figures"]) == 2
    page = figures.render(whole)
    assert "| what | 2 | once | at most 2 | met |" in page
    assert "A processor (x86_64, avx2), 2 threads" in page
    assert "Nothing has been measured" in figures.render([])


def test_a_missed_target_is_said(part):
    figures = part("support.figures")
    missed = figures.Figure("a", "w", "c", "3", "once", "at most 2", figures.at_most(3, 2), MACHINE)
    assert "**missed**" in figures.render([missed])


def test_spread_is_of_all_runs(part):
    assert part("support.figures").spread([3.0, 1.0, 2.0]) == (2.0, "1.00 to 3.00, 3 runs")
    assert part("support.figures").spread([3.0])[1] == "one run"


def test_memory_is_that_of_the_child(part):
    """64 MB are held for half a second; Python itself takes about 10."""
    code = "import time; held = bytearray(b'x') * 64_000_000; time.sleep(0.6)"
    found = part("support.measured").measure([sys.executable, "-c", code], watch=True, quiet=True)
    assert 64e6 < found.peak_anonymous < 110e6
    assert 64e6 < found.peak_resident < 200e6
    assert found.seconds > 0.6


def test_a_command_that_fails_ends_the_script(part, capfd):
    command = [sys.executable, "-c", "print('half'); raise SystemExit(3)"]
    for run in (part("support.measured").measure, part("support.shell").run, part("support.shell").run_json):
        with pytest.raises(SystemExit) as ended:
            run(command)
        assert ended.value.code == 1
        assert "exit code 3" in capfd.readouterr().err


def test_commands_are_shown_as_they_run(part):
    shell = part("support.shell")
    command = [shell.ROOT / ".venv" / "bin" / "dltk", "export", shell.ROOT / "runs" / "a b"]
    assert shell.shown(command) == "dltk export 'runs/a b'"
    assert shell.typed(command)[2] == "runs/a b"


def test_every_benchmark_has_a_name_and_a_function(part, tmp_path):
    import argparse

    found = part("bench").benchmarks(argparse.Namespace(runs=tmp_path, limit=100))
    assert list(found)[:2] == ["light-start", "phase-one"]
    assert all(callable(each) for each in found.values())
