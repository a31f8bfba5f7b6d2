"""LSTMs in TFLite files: cells that grow as far as Keras lets them, and state that no sample leaves to the next."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers as L

import zoo
from dltk.base.errors import InputError
from dltk.edge.runtime.sessions import open_session
from dltk.export import tflite
from dltk.export.flatbuffer.stateless import STATE_OPERATOR, stateless
from dltk.quantization.plan import QuantizationPlan
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph
from dltk.workflows.exporting import card
from dltk.workflows.exporting.contents import state_of

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

export = import_module("dltk.workflows.export")  # the package has a function of that name
STEPS, UNITS, SAMPLES = 40, 3, 48
SIGNS = np.where(np.arange(SAMPLES) % 2, -1.0, 1.0)  # what one sample leaves behind turns the next one round
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
    """Series (n, steps, 2) that go up for 28 to 22 steps and down for the rest; every other one the other way round."""
    turns = np.linspace(28, 22, SAMPLES)[:, None]
    signs = np.where(np.arange(STEPS) < turns, 1.0, -1.0)[..., None]
    noise = np.random.Generator(np.random.PCG64(3)).uniform(0.8, 1.2, (SAMPLES, STEPS, 2))
    return (signs * noise * SIGNS[:, None, None]).astype(np.float32)


def cells(values: np.ndarray) -> np.ndarray:
    """How far the cell of a unit gets, by hand."""
    return np.cumsum(np.tanh(2.0 * values.sum(-1)), axis=1)


@pytest.fixture(scope="module")
def series():
    values = there_and_back()
    assert cells(values).max() > 20
    assert (cells(values)[:, -1] * SIGNS > 1).all()  # a cell that was cut at 10 would be beyond 0 by the end
    return values


def file_of(model, precision: str, series, *, keeps_state: bool = True) -> bytes:
    graph = deployed_graph(read(model))
    native = QuantizationPlan(precision="int8", ranges="native", samples={"series": series})
    plan = native if precision.startswith("int") else None
    graph = graph if keeps_state else stateless(graph, precision, plan)
    return tflite.emit(graph, zoo.signature(model), precision, plan)


def given(data: bytes, series) -> np.ndarray:
    (found,) = open_session("tflite", data).run({"series": series}).values()
    return found


@pytest.mark.parametrize("form", FORMS)
def test_a_cell_grows_as_far_as_in_keras(form, series):
    """1e-5: rounding of 40 steps; a cell cut at 10, the converter's own bound, turns the sign of the output."""
    model = counting(form)
    wanted = model.predict(series, verbose=0)
    assert np.abs(given(file_of(model, "float32", series), series) - wanted).max() <= 1e-5


@pytest.mark.parametrize("precision", ["dynamic", "int8"])
def test_a_cell_grows_in_every_precision(precision, series):
    """0.05: what int8 makes of one LSTM, whose cell has 16 bits.

    All series go up first: TensorFlow's calibrator sees a cell behind the last step only, and starts where the series
    before has ended.
    """
    model, upward = counting("last"), (series * SIGNS[:, None, None]).astype(np.float32)
    found, wanted = given(file_of(model, precision, upward), upward), model.predict(upward, verbose=0)
    assert np.abs(found - wanted).max() <= 0.05


def without_reset(data: bytes, series) -> np.ndarray:
    """Outputs as a program of somebody's own gets them, that only invokes."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    (reads,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for sample in series:
        interpreter.set_tensor(reads["index"], sample[None])
        interpreter.invoke()
        found.append(interpreter.get_tensor(gives["index"])[0].copy())
    return np.stack(found)


@pytest.mark.parametrize("form", ["last", "both"])
def test_a_stateless_file_needs_no_reset(form, series):
    model = counting(form)
    wanted = model.predict(series, verbose=0)
    data = file_of(model, "float32", series, keeps_state=False)
    assert STATE_OPERATOR not in open_session("tflite", data).operators()
    assert np.abs(without_reset(data, series) - wanted).max() <= 1e-5


@pytest.mark.parametrize("precision", ["dynamic", "int8"])
def test_a_stateless_file_needs_no_reset_in_any_precision(precision, series):
    model = counting("last")
    data = file_of(model, precision, series, keeps_state=False)
    assert STATE_OPERATOR not in open_session("tflite", data).operators()
    assert np.abs(without_reset(data, series) - model.predict(series, verbose=0)).max() <= 0.05


def test_any_other_file_is_reset_by_dltk_and_must_be_by_others(series):
    model = counting("last")
    data, wanted = file_of(model, "float32", series), model.predict(series, verbose=0)
    assert STATE_OPERATOR in open_session("tflite", data).operators()
    assert np.abs(given(data, series) - wanted).max() <= 1e-5
    assert np.abs(without_reset(data, series) - wanted).max() > 0.1


def test_a_long_int8_series_is_refused_with_what_to_do():
    series = keras.Input((65, 2), name="series")
    graph = deployed_graph(read(keras.Model(series, L.LSTM(UNITS)(series))))
    plan = QuantizationPlan(precision="int8", ranges="native", samples={})
    with pytest.raises(InputError, match="at most 64 steps; received 65") as caught:
        stateless(graph, "int8", plan)
    assert "float32" in caught.value.hint
    assert stateless(graph, "float32", None) != graph


def test_card_and_manifest_name_the_files_that_keep_state():
    files = [("model.float32.tflite", {STATE_OPERATOR: 1}), ("model.float32.onnx", {"LSTM": 1})]
    found = [
        SimpleNamespace(target=SimpleNamespace(file=name), artifact=SimpleNamespace(operators=operators))
        for name, operators in files
    ]
    lineage = state_of(found)
    assert lineage["keeps_state"]["files"] == ["model.float32.tflite"]
    assert "reset" in lineage["keeps_state"]["before_each_sample"]
    told = card._state(lineage)
    assert "`model.float32.tflite`" in told
    assert "onnx" not in told
    assert "reset_all_variables" in told
    assert state_of(found[1:]) == {}
    assert card._state({}) == ""
