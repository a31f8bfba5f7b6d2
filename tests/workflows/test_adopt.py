"""A model in a legacy `.h5` file goes the whole way: adopted, compressed, exported, and the bundle proves itself."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import small
from dltk.edge import load, replay
from dltk.run import Run
from dltk.workflows import adopt, compress, export

SIDE = 8
pytestmark = [
    *small.QUIET,
    # Keras says that .h5 is old; people bring such files all the same.
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]


def trained(package):
    """A CNN of digits that scales its pixels and ends in softmax itself; Keras 2 and 3 have these layers in common."""
    from sklearn.datasets import load_digits

    layers = package.layers
    package.utils.set_random_seed(0)
    model = package.Sequential(
        [
            layers.InputLayer((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Conv2D(32, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.1),
            layers.Dense(10),
            layers.Softmax(),
        ]
    )
    pixels, targets = load_digits(return_X_y=True)
    raws = np.repeat(np.round(pixels * 255 / 16).reshape(-1, SIDE, SIDE, 1), 3, axis=-1).astype(np.float32)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(raws, targets, epochs=4, batch_size=32, verbose=0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
def test_an_h5_file_becomes_a_bundle(package, tmp_path):
    model = trained(importlib.import_module(package))
    model.save(tmp_path / "model.h5")
    run = adopt(tmp_path / "model.h5", recipe="cnn", data="digits", run=tmp_path / "run")
    raws, _ = run.evaluation()
    expected = np.asarray(model(raws.astype(np.float32), training=False))
    assert run.read_json("metrics")["accuracy"] > 0.9
    compress(run.path, out=tmp_path / "small")  # the recipe's own plan: int8
    export(tmp_path / "small", out=tmp_path / "bundle")
    report = replay(tmp_path / "bundle")
    assert report["passed"]
    assert {row["file"] for row in report["artifacts"]} >= {"model.int8.tflite", "model.int8.onnx"}
    assert Run.open(tmp_path / "small").signature.postprocess == ({"op": "identity"},)  # softmax is inside
    bundled = load(tmp_path / "bundle", artifact="model.int8.tflite")
    found = [int(bundled.predict(raw, top=1)[0][0]) for raw in raws]
    # Two classes that float holds for nearly equal may change places in int8; the gate of export asks for as much.
    assert (np.array(found) == expected.argmax(-1)).mean() >= 0.95
    scores = dict(load(tmp_path / "bundle", artifact="model.float32.onnx").predict(raws[0], top=10))
    # What float32 files are held to, for outputs of at most 1.
    assert [scores[str(digit)] for digit in range(10)] == pytest.approx(expected[0], abs=1e-5)
