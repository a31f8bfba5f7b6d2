"""Every layer class of Keras with every value of every argument: exported, or refused with one line. See `cases`.

Adopt decides about every case. Of what it accepts a share, drawn by a fixed seed, is put into models of many branches,
and each of those must come out of export as a proven bundle.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("onnxruntime")

import keras
import numpy as np
import tf_keras

import small
from dltk.base.errors import DltkError
from dltk.twin.table import ROWS
from layergrid import cases as grid
from layergrid import way
from layergrid.recipes import NEVER, RECIPES
from layergrid.wholes import WHOLES

pytestmark = [
    *small.QUIET,
    pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask attached to it:UserWarning"),
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are using a softmax over axis 0:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built:UserWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

# Loops that grow without bound on these images: adopt refuses what they compute as no finite numbers.
ENDLESS = {f"{kind}(activation='exponential')" for kind in ("LSTM", "SimpleRNN")} | {
    "GRU(recurrent_activation='exponential')"
}
SEED, SAMPLE, BRANCHES, MODELS = 13, 30, 20, 10
QUICK_WHOLES = (
    "kinds",
    "uint8",
    "lora",
    "called-alike",
    "odd-names",
    "uint8-overflow",
    "quantized",
    "subclass",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return way.photos(tmp_path_factory.mktemp("photos") / "data")


def test_no_class_and_no_argument_is_forgotten():
    """A newer Keras brings new ones: each needs a recipe or a reason, and a value to try."""
    assert grid.forgotten() == []
    assert not set(RECIPES) & set(NEVER)
    assert {*RECIPES, *NEVER} == set(grid.classes())


def sample() -> list[grid.Case]:
    """One case of every class that dltk knows, and others from all over the grid: always the same ones."""
    mixed = random.Random(SEED).sample(grid.cases(), len(grid.cases()))
    known = {case.kind: case for case in mixed if case.kind in ROWS}
    rest = [case for case in mixed if case is not known.get(case.kind)]
    return [*known.values(), *rest[:SAMPLE]]


def accepted(cases: Sequence[grid.Case], folder: Path) -> list[grid.Case]:
    """Those of `cases` that adopt takes; each of the others is refused with one line."""
    found = []
    for number, case in enumerate(cases):
        if number % 100 == 0:
            keras.utils.clear_session()
            tf_keras.backend.clear_session()
        try:
            model = way.joined([case])
        except Exception:  # Keras does not take it
            continue
        if outcome(case, model, folder / "model.keras"):
            found.append(case)
    return found


def outcome(case: grid.Case, model: Any, path: Path) -> bool:
    """Whether adopt takes the model, and it computes something."""
    model.save(path)
    try:
        ready = way.opened(path)
    except DltkError as fault:
        way.refused(fault)
        return False
    except Exception as fault:
        raise AssertionError(f"{case.name} ends with {type(fault).__name__}: {fault}") from fault
    finite = bool(np.isfinite(np.asarray(ready(way.pixels(), training=False))).all())
    assert finite or case.name in ENDLESS, f"{case.name} computes no numbers"
    return finite


def exported(cases: Sequence[grid.Case], photos: Path, folder: Path, *, int8: bool = False) -> None:
    """All of `cases` as branches of one model, through adopt and export; what fails is looked for."""
    folder.mkdir()
    way.joined(cases).save(folder / "model.keras")
    try:
        way.gone(folder / "model.keras", photos, folder, int8=int8)
    except Exception as fault:
        if len(cases) > 1:
            for half, part in enumerate((cases[: len(cases) // 2], cases[len(cases) // 2 :])):
                exported(part, photos, folder / str(half), int8=int8)
        names = ", ".join(case.name for case in cases)
        raise AssertionError(f"{names}: adopt accepts it, and then {type(fault).__name__}: {fault}") from fault


def test_a_sample_of_the_grid(photos, tmp_path):
    taken = accepted(sample(), tmp_path)
    assert len(taken) > SAMPLE
    exported(random.Random(SEED).sample(taken, BRANCHES), photos, tmp_path / "few")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_of_the_grid(photos, tmp_path):
    taken = accepted(grid.cases(), tmp_path)
    drawn = random.Random(SEED).sample(taken, BRANCHES * MODELS)
    for number in range(MODELS):
        part = drawn[number * BRANCHES : (number + 1) * BRANCHES]
        exported(part, photos, tmp_path / str(number), int8=number % 4 == 0)


def wholes() -> Iterator[Any]:
    for name in WHOLES:
        yield pytest.param(name, marks=[] if name in QUICK_WHOLES else pytest.mark.slow)


@pytest.mark.parametrize("name", list(wholes()))
def test_whole_models(name, photos, tmp_path):
    whole = WHOLES[name]
    path = tmp_path / f"model{whole.ending}"
    whole.make().save(path)
    if not whole.says:
        way.gone(path, photos, tmp_path, settings=whole.settings, int8=whole.int8)
        return
    with pytest.raises(DltkError) as caught:
        way.gone(path, photos, tmp_path, settings=whole.settings)
    assert whole.says in way.refused(caught.value)
    assert not (tmp_path / "run").exists()
