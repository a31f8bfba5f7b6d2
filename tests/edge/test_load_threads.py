"""`dltk.edge` under load: eight threads, one model and many, no wrong answer, and memory that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

import tiny
from dltk.edge import load

pytest.importorskip("ai_edge_litert")
pytest.importorskip("onnxruntime")

FILES = ("model.int8.tflite", "model.float32.tflite", "model.float32.onnx")
THREADS, PIECE = 8, 500  # the pool itself keeps a record a job, so that it gets them in pieces
# 16 KB in 5,000 predictions were measured, whatever came before; one output tensor that leaks each time would be 120.
MOST_GROWTH = 2_000_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory from /proc")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load") / "bundle"
    models = {"model.int8.tflite": tiny.tflite("int8"), "model.float32.tflite": tiny.tflite()}
    tiny.write_bundle(folder, models | {"model.float32.onnx": tiny.onnx()})
    return folder


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _jobs(models: list[Any], samples: Any, count: int) -> Iterator[tuple[Any, int]]:
    """Models in turn, samples in turn, out of step with each other."""
    return islice(zip(cycle(models), cycle(range(len(samples)))), count)


@pytest.mark.parametrize("many", [False, True], ids=["one-model", "many"])
@pytest.mark.parametrize("count", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_answer_is_wrong_and_memory_stays(bundle, many, count):
    samples = list(tiny.raws(67))  # no multiple of the number of models
    models = [load(bundle, artifact=file) for file in (FILES if many else FILES[:1]) for _ in range(2 if many else 1)]
    alone = {id(model): [model.predict(sample) for sample in samples] for model in models}

    def wrong(job: tuple[Any, int]) -> bool:
        model, number = job
        return bool(model.predict(samples[number]) != alone[id(model)][number])

    with ThreadPoolExecutor(THREADS) as pool:
        jobs = _jobs(models, samples, PIECE + count)
        assert not any(pool.map(wrong, islice(jobs, PIECE)))  # what is made once is made by now
        before = resident()
        for _ in range(count // PIECE):
            assert sum(pool.map(wrong, islice(jobs, PIECE))) == 0
        assert resident() - before < MOST_GROWTH


def test_models_come_and_go_and_memory_stays(bundle):
    """A service that loads what it is asked for, and lets it go."""
    sample = tiny.raws(1)[0]

    def once(number: int) -> None:
        load(bundle, artifact=FILES[number % len(FILES)]).predict(sample)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(once, range(60)))
        before = resident()
        list(pool.map(once, range(300)))
        assert resident() - before < MOST_GROWTH
