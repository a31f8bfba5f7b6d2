"""The two ends of a student: it takes the same tensors as its teacher, and gives outputs of the same form.

All of it is surgery on the layer graph, so that what comes out is one flat model whose names depend on nothing but it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError, did_you_mean
from dltk.edge.bundle.signature import Op, TensorSpec
from dltk.models.names import Names
from dltk.twin.graph import Call, Graph, GraphInput, Layer, Ref

__all__ = [
    "Scaling",
    "with_output_activation",
    "scaling_between",
    "output_activation",
    "with_input",
    "with_inputs_in_order",
    "renumbered",
    "scaling_of",
    "truncated_after",
    "with_head",
]

_READING = ("decode", "resize", "window")  # ops that make a raw sample: a student gets the run's
_POOLS = {3: "GlobalAveragePooling2D", 2: "GlobalAveragePooling1D"}  # by the rank of a sample's features
_KEEPS_VALUES = ("Reshape", "Flatten", "Dropout")
_ENDINGS = {"Softmax": "softmax", "op.Softmax": "softmax", "op.Sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Scaling:
    """x * multiply + add, float64 (channels,) each; with `reverse` the channels are turned round afterwards."""

    multiply: NDArray[np.float64]
    add: NDArray[np.float64]
    reverse: bool = False

    @property
    def changes(self) -> bool:
        """Whether it does anything, but for `reverse`; 1e-6 is what float32 would not notice."""
        return not (np.allclose(self.multiply, 1, rtol=0, atol=1e-6) and np.allclose(self.add, 0, rtol=0, atol=1e-6))


def scaling_of(ops: Sequence[Op], channels: int) -> Scaling:
    """What the ops of a preprocessing do to a raw sample's numbers.

    Raises:
        InputError: if one of them is no multiply and add a channel.
    """
    multiply, add, reverse = np.ones(channels), np.zeros(channels), False
    for op in ops:
        if op["op"] in _READING:
            continue
        if op["op"] == "reverse_channels":
            multiply, add, reverse = multiply[::-1], add[::-1], not reverse
        elif op["op"] == "scale":
            factor = np.asarray(op["multiply"], np.float64)
            multiply, add = multiply * factor, add * factor + np.asarray(op["add"], np.float64)
        elif op["op"] == "standardize":
            deviation = np.asarray(op["std"], np.float64)
            multiply, add = multiply / deviation, (add - np.asarray(op["mean"], np.float64)) / deviation
        else:
            raise InputError("preprocess", "must be one multiply and one add per channel", op["op"])
    return Scaling(multiply, add, reverse)


def scaling_between(run: Scaling, own: Scaling) -> Scaling:
    """From the tensor that the run's preprocessing gives to the one that a student's own would have given."""
    turned = run.reverse != own.reverse
    multiply, add = (own.multiply[::-1], own.add[::-1]) if turned else (own.multiply, own.add)
    factor = multiply / run.multiply
    return Scaling(factor, add - factor * run.add, turned)


def with_input(graph: Graph, wanted: GraphInput, *, shrink: int = 1, scaling: Scaling | None = None) -> Graph:
    """`graph`, which has one input, with `wanted` for it; images are averaged over `shrink` x `shrink` pixels first.

    Raises:
        InputError: if channels would have to be turned round in front of a layer that cannot take it up.
    """
    (old,) = graph.inputs
    front: list[Layer] = []
    if shrink > 1:
        front.append(_layer("AveragePooling2D", _unused_name(graph, "shrink"), pool_size=shrink, strides=shrink))
    if scaling is not None and scaling.changes:
        values = (_plain(scaling.multiply), _plain(scaling.add))
        front.append(_layer("Rescaling", _unused_name(graph, "rescale"), scale=values[0], offset=values[1]))
    if scaling is not None and scaling.reverse:
        graph = _with_reversed_channels(graph)
    names = [wanted.name, *(layer.name for layer in front)]
    calls = [Call(layer.name, (Ref(source),), {}, (layer.name,)) for layer, source in zip(front, names, strict=False)]
    renamed = {old.name: names[-1]} if names[-1] != old.name else {}
    layers = {layer.name: layer for layer in front} | dict(graph.layers)
    inner = graph.with_calls(list(graph.calls), graph.layers, renamed)
    return replace(inner, inputs=(wanted,), layers=layers, calls=(*calls, *inner.calls))


def with_inputs_in_order(graph: Graph, wanted: Sequence[GraphInput], run: Sequence[Op], own: Sequence[Op]) -> Graph:
    """`graph`, which has several inputs, with them in the order of `wanted`.

    Args:
        run, own: the preprocessing of the run, and the one that the graph was made for.

    Raises:
        InputError: if the graph wants other numbers than the run's preprocessing gives.
    """
    given, needed = ([dict(op) for op in ops if op["op"] not in _READING] for ops in (run, own))
    if given != needed:
        raise InputError("student", "must take several inputs as the run's preprocessing gives them", needed)
    order = {item.name: place for place, item in enumerate(wanted)}
    return replace(graph, inputs=tuple(sorted(graph.inputs, key=lambda item: order.get(item.name, len(order)))))


def truncated_after(graph: Graph, layer: str) -> Graph:
    """`graph` up to the last use of `layer`, whose output is its own then.

    Raises:
        InputError: if there is no such layer, or an input of the graph is not needed so far.
    """
    if layer not in graph.layers:
        raise InputError(f"layer {layer!r}", "must be one of the teacher's", hint=did_you_mean(layer, graph.layers))
    output = [call.outputs[0] for call in graph.calls if call.layer == layer][-1]
    needed, kept = {output}, list[Call]()
    for call in reversed(graph.calls):
        if needed.intersection(call.outputs):
            needed.update(call.inputs)
            kept.append(call)
    unseen = [item.name for item in graph.inputs if item.name not in needed]
    if unseen:
        raise InputError(f"layer {layer!r}", "must come behind every input of the teacher", f"without {unseen[0]}")
    return replace(graph.with_calls(kept[::-1], graph.layers), outputs=(output,))


def with_head(graph: Graph, answer: TensorSpec, *, activation: str, seed: int) -> Graph:
    """`graph` with a global average (of images over space, of series over time) and a new Dense layer behind it.

    Args:
        answer: the shape to give, and the name of the Dense layer.
        activation: inside of that layer.
        seed: of its first weights (Glorot & Bengio 2010: uniform).

    Raises:
        InputError: if the features are neither images, series nor vectors.
    """
    features, shape = graph.outputs[0], graph.shapes[graph.outputs[0]]
    if len(shape) not in (1, *_POOLS) or shape[-1] is None:
        raise InputError(f"layer {features!r}", "must give vectors, series or images to put a head on", shape)
    layers = []
    if len(shape) > 1:
        layers.append(_layer(_POOLS[len(shape)], _unused_name(graph, "student_pool")))
    units = math.prod(answer.sample_shape)
    limit = math.sqrt(6 / (shape[-1] + units))
    kernel = np.random.Generator(np.random.PCG64(seed)).uniform(-limit, limit, (shape[-1], units)).astype(np.float32)
    dense = _layer("Dense", _unused_name(graph, f"student_{answer.name}"), units=units, activation=activation)
    layers.append(replace(dense, weights=(kernel, np.zeros(units, np.float32))))
    if len(answer.sample_shape) > 1:
        layers.append(_layer("Reshape", _unused_name(graph, "student_shape"), target_shape=answer.sample_shape))
    return _append_layers(graph, layers)


def output_activation(graph: Graph) -> str:
    """What the model's predictions are: "softmax", "sigmoid", or "linear" for everything else."""
    made, name = graph.producers(), graph.outputs[0]
    while name in made and graph.kind(made[name]) in _KEEPS_VALUES:
        name = made[name].inputs[0]
    if name not in made:
        return "linear"
    layer = graph.layers[made[name].layer]
    found = _ENDINGS.get(layer.kind, layer.config.get("activation"))
    return str(found) if found in ("softmax", "sigmoid") else "linear"


