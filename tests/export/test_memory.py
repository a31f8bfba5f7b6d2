"""LSTMs in TFLite files: cells that grow as far as Keras lets them, and state that no sample leaves to the next."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.compress.plan import QuantizationPlan
from dltk.edge.runtimes import open_session
from dltk.export import tflite
from dltk.twin.read import read
from dltk.twin.rewrite import deployed

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

STEPS, UNITS, SAMPLES = 40, 3, 48
FORMS = {
    "last": lambda x: L.LSTM(UNITS)(x),
    "backwards": lambda x: L.LSTM(UNITS, go_backwards=True)(x),
    "whole": lambda x: L.LSTM(UNITS, return_sequences=True)(x),
    "both": lambda x: L.Bidirectional(L.LSTM(UNITS))(x),
    "stacked": lambda x: L.LSTM(UNITS)(L.LSTM(UNITS, return_sequences=True)(x)),
}


def counting(form: str):
    """A model whose cells add up the signs of what they read: gates stay open, so that they reach the twenties."""
    series = keras.Input((STEPS, 2), name="series")
    model = keras.Model(series, FORMS[form](series))
    for layer in model.layers[1:]:
        for cell in [layer] if isinstance(layer, L.LSTM) else [layer.forward_layer, layer.backward_layer]:
            kernel, inner, bias = (np.zeros_like(weight) for weight in cell.get_weights())
            kernel[:, 2 * UNITS : 3 * UNITS] = 2.0 + 0.1 * np.arange(UNITS)
            bias[: 2 * UNITS], bias[3 * UNITS :] = 9.0, 3.0  # input and forget gates; the output gate
            cell.set_weights([kernel, inner, bias])
    return model


def there_and_back() -> np.ndarray:
    """Series (n, steps, 2) that go up for 22 to 28 steps and down for the rest."""
    turns = np.linspace(22, 28, SAMPLES)[:, None]
    signs = np.where(np.arange(STEPS) < turns, 1.0, -1.0)[..., None]
    noise = np.random.Generator(np.random.PCG64(3)).uniform(0.8, 1.2, (SAMPLES, STEPS, 2))
    return (signs * noise).astype(np.float32)


def cells(values: np.ndarray) -> np.ndarray:
    """How far the cell of a unit gets, by hand."""
    return np.cumsum(np.tanh(2.0 * values.sum(-1)), axis=1)


@pytest.fixture(scope="module")
def series():
    values = there_and_back()
    assert cells(values).max() > 20
    assert (cells(values)[:, -1] > 0).all()  # a cell that was cut at 10 would be below 0 by the end
    return values


def file_of(model, precision: str, series) -> bytes:
    graph = deployed(read(model))
    plan = QuantizationPlan(precision="int8", ranges="native", samples={"series": series})
    return tflite.emit(graph, zoo.signature(model), precision, plan if precision.startswith("int") else None)


def given(data: bytes, series) -> np.ndarray:
    (found,) = open_session("tflite", data).run({"series": series}).values()
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_cell_grows_as_far_as_in_keras(form, series):
    """1e-5: rounding of 40 steps; a cell cut at 10, the converter's own bound, turns the sign of the output."""
    model = counting(form)
    wanted = model.predict(series, verbose=0)
    assert np.abs(given(file_of(model, "float32", series), series) - wanted).max() <= 1e-5


@pytest.mark.parametrize("precision", ["float16", "dynamic", "int8"])
def test_a_cell_grows_in_every_precision(precision, series):
    """0.05: what int8 makes of one LSTM, whose cell has 16 bits; the calibrator must have seen the whole cell."""
    model = counting("last")
    found, wanted = given(file_of(model, precision, series), series), model.predict(series, verbose=0)
    assert np.abs(found - wanted).max() <= 0.05
