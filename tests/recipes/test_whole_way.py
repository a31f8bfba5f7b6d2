"""Every recipe by the commands alone: from data to answers on a device without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import small
from dltk.edge.runtime.worker import BLOCKED
from recipe_rows import ROWS

pytestmark = small.QUIET

# Two minutes on a quiet core; a busy machine takes many times that.
_SLOW = [pytest.mark.slow, pytest.mark.timeout(1200)]
_LIGHT = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED!r})); from dltk.cli.main import main; main()"


def light(*words):
    """`dltk WORDS` in a process of its own, in which the heavy packages cannot be imported; its `--json`."""
    command = [sys.executable, "-c", _LIGHT, *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", [pytest.param(n, marks=_SLOW * row.slow) for n, row in ROWS.items()])
def test_from_data_to_answers(name, tmp_path):
    row, data = ROWS[name], tmp_path / "data"
    data.mkdir()
    given = () if row.data is None else ("--data", row.data(data))
    pairs = [word for pair in row.set for word in ("--set", pair)]
    made = small.make(
        tmp_path / "run", "finetune", name.partition(" ")[0], *given, "--run", tmp_path / "run", "--smoke", *pairs
    )
    steps = [word for step in row.steps for word in ("--step", step)]
    smaller = small.make(tmp_path / "less", "compress", made.path, "--no-control", "--run", tmp_path / "less", *steps)
    gate = [word for pair in row.gate for word in ("--gate", pair)]
    bundle = small.make(tmp_path / "bundle", "export", smaller.path, "--out", tmp_path / "bundle", *gate)
    formats = {artifact["file"].rpartition(".")[2] for artifact in bundle.found["artifacts"]}
    assert "tflite" in formats
    assert light("validate", bundle.path)["passed"]
    inputs = [] if row.inputs is None else row.inputs(data)
    for runtime in sorted(formats):
        answers = light("predict", bundle.path, *inputs, *row.words, "--runtime", runtime)["answers"]
        assert answers
