"""A layer whose activation ends before its grid does computes in integers, and gives what it gave."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import zoo
from dltk.edge.metrics import mean_cosine
from dltk.edge.runtime.sessions import open_session
from dltk.export.graph.clips import clip_in_integers
from dltk.export.onnx import emit
from dltk.quantization.calibration import calibrate
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


def joined(activation):
    """A concatenation, which has one grid, of a convolution with `activation` and of one that reaches further."""
    layers = keras.layers
    image = keras.Input((8, 8, 3), name="image")
    cut = layers.Conv2D(4, 3, activation=activation, name="cut")(image)
    far = layers.Rescaling(20.0)(layers.Conv2D(4, 3, name="far")(image))
    both = layers.Concatenate(name="both")([cut, far])
    return zoo.shake(keras.Model(image, layers.Conv2D(2, 3, name="y")(both)))


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
@pytest.mark.parametrize("activation", ["relu6", "relu"])
def test_a_layer_beside_one_that_reaches_further_is_int8(activation):
    """Cosine 0.99: one step in 255 of each tensor's range."""
    model = joined(activation)
    graph, signature = deployed_graph(read(model)), zoo.signature(model)
    (few,), (many,) = zoo.samples(model, 100), zoo.samples(model, 64, seed=8)
    session = open_session(
        "onnx", emit(graph, signature, "int8", calibrate(graph, {graph.inputs[0].name: few}, limits={}))
    )
    assert not {"Conv", "FusedConv"}.intersection(session.float_operators())
    found, wanted = (
        value.reshape(len(value), -1)
        for value in (*session.run(zoo.feeds(model, [many])).values(), *zoo.expected(model, [many]))
    )
    assert mean_cosine(wanted, found) >= 0.99


def clipped(kind, scale, zero):
    """x + x -> Relu or Clip to 0..6 -> uint8."""
    bounds = ["low", "high"] if kind == "Clip" else []
    nodes = [
        helper.make_node("Add", ["x", "x"], ["sum"]),
        helper.make_node(kind, ["sum", *bounds], ["cut"]),
        helper.make_node("QuantizeLinear", ["cut", "scale", "zero"], ["y"]),
    ]
    constants = {"low": np.float32(0), "high": np.float32(6), "scale": np.float32(scale), "zero": np.uint8(zero)}
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.UINT8, ["n"])
    graph = helper.make_graph(nodes, "clipped", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("kind", "scale", "zero", "moved"),
    [
        ("Clip", 0.03, 0, True),  # up to 7.65
        ("Clip", 0.05, 100, True),  # -5..7.75
        ("Clip", 6.01 / 255, 0, True),  # a bound between the last two numbers
        ("Clip", 6 / 255, 0, False),
        ("Clip", 0.01, 0, False),
        ("Relu", 0.05, 100, True),
        ("Relu", 0.05, 0, False),
    ],
)
def test_to_cut_the_integers_is_to_cut_before_rounding(kind, scale, zero, moved):
    import onnxruntime

    values = np.linspace(-6, 6, 24_001, dtype=np.float32)
    before, after = clipped(kind, scale, zero), clipped(kind, scale, zero)
    clip_in_integers(after)
    onnx.checker.check_model(after, full_check=True)
    order = [node.op_type for node in after.graph.node]
    assert order == (["Add", "QuantizeLinear", "Clip"] if moved else ["Add", kind, "QuantizeLinear"])
    one, other = (
        onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": values})[0] for model in (before, after)
    )
    assert (one == other).all()
