"""Rewrites of the layer graph that do not change its results: fold, split, drop.

Each takes a graph and returns a new one. They are deterministic, so the graph that ranges were measured on is the graph
that export sees again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.twin.graph import Call, Graph, Layer, Ref, unused
from dltk.twin.table import IDENTITY
from dltk.twin.transposed import widen_kernels

__all__ = [
    "deployed_graph",
    "drop_identities",
    "fold_batch_norm",
    "merge_affine",
    "split_activations",
    "split_hard_sigmoid",
    "split_separable",
]

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]  # scale, offset; one number a channel
_FOLDS = {"Conv1D", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense"}
_DROPOUT = ("dropout", "recurrent_dropout")
_SPLITS = _FOLDS | {"DepthwiseConv1D", "Conv1DTranspose", "EinsumDense"}


def deployed_graph(graph: Graph) -> Graph:
    """The graph as it is exported: training-only layers gone, batch norm folded, activations on their own."""
    for rewrite in (
        drop_identities,
        widen_kernels,
        split_separable,
        split_activations,
        split_hard_sigmoid,
        merge_affine,
        fold_batch_norm,
    ):
        graph = rewrite(graph)
    return graph


def drop_identities(graph: Graph) -> Graph:
    """Without dropout, noise and linear activations; layers that hold dropout hold none."""
    calls, renamed = [], {}
    for call in graph.calls:
        layer = graph.layers[call.layer]
        linear = layer.kind == "Activation" and layer.config.get("activation") in (None, "linear")
        if layer.kind in IDENTITY or linear:
            renamed[call.outputs[0]] = call.inputs[0]
        else:
            calls.append(call)
    layers = {name: replace(layer, config=_without_dropout(layer.config)) for name, layer in graph.layers.items()}
    return graph.with_calls(calls, layers, renamed)


def _without_dropout(config: Any) -> Any:
    """A config, with those of layers inside, that drops nothing: the converter cannot write down what dropout keeps."""
    if not isinstance(config, Mapping):
        return config
    return {key: 0.0 if key in _DROPOUT else _without_dropout(part) for key, part in config.items()}


def split_separable(graph: Graph) -> Graph:
    """A 2-D separable convolution becomes a depthwise and a pointwise one, each with a scale a channel of its own."""
    layers, calls = dict(graph.layers), list[Call]()
    shapes = dict(graph.shapes)
    for call in graph.calls:
        layer = graph.layers[call.layer]
        if layer.kind != "SeparableConv2D":
            calls.append(call)
            continue
        config, depthwise = dict(layer.config), unused(f"{call.outputs[0]}.depthwise", layers, shapes)
        spatial = {key: config[key] for key in ("kernel_size", "strides", "padding", "data_format", "dilation_rate")}
        first = Layer(
            unused(f"{layer.name}.depthwise", graph.layers),
            "DepthwiseConv2D",
            spatial | {"depth_multiplier": config["depth_multiplier"], "use_bias": False},
            layer.weights[:1],
        )
        pointwise = {"filters": config["filters"], "kernel_size": (1, 1), "use_bias": config["use_bias"]}
        second = Layer(
            layer.name, "Conv2D", pointwise | {"activation": config.get("activation")}, tuple(layer.weights[1:])
        )
        layers |= {first.name: first, second.name: second}
        calls.append(Call(first.name, call.args, call.kwargs, (depthwise,)))
        calls.append(Call(second.name, (Ref(depthwise),), {}, call.outputs))
        outer = graph.shapes[call.outputs[0]]
        shapes[depthwise] = (*outer[:-1], int(np.prod(layer.weights[0].shape[2:])))
    return replace(graph.with_calls(calls, layers), shapes=shapes)


def split_activations(graph: Graph) -> Graph:
    """The activation inside a weighted layer becomes a call of its own, under the old tensor's name."""
    layers, calls, shapes = dict(graph.layers), list[Call](), dict(graph.shapes)
    for call in graph.calls:
        layer = graph.layers[call.layer]
        activation = layer.config.get("activation")
        if layer.kind not in _SPLITS or activation in (None, "linear"):
            calls.append(call)
            continue
        name = unused(f"{layer.name}.activation", graph.layers)
        inner = unused(f"{call.outputs[0]}.linear", layers, shapes)
        layers[layer.name] = replace(layer, config=dict(layer.config) | {"activation": None})
        layers[name] = Layer(name, "Activation", {"activation": activation})
        shapes[inner] = graph.shapes[call.outputs[0]]
        calls.append(replace(call, outputs=(inner,)))
        calls.append(Call(name, (Ref(inner),), {}, call.outputs))
    return replace(graph.with_calls(calls, layers), shapes=shapes)


