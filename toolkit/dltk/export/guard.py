"""Float islands in an integer file: operators that keep quantizers away from a layer.

TensorFlow's converter and `dltk.export.graph.qdq` make an integer operator of whatever stands between two grids. A
layer that the plan leaves float gets a guard before each input that lies on a grid: an operator without an integer
form. Once a TFLite file is quantized its guards are taken out (`dltk.export.flatbuffer.edits`); in ONNX they become
copies, since the runtime quantizes once more. A guard is known by its name: a model may hold the same operator as a
layer of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from dltk.quantization.fake_quant import rounded
from dltk.quantization.plan import QuantizationPlan
from dltk.quantization.scheme import NARROW
from dltk.twin.graph import Call, Graph, Layer, Ref, map_refs
from dltk.twin.table import row

__all__ = ["ONNX_GUARD", "TFLITE_GUARD", "guard_names", "is_guard", "guarded_graph", "replace_guards_by_copies"]

# tf2onnx moves its transposes through Exp, but not through Ceil; TFLite's Ceil has no integer kernel.
ONNX_GUARD, TFLITE_GUARD = "exp", "ceil"
_SEPARATORS = re.compile("[/;:]")  # of scopes, of the nodes that became one, of a node and its output


def guarded_graph(graph: Graph, plan: QuantizationPlan, guard: str, *, borders: bool = False) -> Graph:
    """`graph` as a converter must see it to follow `plan`: narrow weights on their grid, float layers guarded.

    Args:
        guard: ONNX_GUARD or TFLITE_GUARD.
        borders: whether the file's borders are integers, so that float layers read them from a grid.
    """
    if plan.ranges != "shared":
        return graph
    grids = {**plan.tensors, **plan.borders} if borders else plan.tensors
    # Beside 16-bit grids the converter fails on what has no such kernel, and carries a grid back through some of it.
    wide = plan.precision == "int16x8"
    kept = [name for name in plan.floats if wide or _has_integer_form(graph, name)]
    graph = _guarded(graph, kept, grids, guard, behind=wide)
    if plan.levels != NARROW:
        return graph
    # The converters take max |w| / 127: on the narrow grid already, the weights can be read back from that exactly.
    narrow = {name: rounded(graph.layers[name], scale) for name, scale in plan.weights.items() if name in graph.layers}
    return replace(graph, layers={**graph.layers, **narrow})


def _has_integer_form(graph: Graph, name: str) -> bool:
    return name in graph.layers and row(graph.layers[name].kind, graph.layers[name].config).int8


def _guarded(graph: Graph, kept: Collection[str], grids: Mapping[str, Any], guard: str, *, behind: bool) -> Graph:
    """`graph` with guards before the layers `kept`, and behind them too if `behind`, wherever a grid is."""
    layers, calls = dict(graph.layers), list[Call]()

    def stand(source: str, target: str) -> None:
        name = f"{target}.guard"
        while name in layers:  # somebody may have called a layer so
            name += "_"
        layers[name] = Layer(name, "Guard", {"function": guard})
        calls.append(Call(name, (Ref(source),), {}, (target,)))

    for call in graph.calls:
        if call.layer not in kept:
            calls.append(call)
            continue
        before = {name: f"{call.outputs[0]}.of.{name}" for name in call.inputs if name in grids}
        after = {name: f"{name}.raw" for name in call.outputs if behind and name in grids}
        for name, guarded in before.items():
            stand(name, guarded)
        calls.append(replace(_reading(call, before), outputs=tuple(after.get(name, name) for name in call.outputs)))
        for name, raw in after.items():
            stand(raw, name)
    return graph.with_calls(calls, layers)


def _reading(call: Call, renamed: Mapping[str, str]) -> Call:
    def change(ref: Ref) -> Ref:
        return Ref(renamed.get(ref.tensor, ref.tensor))

    return replace(call, args=map_refs(call.args, change), kwargs=map_refs(dict(call.kwargs), change))


def guard_names(graph: Graph) -> frozenset[str]:
    """What the guards of `graph` are called in a converted model: a part of a node's name."""
    from dltk.twin.build import layer_names

    return frozenset(name for layer, name in layer_names(graph).items() if graph.layers[layer].kind == "Guard")


def is_guard(name: str, guards: Collection[str]) -> bool:
    """Whether a node of that name, or one that the converter made of several, is one of `guard_names`."""
    return not set(guards).isdisjoint(_SEPARATORS.split(name))


def replace_guards_by_copies(model: Any, guards: Collection[str]) -> None:
    """Make copies of the guards in an ONNX model; changes `model`.

    onnxruntime too quantizes the float weights of what stands between two grids, with one scale for a whole kernel
    (its pass is called WeightBiasQuantization). A Max of one input, which it runs as a copy, keeps that pass away.

    Args:
        guards: `guard_names` of the graph that the model was made of.
    """
    for node in model.graph.node:
        if node.op_type == "Exp" and is_guard(node.name, guards):
            node.op_type = "Max"
