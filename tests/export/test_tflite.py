"""TFLite files: what they give, what they hold, that they repeat."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dltk.edge.bundle.signature import Signature

pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")

QUICK = ("resnet", "squeeze", "dense_net", "many", "lstm", "tabular", "sequence")
# An untrained MobileNetV2, 52 layers deep, without the repairs that `quantize` tries.
NEAR = {"mobile": 0.98}
ALL = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in ("mobile", "causal", "embedded"))]


def cosine(found, expected):
    """Mean over samples, of the answers as rows."""
    lengths = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    return float(((found * expected).sum(-1) / lengths).mean())


@pytest.mark.parametrize("name", ALL)
def test_float32_is_equal(made, name):
    """1e-5 of the largest output: the kernels sum in another order than Keras'."""
    found = made.answers(name, "tflite", "float32")
    for key, expected in made.case(name).expected.items():
        assert np.abs(found[key] - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("name", ["states", "started"])
def test_a_loop_may_start_from_a_given_state(made, name, precision):
    """TFLite's fused LSTM would write over the state, or the runtime would refuse the file."""
    found, expected = made.answers(name, "tflite", precision), made.case(name).expected
    for key, wanted in expected.items():
        if precision == "float32":
            assert np.abs(found[key] - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())
        assert cosine(found[key], wanted) >= 0.99


@pytest.mark.parametrize("name", ["resnet", "lstm"])
def test_float16_is_near(made, name):
    """1e-2: weights keep 11 bits, 5e-4 each, and the errors of several layers add up."""
    found = made.answers(name, "tflite", "float16")
    for key, expected in made.case(name).expected.items():
        assert np.abs(found[key] - expected).max() <= 1e-2 * np.abs(expected).max()
    assert len(made.artifact(name, "tflite", "float16")) != len(made.artifact(name, "tflite", "float32"))


def test_dynamic_is_near(made):
    found = made.answers("resnet", "tflite", "dynamic")["logits_out"]
    assert cosine(found, made.case("resnet").expected["logits_out"]) >= 0.999


@pytest.mark.parametrize("precision", ["int8", "int8-io"])
@pytest.mark.parametrize("name", ALL)
def test_int8_is_near(made, name, precision):
    """Cosine 0.99: one step in 255 of each tensor's range, over a few layers."""
    found = made.answers(name, "tflite", precision)
    for key, expected in made.case(name).expected.items():
        assert cosine(found[key], expected) >= NEAR.get(name, 0.99)
        assert np.ptp(found[key], axis=0).max() > 0


@pytest.mark.parametrize("name", ["resnet", "squeeze", "dense_net", "tabular", "sequence", "lstm", "many"])
def test_int8_is_wholly_int8(made, name):
    opened = made.session(name, "tflite", "int8")
    assert opened.float_operators() == {}
    count = opened.operators()
    assert count["QUANTIZE"] == len(opened.inputs)
    assert count["DEQUANTIZE"] == len(opened.outputs)


@pytest.mark.parametrize("precision", ["float32", "int8", "int8-io"])
@pytest.mark.parametrize("name", ["resnet", "many", "lstm"])
def test_borders_are_named_by_the_signature(made, name, precision):
    signature, opened = made.case(name).signature, made.session(name, "tflite", precision)
    assert {port.name for port in opened.inputs} == {spec.name for spec in signature.inputs}
    assert {port.name for port in opened.outputs} == {spec.name for spec in signature.outputs}
    dtype = "int8" if precision == "int8-io" else "float32"
    assert {port.dtype for port in (*opened.inputs, *opened.outputs)} == {dtype}


@pytest.mark.parametrize("name", ["resnet", "lstm", pytest.param("embedded", marks=pytest.mark.slow)])
def test_only_builtin_operators(made, name):
    names = made.session(name, "tflite", "float32").operators()
    assert not [found for found in names if "Flex" in found or "CUSTOM" in found.upper()]


@pytest.mark.slow
def test_weights_are_stored_as_int8(made):
    """A model of 400,000 weights: a quarter of its bytes, and the tables of scales and names beside them."""
    sizes = {precision: len(made.artifact("mobile", "tflite", precision)) for precision in ("float32", "int8")}
    assert sizes["int8"] <= sizes["float32"] / 2.5


@pytest.mark.parametrize(("name", "precision"), [("resnet", "float32"), ("resnet", "int8"), ("lstm", "int8")])
def test_emitting_again_gives_the_same_bytes(made, name, precision):
    assert made.case(name).emit("tflite", precision) == made.artifact(name, "tflite", precision)


def test_the_description_is_inside(made):
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(made.artifact("resnet", "tflite", "int8")))
    (entry,) = [item for item in model.metadata if item.name == b"dltk"]
    found = json.loads(bytes(model.buffers[entry.buffer].data))
    assert found["precision"] == "int8"
    again = Signature.from_dict(found["signature"], "metadata")
    assert again == made.case("resnet").signature
