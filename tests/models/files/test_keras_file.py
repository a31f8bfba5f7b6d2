"""Models that keep state between calls, or were compiled with somebody's own classes, open as what they compute."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L
from keras import ops

from dltk.base.errors import InputError
from dltk.models.files.keras_file import open_keras
from dltk.twin.build import build
from dltk.twin.read import read

pytestmark = [
    pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

CELLS = {
    "gru": lambda: L.GRU(5, stateful=True),
    "lstm": lambda: L.LSTM(5, stateful=True),
    "simple": lambda: L.SimpleRNN(5, stateful=True),
    "both ways": lambda: L.Bidirectional(L.LSTM(5, stateful=True)),
    "none": lambda: L.Flatten(),  # only the batch size is fixed
}


@keras.saving.register_keras_serializable("theirs")
class Ones(keras.metrics.Metric):
    def update_state(self, y_true, y_pred, sample_weight=None):
        pass

    def result(self):
        return 1.0


@keras.saving.register_keras_serializable("theirs")
class Slow(keras.optimizers.SGD):
    pass


@keras.saving.register_keras_serializable("theirs")
def squares(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred))


@keras.saving.register_keras_serializable("theirs")
class Theirs(L.Layer):
    def call(self, inputs):
        return inputs


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", CELLS)
def test_a_stateful_layer_opens_as_its_first_call(tmp_path, name, suffix):
    series = keras.Input((8, 4), batch_size=2)
    model = keras.Model(series, L.Dense(3)(CELLS[name]()(series)))
    values = np.random.Generator(np.random.PCG64(1)).normal(size=(6, 8, 4)).astype(np.float32)
    wanted = []
    for start in range(0, 6, 2):
        for layer in model.layers:
            if hasattr(layer, "reset_states") and getattr(layer, "stateful", False):
                layer.reset_states()
        wanted.append(np.asarray(model(values[start : start + 2])))
    model.save(tmp_path / f"model.{suffix}")
    opened = open_keras(tmp_path / f"model.{suffix}")
    assert opened.inputs[0].shape == (None, 8, 4)
    for found in (opened(values), opened(values), build(read(opened))(values)):  # nothing stays between calls
        assert np.abs(np.asarray(found) - np.concatenate(wanted)).max() <= 1e-6


@pytest.mark.parametrize(
    "compiled",
    [{"metrics": [Ones()]}, {"loss": squares}, {"optimizer": Slow(0.1)}],
    ids=["metric", "loss", "optimizer"],
)
def test_what_a_model_was_compiled_with_does_not_matter(tmp_path, compiled):
    rows = keras.Input((4,))
    model = keras.Model(rows, L.Dense(3)(rows))
    model.compile(**{"optimizer": "sgd", "loss": "mse"} | compiled)
    model.save(tmp_path / "model.keras")
    values = np.ones((2, 4), np.float32)
    opened = open_keras(tmp_path / "model.keras")
    assert not getattr(opened, "compiled", False)
    assert np.array_equal(np.asarray(opened(values)), np.asarray(model(values)))


def test_a_layer_of_somebodys_own_is_still_refused_by_its_name(tmp_path):
    rows = keras.Input((4,))
    model = keras.Model(rows, L.Dense(3)(Theirs(name="mine")(rows)))
    model.compile("sgd", squares)
    model.save(tmp_path / "model.keras")
    with pytest.raises(InputError, match="'mine': must be one of Keras' own classes"):
        open_keras(tmp_path / "model.keras")
