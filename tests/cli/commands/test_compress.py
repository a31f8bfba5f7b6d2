"""`dltk compress` with limits: what it prints, and how it ends."""

from __future__ import annotations

import json

import pytest

import small
import stub_ssh
from dltk.cli.searched import search_summary_text
from dltk.report.schema import SearchPart

pytestmark = small.QUIET


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-drop", "one"), "For example --max-drop 0.01"),
        (("--max-size", "300 kilo"), "For example --max-size 300KB"),
        (("--max-download", "3/2"), "For example --max-download 300KB"),
        (("--max-latency", "5"), "For example --max-latency 5ms"),
        (("--max-drop", "0.1", "--host", "pi@raspberrypi"), "--host: needs --max-latency"),
        (("--max-latency", "5ms", "--host", "-pi"), "--host: must be USER@HOST"),
        (("--max-latency", "5ms", "--remote-python", "python3"), "--remote-python: needs --host"),
        (("--confident",), "For example --max-drop 0.01 --confident"),
        (("--trials", "3"), "--trials: limits a search"),
        (("--max-drop", "0.1", "--trials", "-3"), "must be 0 or more"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(trained, tmp_path, words, message):
    done = small.invoke("compress", trained.path, *words, "--run", tmp_path / "run")
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert not done.stdout
    assert not (tmp_path / "run").exists()


def test_limits_that_are_met(trained, tmp_path):
    words = ("--max-drop", "0.5", "--max-size", "1MB", "--run", tmp_path / "run")
    done = small.invoke("compress", trained.path, *words)
    assert done.exit_code == 0, done.output
    assert "The limits (drop at most 0.5000, size at most 1,000,000 bytes) are met." in done.stdout
    assert "1>*" in done.stdout
    assert "quantize:repair=false" in done.stdout
    assert f"dltk export {tmp_path / 'run'}" in done.stdout
    assert "candidate 1, int8" in done.stderr
    done = small.invoke("compress", trained.path, *words, "--resume", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["search"]["met"] is True


def test_limits_that_are_not(trained, tmp_path):
    words = ("--max-size", "1KB", "--trials", "0", "--run", tmp_path / "run")
    done = small.invoke("compress", trained.path, *words, "--json")
    assert done.exit_code == 4, done.output
    found = json.loads(done.stdout)
    assert found["search"]["met"] is False
    assert len(found["search"]["trials"]) == 2
    assert f"The closest is kept in {tmp_path / 'run'}" in done.stderr
    done = small.invoke("compress", trained.path, *words, "--resume")
    assert done.exit_code == 4, done.output
    assert "are NOT met" in done.stdout
    done = small.invoke("report", tmp_path / "run")
    assert done.exit_code == 0, done.output


def test_times_of_another_machine(trained, tmp_path, monkeypatch):
    stub_ssh.install(tmp_path / "ssh", monkeypatch)
    # 10 s: whatever else this machine does, and whatever it is.
    words = ("--max-latency", "10s", "--run", tmp_path / "run")
    done = small.invoke("compress", trained.path, *words, "--host", "pi@raspberrypi")
    assert done.exit_code == 0, done.output
    assert "Measured on the emitted files with one thread, on pi@raspberrypi:" in done.stdout
    assert len((tmp_path / "ssh" / "calls").read_text().splitlines()) == 1
    assert not list((tmp_path / "ssh" / "tmp").glob("dltk-*"))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["machine"]["host"] == "pi@raspberrypi"
    done = small.invoke("compress", trained.path, *words, "--resume")
    assert done.exit_code == 3, done.output
    assert "was begun with latencies of pi@raspberrypi: " in done.stderr
    assert "; received this machine: " in done.stderr


def test_the_table_of_candidates():
    row = {"bytes": 2000, "download_bytes": 1500, "p50_ms": None, "metric": {"drop": 0.01, "interval": [0.0, 0.02]}}
    made = {"number": 1, "stage": "int8", "steps": ["quantize"], "row": row, "error": "", "misses": []}
    failed = made | {"number": 2, "stage": "search", "row": None, "error": "layer 'x': no"}
    told = {
        "bounds": {"drop": 0.02, "latency": 5.0}, "confident": False, "met": True, "samples": 90,
        "trials": [made, failed], "front": [1], "chosen": 1, "misses_on_test": [{"limit": "drop"}],
        "sensitivity": [{"layer": "conv", "signal_to_noise": 31.25, "drop": None}],
    }  # fmt: skip
    lines = search_summary_text(SearchPart.from_dict(told))
    assert lines[0] == "The limits (drop at most 0.0200, latency at most 5 ms) are met."
    assert lines[3].split() == [
        "1>*",
        "int8",
        "-0.0100",
        "[-0.0200",
        "..",
        "+0.0000]",
        "2,000",
        "1,500",
        "-",
        "-",
        "quantize",
    ]
    assert lines[4].endswith("quantize: could not be made: layer 'x': no")
    assert "  conv: signal to noise 31.2 dB" in lines
    assert any(line.startswith("On the test split, which is not used to choose, it misses: drop.") for line in lines)
