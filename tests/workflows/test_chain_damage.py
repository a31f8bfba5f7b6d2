"""What a killed compression left is used only as it was left."""

from __future__ import annotations

import json
from dataclasses import replace

import keras
import pytest

import small
from dltk.base.progress import Silent
from dltk.compress.steps import parse_steps
from dltk.twin.keras3 import copied
from dltk.workflows.compressing.chain import Chain

pytestmark = small.QUIET
STEPS = parse_steps(["quantize:precision=float16"])


@pytest.fixture(scope="module")
def bench(trained, tmp_path_factory):
    return small.bench(trained.path, tmp_path_factory.mktemp("chain") / "step.npz", progress=Silent())


def _alter(folder):
    path = folder / "0-quantize.json"
    path.write_bytes(path.read_bytes().replace(b'"changed": [', b'"changed": ["none", ', 1))


DAMAGE = {
    "altered": _alter,
    "cut": lambda folder: (folder / "0-quantize.json").write_bytes(b'{"na'),
    "plan gone": lambda folder: (folder / "0-quantize.npz").unlink(),
    "plan altered": lambda folder: (folder / "0-quantize.npz").write_bytes(b"PK" + bytes(100)),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_step_is_taken_again(bench, tmp_path, caplog, how):
    chain = Chain(tmp_path, bench)
    _, reports = chain.take(STEPS)
    bench.progress.said.clear()
    kept = [report.as_dict() for report in chain.take(STEPS)[1]]
    assert kept == json.loads(json.dumps([report.as_dict() for report in reports]))
    assert bench.progress.said == ["quantize: is done already"]
    DAMAGE[how](tmp_path)
    bench.progress.said.clear()
    assert chain.take(STEPS)[1] == reports
    assert bench.progress.said == []
    assert "it is created again" in caplog.text


def test_a_step_of_another_model_is_taken_again(bench, tmp_path, caplog):
    """The same weights, one activation apart: what a chain kept of the one is nothing to the other."""
    other = copied(bench.source)
    next(layer for layer in other.layers if getattr(layer, "activation", None) is not None).activation = keras.ops.tanh
    Chain(tmp_path, bench).take(STEPS)
    bench.progress.said.clear()
    Chain(tmp_path, replace(bench, source=other)).take(STEPS)
    assert bench.progress.said == []
    assert "must be a step of this model" in caplog.text
