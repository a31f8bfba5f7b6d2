"""Whole commands on small files that ask for much: one line, 500 MB above the imports, seconds of the processor."""

from __future__ import annotations

import subprocess
import sys

import pytest

import small
from attacks import kit
from attacks.keras_bombs import KERAS_BOMBS
from attacks.kinds import seeded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), kit.LINUX, *small.QUIET]

LIGHT = seeded(range(2, 5))  # the first seeds are tried every time: see test_light.py


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    import keras

    folder = tmp_path_factory.mktemp("bombs")
    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10)]
    keras.Sequential(layers).save(folder / "sound.keras")
    attacks = {name: of(folder / "sound.keras") for name, of in KERAS_BOMBS.items()}
    places, cases = kit.prepare(attacks, folder)
    return places, cases, kit.run(places, cases, heavy=True)


@pytest.fixture(scope="module")
def run_on_a_device(tmp_path_factory):
    places, cases = kit.prepare(LIGHT, tmp_path_factory.mktemp("bombs"))
    return places, cases, kit.run(places, cases)


@pytest.mark.parametrize("name", KERAS_BOMBS)
def test_adopt_refuses_it_in_one_line_with_little_memory_and_time(adopted, name):
    _judge(adopted, name)


@pytest.mark.parametrize("name", LIGHT)
def test_validate_and_predict_do_too(run_on_a_device, name):
    _judge(run_on_a_device, name)


def _judge(outcomes, name):
    places, cases, found = outcomes
    kit.judge(places[name], cases[name], found[name])
    assert found[name].seconds < kit.SECONDS


LONG = """
import resource, sys
from dltk.edge.sources import read_table
before = resource.getrusage(resource.RUSAGE_SELF)
rows = len(read_table(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF)
print(rows, after.ru_utime - before.ru_utime, (after.ru_maxrss - before.ru_maxrss) * 1024)
"""


def test_ten_million_rows_of_two_bytes_are_read_in_seconds(tmp_path):
    """5.2 s of the processor and 180 MB, on the machine of the tests."""
    (tmp_path / "long.csv").write_bytes(b"a\n" + b"1\n" * 10**7)
    command = [sys.executable, "-c", LONG, str(tmp_path / "long.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=small.environment())
    rows, seconds, peak = done.stdout.split()
    assert int(rows) == 10**7
    assert float(seconds) < kit.SECONDS
    assert int(peak) < kit.MEMORY
