"""Loops in ONNX files: onnxruntime takes them behind integers, and they compute what they did."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
from keras import layers as L
from onnx import TensorProto, helper, numpy_helper

import zoo
from dltk.edge.metrics import mean_cosine
from dltk.edge.runtime.sessions import open_session
from dltk.export.graph.loops import pass_captured_through_loops
from dltk.export.onnx import emit
from dltk.quantization.calibration import calibrate
from dltk.twin.read import read
from dltk.twin.rewrite import deployed_graph


def behind(cell):
    """A recurrent layer that stays float behind a layer that does not, in an int8 file."""
    series = keras.Input((6, 3), name="series")
    model = keras.Model(series, L.Dense(2, name="y")(cell(L.Dense(4, name="before")(series))))
    return zoo.shake(model)


@pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")
@pytest.mark.parametrize("cell", [L.SimpleRNN(5), L.GRU(5), L.GRU(5, reset_after=False)], ids=["simple", "gru", "old"])
def test_a_recurrent_layer_behind_integers_runs(cell):
    """Cosine 0.99: one step in 255 of each tensor's range."""
    model = behind(cell)
    graph, signature = deployed_graph(read(model)), zoo.signature(model)
    (few,), (many,) = zoo.samples(model, 100), zoo.samples(model, 64, seed=8)
    data = emit(graph, signature, "int8", calibrate(graph, {graph.inputs[0].name: few}, limits={}))
    (found,) = open_session("onnx", data).run(zoo.feeds(model, [many])).values()
    (wanted,) = zoo.expected(model, [many])
    assert mean_cosine(wanted, found) >= 0.99


def looped():
    """y, a state that three turns add 2x to, and all its values on the way; 2x is made outside, and read within."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["state", "twice"], ["next"]),
            helper.make_node("Identity", ["next"], ["each"]),
            helper.make_node("Identity", ["on"], ["still"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [2]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("each", TensorProto.FLOAT, [2]),
        ],
    )
    constants = {"turns": np.array(3, np.int64), "yes": np.array(True), "start": np.zeros(2, np.float32)}
    nodes = [
        helper.make_node("Add", ["x", "x"], ["twice"]),
        helper.make_node("Loop", ["turns", "yes", "start"], ["y", "all"], body=body),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy")
    every = helper.make_tensor_value_info("all", TensorProto.FLOAT, [3, 2])
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "looped", [x], [y, every], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_a_body_reads_from_around_it_is_carried():
    import onnxruntime

    model = looped()
    pass_captured_through_loops(model)
    onnx.checker.check_model(model, full_check=True)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    (body,) = (item.g for item in loop.attribute)
    assert loop.input[-1] == "twice"
    assert "twice" not in {name for node in body.node for name in node.input}
    y, every = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": np.float32([1, -2])})
    assert y.tolist() == [6, -12]
    assert every.tolist() == [[2, -4], [4, -8], [6, -12]]


def test_a_graph_without_loops_stays_as_it_is():
    model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "plain", [], []))
    before = model.SerializeToString()
    pass_captured_through_loops(model)
    assert model.SerializeToString() == before