def split_hard_sigmoid(graph: Graph) -> Graph:
    """hard_sigmoid becomes relu6(x + 3) / 6 in three calls: no runtime has an int8 kernel for the whole."""
    layers, calls, shapes = dict(graph.layers), list[Call](), dict(graph.shapes)
    for call in graph.calls:
        layer = graph.layers[call.layer]
        if layer.kind != "Activation" or layer.config.get("activation") != "hard_sigmoid":
            calls.append(call)
            continue
        made = call.outputs[0]
        shifted, clipped = (unused(f"{made}.{part}", layers, shapes) for part in ("shifted", "clipped"))
        parts = {"shift": ("op.Add", {}), "clip": ("ReLU", {"max_value": 6.0}), "scale": ("op.Multiply", {})}
        names = {part: unused(f"{layer.name}.{part}", graph.layers) for part in parts}
        layers |= {names[part]: Layer(names[part], kind, config) for part, (kind, config) in parts.items()}
        shapes |= {shifted: shapes[made], clipped: shapes[made]}
        calls.append(Call(names["shift"], (call.args[0], 3.0), {}, (shifted,)))
        calls.append(Call(names["clip"], (Ref(shifted),), {}, (clipped,)))
        calls.append(Call(names["scale"], (Ref(clipped), 1 / 6), {}, call.outputs))
    return replace(graph.with_calls(calls, layers), shapes=shapes)


def merge_affine(graph: Graph) -> Graph:
    """A chain of rescalings, normalizations and batch norms becomes one multiply and add a channel."""
    layers, renamed, calls = dict(graph.layers), dict[str, str](), list[Call]()
    consumers, uses = graph.consumers(), graph.uses()
    last: dict[str, Pair] = {}  # tensor -> the chain that makes it, where it may still grow
    for call in graph.calls:
        found = _affine(graph.layers[call.layer], graph.shapes[call.outputs[0]])
        source = _source(call, renamed)
        if found is None or uses[call.layer] != 1:
            calls.append(call)
            continue
        if source in last and len(consumers[call.inputs[0]]) == 1 and call.inputs[0] not in graph.outputs:
            before = last[source]
            found = (before[0] * found[0], before[1] * found[0] + found[1])
            renamed[call.outputs[0]] = source
            maker = next(made.layer for made in calls if source in made.outputs)
            layers[maker] = Layer(maker, "Affine", {}, found)
        else:
            calls.append(call)
            source = call.outputs[0]
        last[source] = found
    return graph.with_calls(calls, layers, renamed)


def _source(call: Call, renamed: dict[str, str]) -> str:
    name = call.inputs[0] if call.inputs else ""
    while name in renamed:
        name = renamed[name]
    return name


def fold_batch_norm(graph: Graph) -> Graph:
    """Batch norm goes into the layer before it; where there is none, it becomes a multiply and an add a channel.

    A multiply and an add on images become a depthwise 1x1 convolution, which both runtimes have in int8.
    """
    layers, renamed, calls = dict(graph.layers), dict[str, str](), list[Call]()
    producers, consumers, uses = graph.producers(), graph.consumers(), graph.uses()
    for call in graph.calls:
        layer = graph.layers[call.layer]
        found = _affine(layer, graph.shapes[call.outputs[0]])
        if found is None:
            calls.append(call)
            continue
        scale, offset = found
        source = producers.get(call.inputs[0])
        alone = source is not None and len(consumers[call.inputs[0]]) == 1 and call.inputs[0] not in graph.outputs
        if (
            source is not None
            and alone
            and _can_fold(layers[source.layer])
            and uses[source.layer] == uses[call.layer] == 1
        ):
            layers[source.layer] = _folded(layers[source.layer], scale, offset)
            renamed[call.outputs[0]] = call.inputs[0]
        else:
            layers[layer.name] = _affine_layer(layer.name, scale, offset, rank=len(graph.shapes[call.outputs[0]]))
            calls.append(call)
    return graph.with_calls(calls, layers, renamed)


