"""TFLite files in the interpreter of TensorFlow Lite Micro, beside LiteRT."""

from __future__ import annotations

import re

import numpy as np
import pytest

import tiny
from dltk.base.errors import EnvironmentFault, InputError, LimitError
from dltk.base.install import pip_extra
from dltk.edge.families import family
from dltk.edge.runtime.sessions import open_session
from dltk.validate import micro_distance, micro_runtime, run_micro

pytest.importorskip("ai_edge_litert")


def _run(data: bytes, **words):
    session = open_session("tflite", tiny.tflite(words.pop("like", "float32")))
    tensors = family("classification").tensors(tiny.raws(4), tiny.SIGNATURE)
    return run_micro(data, session.inputs, session.outputs, tensors, "model.tflite", **words)


@pytest.mark.parametrize("precision", ["float32", "int8", "int8-io"])
def test_it_answers_as_litert_does(precision):
    pytest.importorskip("tflite_micro")
    data = tiny.tflite(precision)
    there, again = _run(data, like=precision), _run(data, like=precision)
    session = open_session("tflite", data)
    wanted = session.run(family("classification").tensors(tiny.raws(4), tiny.SIGNATURE))
    steps = {} if precision == "float32" else {"logits": 0.1}
    # One dense layer: its sums are whole numbers, and one rounding follows. Float sums may be taken in another order.
    found = micro_distance(there.outputs, wanted, steps, most_steps=1, tolerance=1e-5)
    assert found["passed"], found
    assert np.array_equal(there.outputs["logits"], again.outputs["logits"])
    assert there.arena_bytes == again.arena_bytes
    assert there.arena_bytes % 16 == 0
    assert 300 < there.arena_bytes < 20_000  # the input alone has 192 bytes, and the interpreter needs some of its own


def test_a_damaged_file_is_one_error():
    pytest.importorskip("tflite_micro")
    data = bytearray(tiny.tflite())
    data[8:80] = b"\xff" * 72
    with pytest.raises(InputError, match=r"model.tflite: must run in TensorFlow Lite Micro; received "):
        _run(bytes(data))


def test_one_that_does_not_end_is_stopped():
    pytest.importorskip("tflite_micro")
    with pytest.raises(LimitError, match=r"model.tflite: must run in TensorFlow Lite Micro within 0\.001 s"):
        _run(tiny.tflite(), timeout=0.001)


def test_without_it_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("dltk.validate.micro._DISTRIBUTION", "no-such-distribution")
    with pytest.raises(EnvironmentFault, match=re.escape(f"which is not installed. Run `{pip_extra('micro')}`")):
        micro_runtime()


@pytest.mark.parametrize(("off", "most", "passed"), [(0.4, 4, True), (0.5, 4, False), (0.04, 0, True), (0.1, 0, False)])
def test_integers_are_held_to_steps(off, most, passed):
    wanted = {"y": np.asarray([[0.0, 1.0]], np.float32)}
    found = micro_distance({"y": wanted["y"] + np.float32(off)}, wanted, {"y": 0.1}, most_steps=most, tolerance=1e-5)
    assert (found["measure"], found["passed"]) == ("steps", passed)


@pytest.mark.parametrize(("off", "passed"), [(5e-5, True), (2e-4, False)])
def test_floats_are_held_to_the_largest_output(off, passed):
    wanted = {"y": np.asarray([[0.0, 10.0]], np.float32)}
    found = micro_distance({"y": wanted["y"] + np.float32(off)}, wanted, {}, most_steps=4, tolerance=1e-5)
    assert (found["measure"], found["passed"]) == ("max_abs", passed)