def with_output_activation(graph: Graph, wanted: str) -> Graph:
    """`graph`, which gives logits, with the softmax or sigmoid behind it that its teacher has."""
    if wanted == "linear" or output_activation(graph) == wanted:
        return graph
    return _append_layers(graph, [_layer("Activation", _unused_name(graph, "probabilities"), activation=wanted)])


def renumbered(graph: Graph) -> Graph:
    """`graph` with the names that Keras made up counted anew: they count over the life of a process."""
    names, given = Names(), dict[str, str]()
    for call in graph.calls:
        kind = graph.layers[call.layer].kind.removeprefix("op.")
        if call.layer not in given:
            given[call.layer] = names.of_kind(kind, call.layer)
    layers = {new: replace(graph.layers[old], name=new) for old, new in given.items()}
    calls = [replace(call, layer=given[call.layer]) for call in graph.calls]
    return replace(graph, calls=tuple(calls), layers=layers)


def _append_layers(graph: Graph, layers: Sequence[Layer]) -> Graph:
    source, calls = graph.outputs[0], list(graph.calls)
    for layer in layers:
        calls.append(Call(layer.name, (Ref(source),), {}, (layer.name,)))
        source = layer.name
    more = {layer.name: layer for layer in layers}
    return replace(graph, calls=tuple(calls), layers=dict(graph.layers) | more, outputs=(source,))


def _layer(kind: str, name: str, **settings: Any) -> Layer:
    import keras

    return Layer(name, kind, getattr(keras.layers, kind)(name=name, **settings).get_config())


def _unused_name(graph: Graph, wanted: str) -> str:
    """A name that no layer, input or tensor of `graph` has."""
    taken = {*graph.layers, *(item.name for item in graph.inputs), *graph.producers()}
    name, number = wanted, 1
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    return name


def _plain(values: NDArray[np.float64]) -> float | list[float]:
    """One number where all channels have the same."""
    return float(values[0]) if np.ptp(values) == 0 else [float(value) for value in values]


def _with_reversed_channels(graph: Graph) -> Graph:
    """`graph` for channels in the other order: its first convolutions have their kernels turned round instead."""
    layers, waiting, consumers = dict(graph.layers), [graph.inputs[0].name], graph.consumers()
    while waiting:
        for call in consumers.get(waiting.pop(), []):
            layer = layers[call.layer]
            if layer.kind == "ZeroPadding2D":
                waiting.extend(call.outputs)
            elif layer.kind == "Conv2D" and layer.config.get("groups", 1) == 1 and graph.uses()[call.layer] == 1:
                kernel, *rest = layer.weights
                layers[call.layer] = replace(layer, weights=(np.ascontiguousarray(kernel[:, :, ::-1]), *rest))
            else:
                rule = "must be a convolution to take RGB where the student was made for BGR, or the other way round"
                raise InputError(f"layer {layer.name} ({layer.kind})", rule)
    return replace(graph, layers=layers)
