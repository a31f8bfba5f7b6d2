"""Hostile Keras files and Runs, through the commands that load TensorFlow."""

from __future__ import annotations

import pytest

import small
from attacks import kit
from attacks.foreign import FOREIGN, RUNS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), kit.LINUX, *small.QUIET]


@pytest.fixture(scope="module")
def outcomes(compressed, tmp_path_factory):
    import keras

    folder = tmp_path_factory.mktemp("attacks")
    layers = [keras.Input((8, 8, 3)), keras.layers.ReLU(), keras.layers.Flatten(), keras.layers.Dense(10)]
    model = keras.Sequential(layers)
    model.save(folder / "sound.keras")
    model.save(folder / "sound.h5")
    attacks = {name: of(folder / "sound.keras") for name, of in FOREIGN.items()}
    attacks |= {name: of(compressed.path) for name, of in RUNS.items()}
    places, cases = kit.prepare(attacks, folder)
    return places, cases, kit.run(places, cases, heavy=True)


@pytest.mark.parametrize("name", [*FOREIGN, *RUNS])
def test_no_code_no_outside_read_one_line_little_memory(outcomes, name):
    places, cases, found = outcomes
    kit.judge(places[name], cases[name], found[name])
