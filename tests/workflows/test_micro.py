"""`dltk export --format c`: sources beside the files they are made of, and a gate before both."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

import small
from dltk.base.errors import LimitError
from dltk.edge import replay
from dltk.edge.bundle.integrity import read_bundle
from dltk.workflows import export

pytestmark = small.QUIET
pytest.importorskip("tflite_micro")
FILES = ["model.int8.tflite", "model.int8-io.tflite", "model.float32.tflite"]


def test_sources_for_microcontrollers_stand_beside_their_files(compressed, tmp_path):
    """Three files of int8 and float32; what TensorFlow Lite Micro answered and used is told and kept."""
    made, again = (export(compressed.path, out=tmp_path / name / "3 owls", formats=("c",)) for name in "ab")
    found = small.files(made.path)
    assert found == small.files(again.path)
    manifest = read_bundle(made.path).manifest
    assert [each.file for each in manifest.artifacts] == FILES
    for each in manifest.artifacts:
        micro = each.parity["micro"]
        name = f"model_3_owls_{each.precision.replace('-', '_')}"
        assert micro["files"] == [f"{name}.c", f"{name}.h"]
        assert set(micro["files"]) <= set(manifest.files)
        assert micro["error"] <= micro["tolerance"] == (1e-5 if each.precision == "float32" else 4)
        assert micro["measure"] == ("max_abs" if each.precision == "float32" else "steps")
        assert f"_ARENA_BYTES {micro['arena_bytes']}\n".encode() in found[f"{name}.h"]
        assert f"{name}[{name.upper()}_BYTES]".encode() in found[f"{name}.c"]
    assert replay(made.path)["passed"]


def test_a_file_that_answers_otherwise_on_a_microcontroller_is_held_back(compressed, tmp_path, monkeypatch):
    there = SimpleNamespace(outputs={"logits": np.zeros((8, 10), np.float32)}, arena_bytes=16)
    monkeypatch.setattr("dltk.workflows.exporting.micro.run_micro", lambda *words: there)
    with pytest.raises(LimitError, match=r"in TensorFlow Lite Micro differs from LiteRT by \d+, more than 4 steps"):
        export(compressed.path, out=tmp_path / "out", formats=("c",), precisions=("int8-io",))
    assert not (tmp_path / "out").exists()


def test_sources_for_microcontrollers_are_told(compressed, tmp_path):
    done = small.invoke("export", compressed.path, "--out", tmp_path / "owl", "--format", "c", "--precision", "int8-io")
    assert re.search(r"owl_int8_io\.c, owl_int8_io\.h: at most \d of 4 steps from LiteRT .* bytes", done.stdout)
