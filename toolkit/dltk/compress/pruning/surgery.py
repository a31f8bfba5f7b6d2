"""Cut channels out of a layer graph: smaller weights, the sizes in the settings to go with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.compress.pruning.channel_rules import rule_of
from dltk.compress.pruning.dependencies import DependencyGraph
from dltk.twin.graph import Graph, Layer

__all__ = ["remove_channels", "remaining_mac_share"]

Places = NDArray[np.int64]
Weights = tuple[NDArray[Any], ...]
Cut = tuple[Weights, dict[str, Any]]  # weights and the settings that change


def remove_channels(graph: Graph, dependencies: DependencyGraph, kept: NDArray[np.bool_]) -> Graph:
    """`graph` without the channels whose numbers are not in `kept` (count,).

    Each layer keeps its name; what it computes on the channels that stay is what it computed.
    """
    places = {name: np.flatnonzero(kept[channel_ids]) for name, channel_ids in dependencies.channels.items()}
    layers = dict(graph.layers)
    for call in graph.calls:
        if all(kept[dependencies.channels[name]].all() for name in (*call.inputs, *call.outputs)):
            continue
        layer = graph.layers[call.layer]
        weights, config = _rule(layer)(layer, places[call.inputs[0]], places[call.outputs[0]])
        layers[layer.name] = replace(layer, weights=weights, config=dict(layer.config) | config)
    shapes = {
        name: (*shape[:-1], len(places[name])) if name in places and shape and shape[-1] else shape
        for name, shape in graph.shapes.items()
    }
    return replace(graph, layers=layers, shapes=shapes)


def remaining_mac_share(
    graph: Graph, dependencies: DependencyGraph, macs: Mapping[str, int]
) -> Callable[[NDArray[np.bool_]], float]:
    """channels that stay (count,) -> share of the multiply-accumulates that is left.

    Args:
        macs: layer -> multiply-accumulates per sample; they are proportional to the weights that are multiplied.
    """
    counted = {name: layer for name, layer in graph.layers.items() if macs.get(name)}
    hollow = {
        name: replace(layer, weights=tuple(np.zeros(weight.shape, bool) for weight in layer.weights))
        for name, layer in graph.layers.items()
    }
    empty, whole = replace(graph, layers=hollow), sum(macs[name] for name in counted)

    def measure(kept: NDArray[np.bool_]) -> float:
        left = remove_channels(empty, dependencies, kept).layers
        parts = (macs[name] * _multiplied(left[name]) / _multiplied(layer) for name, layer in counted.items())
        return sum(parts) / max(1, whole)

    return measure


def _multiplied(layer: Layer) -> int:
    return sum(int(weight.size) for weight in layer.weights if weight.ndim > 1)


def _rule(layer: Layer) -> Callable[[Layer, Places, Places], Cut]:
    if layer.config.get("groups", 1) != 1:
        return _grouped
    return _KINDS.get(layer.kind) or _RULES.get(rule_of(layer), _unchanged)


def _unchanged(layer: Layer, into: Places, out: Places) -> Cut:
    return layer.weights, {}


def _channelwise(layer: Layer, into: Places, out: Places) -> Cut:
    """Vectors over the channels, and PReLU's slopes: the last axis, unless one number serves all."""
    return tuple(weight if weight.shape[-1] == 1 else weight.take(out, -1) for weight in layer.weights), {}


def _convolution(layer: Layer, into: Places, out: Places) -> Cut:
    kernel, *bias = layer.weights
    return (kernel.take(into, -2).take(out, -1), *_vectors(bias, out)), {"filters": len(out)}


def _grouped(layer: Layer, into: Places, out: Places) -> Cut:
    """With a group a channel; others are fixed."""
    return _channelwise(layer, into, out)[0], {"filters": len(out), "groups": len(into)}


def _dense(layer: Layer, into: Places, out: Places) -> Cut:
    return _convolution(layer, into, out)[0], {"units": len(out)}


def _transposed(layer: Layer, into: Places, out: Places) -> Cut:
    kernel, *bias = layer.weights
    return (kernel.take(out, -2).take(into, -1), *_vectors(bias, out)), {"filters": len(out)}


def _depthwise(layer: Layer, into: Places, out: Places) -> Cut:
    kernel, *bias = layer.weights
    return (kernel.take(into, -2), *_vectors(bias, out)), {}


def _separable(layer: Layer, into: Places, out: Places) -> Cut:
    depthwise, pointwise, *bias = layer.weights
    times = depthwise.shape[-1]
    middle = (into[:, None] * times + np.arange(times)).ravel()
    weights = (depthwise.take(into, -2), pointwise.take(middle, -2).take(out, -1), *_vectors(bias, out))
    return weights, {"filters": len(out)}


def _embedding(layer: Layer, into: Places, out: Places) -> Cut:
    return (layer.weights[0].take(out, -1),), {"output_dim": len(out)}


def _scale(layer: Layer, into: Places, out: Places) -> Cut:
    return _channelwise(layer, into, out)[0], {"projection_dim": len(out)}


def _recurrent(layer: Layer, into: Places, out: Places) -> Cut:
    """The kernel of each direction; the recurrent weights stay."""
    first = {0, len(layer.weights) // 2} if layer.kind == "Bidirectional" else {0}
    return tuple(weight.take(into, 0) if i in first else weight for i, weight in enumerate(layer.weights)), {}


def _reshape(layer: Layer, into: Places, out: Places) -> Cut:
    changed = {}
    for key in ("target_shape", "newshape"):
        if key in layer.config and layer.config[key][-1] != -1:
            changed[key] = (*layer.config[key][:-1], len(out))
    return layer.weights, changed


def _vectors(weights: list[NDArray[Any]], out: Places) -> Weights:
    return tuple(weight.take(out, -1) for weight in weights)


_RULES: Mapping[str, Callable[[Layer, Places, Places], Cut]] = {
    "pass": _channelwise,
    "read": _recurrent,
    "reshape": _reshape,
}
_KINDS: Mapping[str, Callable[[Layer, Places, Places], Cut]] = {
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "Dense": _dense,
    "Conv1DTranspose": _transposed,
    "Conv2DTranspose": _transposed,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    "Embedding": _embedding,
    "LayerScale": _scale,
}
