"""The parts that the targets of `make devices` share: what they hold, and how they say it."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dltk.edge.bundle.integrity import read_manifest

HERE = Path(__file__).parent
DIGITS = HERE.parents[1] / "exported" / "digits"


@pytest.fixture
def part(monkeypatch):
    """Import a module that stands beside this file, as the scripts do."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


def test_rows_of_several_variants_become_one_that_is_met_only_if_all_are(part):
    kit = part("device.kit")

    def row(what, measured, met):
        return kit.Row("arm", what, "to the bit", measured, met)

    rows = kit.folded(
        [("a", row("one", "equal", True)), ("b", row("one", "3 steps", False)), ("a", row("two", "equal", True)),
         ("b", row("two", "equal", True)), ("a", row("three", "none", None))]
    )  # fmt: skip
    assert [each.measured for each in rows] == ["equal (a); 3 steps (b)", "equal (a, b)", "none (a)"]
    assert [each.met for each in rows] == [False, True, None]


def test_a_page_keeps_its_text_and_the_rows_of_other_targets(part):
    kit = part("device.kit")
    old = [kit.Row(name, "file", "held", "old", True) for name in ("one", "two")]
    page = kit.renewed(f"# Page\n\n{kit.as_table(old)}\nEnd\n", [kit.Row("one", "a | b", "held", "new", False)])
    assert page.startswith("# Page\n\n| target |")
    assert page.endswith("| two | file | held | old | met |\n| one | a \\| b | held | new | **MISSED** |\n\nEnd\n")
    assert kit.renewed("", old) == kit.as_table(old)


@pytest.mark.parametrize(
    ("precision", "apart", "most_steps", "met"),
    [
        ("float32", 9e-6, 0, True),
        ("float32", 1e-4, 0, False),
        ("int8", 0.0, 0, True),
        ("int8", 0.25, 0, False),
        ("int8", 0.5, 2, True),
        ("int8", 0.75, 2, False),
        ("dynamic", 1e-3, 0, True),
        ("dynamic", 1.0, 0, False),
    ],
)
def test_float_files_have_a_tolerance_and_integer_ones_steps(part, precision, apart, most_steps, met):
    held = part("device.held")
    ours = held.Answer(outputs={"y": np.asarray([[0.0, 0.25, 1.0]], np.float32)})  # steps of a quarter
    theirs = held.Answer(outputs={"y": ours.outputs["y"] + np.float32(apart)})
    assert held.hold(precision, theirs, ours, most_steps=most_steps, steps={}).met is met


def test_answers_here_are_equal_and_a_file_that_ends_the_process_costs_only_itself(part, tmp_path):
    held = part("device.held")
    places = [place for _, place in held.files_of(DIGITS, "tflite")]
    crash = tmp_path / "crash.py"  # ends as a runtime would, without a word, when it comes to the second file
    crash.write_text(
        "import os, runpy, sys\n"
        f"sys.argv, bad = sys.argv[1:], {str(places[1])!r}\n"
        "there = bad in sys.argv\n"
        "del sys.argv[sys.argv.index(bad) if there else len(sys.argv):]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "if there:\n"
        """    print('{"file": "digits"}', flush=True)\n"""
        "    os._exit(139)\n"
    )

    def command(script, *words):
        return [sys.executable, str(crash), str(script), *map(str, words)], None

    found = held.answers(command, places, tmp_path / "out")
    assert set(found) == set(places)
    assert "139" in found[places[1]].reason
    ours = held.answers(held.here, [places[0], DIGITS / "golden.npz"], tmp_path / "again")
    assert ours[DIGITS / "golden.npz"].report["passed"]
    assert held.hold("int8", found[places[0]], ours[places[0]], most_steps=0, steps={}).measured == "bit-identical"


@pytest.mark.parametrize(
    ("runtime", "met"),
    [("tflite-runtime 2.14.0", True), ("ai-edge-litert 1.0.0", False), ("ai-edge-litert 2.3.0", False)],
)
def test_only_a_runtime_older_than_the_manifest_asks_for_may_refuse_a_file(part, runtime, met):
    artifact = replace(read_manifest(DIGITS).artifacts[0], minimum_runtime="ai-edge-litert 1.0.0")
    row = part("device.report").refused_row("arm", DIGITS, artifact, {"reasons": ["no such operator"]}, runtime)
    assert row.met is met
    assert ("no such operator" in row.measured) is not met
