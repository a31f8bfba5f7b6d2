"""Edits of ONNX graphs that change nothing of what is computed."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dltk.export.tidy import drop_idle_reshapes


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
