"""Edits of ONNX graphs that change nothing of what is computed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dltk.export.graph.tidy import drop_idle_reshapes, sink_squeezes


def chain(target, *, last=False):
    """relu -> reshape (n, 3, 1, 1) to `target` -> sigmoid, or without the sigmoid."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Reshape", ["a", "target"], ["y" if last else "b"]),
        *([] if last else [helper.make_node("Sigmoid", ["b"], ["y"])]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 1, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"size{i}" for i in range(len(target))])
    shape = numpy_helper.from_array(np.array(target, np.int64), "target")
    return helper.make_model(helper.make_graph(nodes, "chain", [x], [y], [shape]))


@pytest.mark.parametrize("target", [[-1, 3, 1, 1], [0, 3, 1, 1], [-1, 1, 1, 3], [-1, 3], [2, 3, 1, 1]])
def test_a_reshape_to_the_shape_that_is_there_goes(target):
    model = chain(target)
    drop_idle_reshapes(model)
    kinds = ["Relu", "Sigmoid"] if target == [-1, 3, 1, 1] else ["Relu", "Reshape", "Sigmoid"]
    assert [node.op_type for node in model.graph.node] == kinds
    onnx.checker.check_model(model)


def test_an_output_of_the_model_keeps_its_maker():
    model = chain([-1, 3, 1, 1], last=True)
    drop_idle_reshapes(model)
    assert [node.op_type for node in model.graph.node] == ["Relu", "Reshape"]


def squeezed(bias_shape):
    """conv over a series of one row -> squeeze -> add a bias -> relu -> maximum, as tf2onnx has it."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["a"]),
        helper.make_node("Squeeze", ["a", "axes"], ["b"]),
        helper.make_node("Add", ["b", "bias"], ["c"], name="add"),
        helper.make_node("Relu", ["c"], ["d"]),
        helper.make_node("GlobalMaxPool", ["d"], ["y"]),
    ]
    generator = np.random.default_rng(0)
    constants = {
        "kernel": generator.standard_normal((3, 2, 1, 2)).astype(np.float32),
        "axes": np.array([2], np.int64),
        "bias": generator.standard_normal(bias_shape).astype(np.float32),
    }
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2, 1, 5])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 1])
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "series", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize(
    ("bias_shape", "kinds"),
    [
        ((3, 1), ["Conv", "Relu", "Squeeze", "GlobalMaxPool"]),
        ((1, 3, 1), ["Conv", "Relu", "Squeeze", "GlobalMaxPool"]),
        ((3, 4), ["Conv", "Squeeze", "Add", "Relu", "GlobalMaxPool"]),  # another number a step: no bias
    ],
)
def test_what_belongs_to_a_convolution_stands_next_to_it(bias_shape, kinds):
    runtime = pytest.importorskip("onnxruntime")
    model = squeezed(bias_shape)
    x = np.random.default_rng(1).standard_normal((2, 2, 1, 5)).astype(np.float32)
    before = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    sink_squeezes(model)
    assert [node.op_type for node in model.graph.node] == kinds
    onnx.checker.check_model(model, full_check=True)
    after = runtime.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]
    np.testing.assert_allclose(after, before, atol=1e-6)  # the bias may be added in another order