def _affine(layer: Layer, shape: tuple[int | None, ...]) -> Pair | None:
    """What the layer does in use as (scale, offset) a channel, in float64 so that folding adds one rounding only.

    None for a layer that does something else, or does it along another axis.
    """
    found = _AFFINE.get(layer.kind)
    if found is None or not _last_axis(layer, shape) or shape[-1] is None:
        return None
    scale, offset = found(layer)
    if max(np.size(scale), np.size(offset)) not in (1, shape[-1]):
        return None
    whole = [np.broadcast_to(np.ravel(part), (shape[-1],)).astype(np.float64) for part in (scale, offset)]
    return whole[0], whole[1]


def _last_axis(layer: Layer, shape: tuple[int | None, ...]) -> bool:
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis
    return axis in (-1, len(shape))


def _batch_norm(layer: Layer) -> Pair:
    values = [np.asarray(weight, np.float64) for weight in layer.weights]
    gamma = values.pop(0) if layer.config.get("scale", True) else np.ones_like(values[-1])
    beta = values.pop(0) if layer.config.get("center", True) else np.zeros_like(values[-1])
    mean, variance = values[:2]
    scale = gamma / np.sqrt(variance + layer.config.get("epsilon", 1e-3))
    return scale, beta - mean * scale


def _normalization(layer: Layer) -> Pair:
    given = (layer.config.get("mean"), layer.config.get("variance"))
    mean, variance = given if given[0] is not None else layer.weights[:2]
    # Keras' own floor for the deviation
    deviation = np.maximum(np.sqrt(np.asarray(variance, np.float64)), 1e-7)
    if layer.config.get("invert"):
        return deviation, np.asarray(mean, np.float64)
    return 1 / deviation, -np.asarray(mean, np.float64) / deviation


def _rescaling(layer: Layer) -> Pair:
    return np.asarray(layer.config["scale"], np.float64), np.asarray(layer.config.get("offset", 0.0), np.float64)


def _float64_weights(layer: Layer) -> Pair:
    return np.asarray(layer.weights[0], np.float64), np.asarray(layer.weights[1], np.float64)


_AFFINE: dict[str, Callable[[Layer], Pair]] = {
    "BatchNormalization": _batch_norm,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Affine": _float64_weights,
}


def _can_fold(layer: Layer) -> bool:
    return layer.kind in _FOLDS and layer.config.get("activation") in (None, "linear")


def _folded(layer: Layer, scale: NDArray[np.float64], offset: NDArray[np.float64]) -> Layer:
    kernel = np.asarray(layer.weights[0], np.float64)
    bias = np.asarray(layer.weights[1], np.float64) if layer.config.get("use_bias", True) else np.zeros_like(offset)
    weights = (_SCALED.get(layer.kind, _scale_last)(kernel, scale), bias * scale + offset)
    config: dict[str, Any] = dict(layer.config) | {"use_bias": True}
    return replace(layer, config=config, weights=tuple(weight.astype(np.float32) for weight in weights))


def _scale_last(kernel: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return kernel * scale


def _scale_depthwise(kernel: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return kernel * scale.reshape(kernel.shape[2:])


def _scale_transposed(kernel: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    return kernel * scale[:, None]


_SCALED: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "DepthwiseConv2D": _scale_depthwise,
    "Conv2DTranspose": _scale_transposed,
}


def _affine_layer(name: str, scale: NDArray[np.float64], offset: NDArray[np.float64], *, rank: int) -> Layer:
    values = (scale.astype(np.float32), offset.astype(np.float32))
    if rank != 3:
        return Layer(name, "Affine", {}, values)
    config = {"kernel_size": (1, 1), "strides": (1, 1), "padding": "valid", "use_bias": True}
    return Layer(name, "DepthwiseConv2D", config, (values[0].reshape(1, 1, -1, 1), values[1]))
