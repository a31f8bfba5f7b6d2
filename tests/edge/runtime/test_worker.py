"""The worker's process has no TensorFlow in it, and whatever happens there comes back as one of dltk's errors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import tiny
from dltk.base.errors import DltkError, EnvironmentFault, InputError, LimitError
from dltk.edge.runtime import worker
from dltk.edge.runtime.worker import BLOCKED, run_worker


def child(monkeypatch, code: str) -> None:
    """Let the worker run `code` in place of its own program; `sys.argv[1]` is the job's folder."""
    run = worker._run_child
    monkeypatch.setattr(
        worker, "_run_child", lambda command, timeout: run([*command[:2], "-c", code, command[-1]], timeout)
    )


def work(models, **settings):
    data = models["model.float32.tflite"]
    return run_worker(data, "tflite", tiny.SIGNATURE, tiny.raws(), **settings)


@pytest.mark.parametrize("file", ["model.float32.tflite", "model.int8-io.tflite", "model.float32.onnx"])
def test_outputs_and_facts_come_back(models, file):
    samples = tiny.raws(70)  # over two pieces of 64
    result = run_worker(models[file], file.rpartition(".")[2], tiny.SIGNATURE, samples, time=file.endswith("32.tflite"))
    # float32: 48 products in another order; int8: an output step is 0.1
    tolerance = 1e-5 if "float32" in file else 0.15
    assert np.abs(result.outputs["logits"] - tiny.reference(samples)["logits"]).max() <= tolerance
    assert [port.name for port in (*result.input_ports, *result.output_ports)] == ["image", "logits"]
    assert result.input_ports[0].shape == (None, 4, 4, 3)
    assert result.operators
    assert (result.p50_ms is not None) == file.endswith("32.tflite")


def test_times_are_in_order(models):
    result = work(models, time=True, threads=2)
    assert 0 < result.milliseconds["p50"] <= result.milliseconds["p90"] <= result.milliseconds["p99"]
    assert result.milliseconds["runs"] >= 20
    if sys.platform == "linux":
        assert result.memory["peak"] > result.memory["model"] >= 0


def test_a_model_that_does_not_load_is_an_input_error(models):
    with pytest.raises(InputError, match="must be a protocol buffer"):
        run_worker(b"no model", "onnx", tiny.SIGNATURE, tiny.raws())
    with pytest.raises(InputError, match="picture"):
        run_worker(tiny.tflite(input_name="picture"), "tflite", tiny.SIGNATURE, tiny.raws())


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", InputError, "SIGSEGV"),
        ("import os; os.abort()", InputError, "SIGABRT"),
        ("raise RuntimeError('a fault of our own')", DltkError, "a fault of our own"),
        (
            "import json, sys; json.dump({'error': {'kind': 'EnvironmentFault', 'where': 'tflite', 'rule': 'missing', "
            "'received': None, 'hint': ''}}, open(sys.argv[1] + '/result.json', 'w'))",
            EnvironmentFault,
            "missing",
        ),
    ],
)
def test_a_crash_harms_nobody(models, monkeypatch, code, error, words):
    child(monkeypatch, code)
    with pytest.raises(error, match=words) as caught:
        work(models)
    assert type(caught.value) is error


def test_a_model_that_never_ends_is_stopped(models, monkeypatch):
    child(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(LimitError, match=r"within 0\.2 s"):
        work(models, timeout=0.2)


def test_where_no_process_can_be_started_it_is_the_environments_fault(models, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/dev/null")
    with pytest.raises(EnvironmentFault, match="process of its own") as caught:
        work(models)
    assert caught.value.exit_code == 5


_BLOCKED = """
import sys
from dltk.edge.runtime.worker import _Blocker
sys.meta_path.insert(0, _Blocker())
import numpy
try:
    __import__(sys.argv[1])
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("name", BLOCKED)
def test_the_blocker_blocks(name):
    done = subprocess.run([sys.executable, "-c", _BLOCKED, name], capture_output=True, text=True, check=True)
    assert "not there on a device" in done.stdout


def test_the_worker_stands_behind_its_blocker(models, monkeypatch):
    """The real program, with a family that wants TensorFlow: it must fail to import it."""
    code = (
        "import sys, runpy, pathlib; "
        f"program = runpy.run_path({worker.__file__!r}); "
        "program['_main'].__globals__['_work'] = lambda folder: __import__('tensorflow'); "
        "program['_main'](pathlib.Path(sys.argv[1]))"
    )
    child(monkeypatch, code)
    with pytest.raises(DltkError, match="not there on a device"):
        work(models)
