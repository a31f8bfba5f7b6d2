"""Loops of an ONNX graph: what their bodies read from around them, they are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dltk.export.graph.tidy import inputs_of_node

__all__ = ["pass_captured_through_loops"]


def pass_captured_through_loops(model: Any) -> None:
    """Each computed tensor that a loop's body reads from around it is carried through the loop; changes `model`.

    onnxruntime moves a Q/DQ pair over a Transpose or a Reshape to whatever reads it. Where that is the body of a loop
    the process ends: only the reader's named inputs are counted (`QDQPropagationTransformer`, seen in 1.32).
    """
    loops = [node for node in model.graph.node if node.op_type == "Loop"]
    if not loops:
        return
    import onnx

    found = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.type for value in (*found.value_info, *found.input)}
    computed = {name for node in model.graph.node for name in node.output} | {item.name for item in model.graph.input}
    for loop in loops:
        (body,) = (item.g for item in loop.attribute if item.name == "body")
        captured = sorted(computed.intersection(name for node in body.node for name in inputs_of_node(node)))
        for name in captured:
            _carry(loop, body, name, types[name])
        _rename(body, {name: _inside(loop, name) for name in captured})


def _carry(loop: Any, body: Any, name: str, type: Any) -> None:
    """The tensor `name` as one more value that goes into each turn of the loop and comes out as it was."""
    import onnx

    before, after = _inside(loop, name), f"{_inside(loop, name)}_after"
    carried = len(loop.input) - 2  # behind the number of turns and the condition
    loop.input.append(name)
    loop.output.extend([""] * (carried - len(loop.output)))
    loop.output.insert(carried, f"{before}_last")
    body.input.append(onnx.ValueInfoProto(name=before, type=type))
    body.node.append(onnx.helper.make_node("Identity", [before], [after]))
    body.output.insert(1 + carried, onnx.ValueInfoProto(name=after, type=type))


def _inside(loop: Any, name: str) -> str:
    return f"{name}_in_{loop.output[0]}"


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        for item in node.attribute:
            if item.HasField("g"):
                _rename(item.g, names)
