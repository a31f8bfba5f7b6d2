"""Cross-layer equalization: channels of one tensor brought to like ranges, so that one 8-bit grid serves them all.

A channel may be multiplied by a factor where it is made and divided by it where it is read: the model computes the
same. Small channels gain precision (Nagel et al. 2019, arXiv:1906.04721, section 4.1; Meller et al. 2019,
arXiv:1902.01917). The factors run through residual adds, pools, padding and relu. Before a relu6, or another bound, a
channel is raised only as far as its largest value stays well below the bound: there the bound cuts nothing, before or
after. A clustered kernel is left as it is where its input channels would be scaled: its few
values would become many. Scaled output channels change only its scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.quantization.codes import is_clustered
from dltk.quantization.observers import observe_tensors
from dltk.twin.graph import Call, Graph, Layer

__all__ = ["channel_factors", "with_channel_factors"]

_LARGEST = 16.0  # of a factor: a channel that is nearly silent in the samples may not be so elsewhere
_HEADROOM = 2.0  # below a bound: so far may values go over those in the calibration samples
_MAKERS = ("Conv2D", "DepthwiseConv2D", "Dense")
_CHANNELWISE = ("Add", "ReLU", "ZeroPadding2D", "MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D")

Factors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class _Group:
    """Tensors that must carry the same factor a channel."""

    name: str
    tensors: tuple[str, ...]
    makers: tuple[Call, ...]
    readers: tuple[Call, ...]


def channel_factors(graph: Graph, tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """Group -> factors (channels,), out of calibration samples; groups where nothing can be moved are left out."""
    groups = _groups(graph)
    bounds = {group.name: _bounds(graph, group) for group in groups}
    largest, highest = _channel_maxima(graph, [name for group in groups for name in group.tensors], tensors)
    factors = {}
    for group in groups:
        seen = np.max([largest[name] for name in group.tensors], axis=0)
        ratio = seen.max() / np.maximum(seen, 1e-6)
        # A depthwise reader has a scale a channel of its own and loses nothing; others share theirs among the inputs.
        alone = all(graph.kind(call) == "DepthwiseConv2D" for call in group.readers)
        factor = np.minimum(ratio if alone else np.sqrt(ratio), _LARGEST)
        for name, bound in bounds[group.name].items():
            room = bound / np.maximum(highest[name] * _HEADROOM, 1e-6)
            factor = np.minimum(factor, np.maximum(room, 1.0))
        # Powers of two change no bit of a weight but its exponent, so that the float model stays what it was.
        factors[group.name] = np.exp2(np.floor(np.log2(factor))).astype(np.float32)
    return {name: factor for name, factor in factors.items() if (factor != 1).any()}


def _bounds(graph: Graph, group: _Group) -> dict[str, float]:
    """Tensor of the group that a bound cuts -> that bound."""
    found: dict[str, float] = {}
    for call in graph.calls:
        bound = _upper(graph.layers[call.layer])
        if bound is not None and call.inputs[0] in group.tensors:
            found[call.inputs[0]] = min(bound, found.get(call.inputs[0], bound))
    return found


def _upper(layer: Layer) -> float | None:
    """The largest value that a relu lets through; None where there is no end, or for another layer."""
    if layer.kind == "Activation":
        return 6.0 if layer.config.get("activation") == "relu6" else None
    found = layer.config.get("max_value") if layer.kind == "ReLU" else None
    return None if found is None else float(found)


def with_channel_factors(graph: Graph, factors: Factors) -> Graph:
    """The graph with the factors in its weights: the same function, other channels' scales inside."""
    layers = dict(graph.layers)
    for group in _groups(graph):
        factor = factors.get(group.name)
        if factor is None:
            continue
        for call in group.makers:
            layers[call.layer] = _made(layers[call.layer], factor)
        for call in group.readers:
            layers[call.layer] = _read(layers[call.layer], factor)
    return replace(graph, layers=layers)


def _groups(graph: Graph) -> list[_Group]:
    """Every set of tensors whose channels may be scaled together, in order of the graph."""
    root = {name: name for call in graph.calls for name in call.outputs}
    root |= {item.name: item.name for item in graph.inputs}

    def find(name: str) -> str:
        while root[name] != name:
            name = root[name]
        return name

    for call in graph.calls:
        if _is_channelwise(graph, call):
            first = find(call.outputs[0])
            for name in call.inputs:
                root[find(name)] = first
    members: dict[str, list[str]] = {}
    for call in graph.calls:
        for name in call.outputs:
            members.setdefault(find(name), []).append(name)
    fixed = {find(name) for name in (*graph.outputs, *(item.name for item in graph.inputs))}
    found = (_group(graph, names) for start, names in members.items() if start not in fixed)
    return [group for group in found if group is not None]


def _group(graph: Graph, names: list[str]) -> _Group | None:
    """The group of `names`, or None where a layer makes or reads one of them that cannot take a factor."""
    uses, inside = graph.uses(), set(names)
    makers, readers = [], []
    for call in graph.calls:
        if _is_channelwise(graph, call):
            continue
        movable = graph.kind(call) in _MAKERS and uses[call.layer] == 1 and len(call.inputs) == 1
        makes, reads = bool(inside & set(call.outputs)), bool(inside & set(call.inputs))
        if (makes or reads) and not movable:
            return None
        if reads and not _reads_channels(graph, call):
            return None
        makers += [call] if makes else []
        readers += [call] if reads else []
    return _Group(names[0], tuple(names), tuple(makers), tuple(readers)) if makers and readers else None


def _is_channelwise(graph: Graph, call: Call) -> bool:
    layer = graph.layers[call.layer]
    if layer.kind == "Activation":
        return layer.config.get("activation") in ("relu", "relu6")
    if layer.kind == "ReLU":
        return not layer.config.get("threshold")  # above a threshold of 0 a factor goes through, up to `max_value`
    if layer.kind == "Add":
        return len({graph.shapes[name] for name in call.inputs}) == 1
    return layer.kind in _CHANNELWISE


def _reads_channels(graph: Graph, call: Call) -> bool:
    """Whether the layer reads its input's last axis as channels that may be scaled: plain data order, no groups."""
    layer = graph.layers[call.layer]
    channels = graph.shapes[call.inputs[0]][-1]
    axis = {"DepthwiseConv2D": -2, "Conv2D": -2, "Dense": 0}[layer.kind]
    if layer.kind != "DepthwiseConv2D" and is_clustered(layer):
        return False
    return bool(layer.weights[0].shape[axis] == channels)


def _made(layer: Layer, factor: NDArray[np.float32]) -> Layer:
    kernel = layer.weights[0]
    shape = kernel.shape[-2:] if layer.kind == "DepthwiseConv2D" else (-1,)
    scaled = (kernel * factor.reshape(shape)).astype(np.float32)
    return replace(layer, weights=(scaled, *(bias * factor for bias in layer.weights[1:])))


def _read(layer: Layer, factor: NDArray[np.float32]) -> Layer:
    return replace(layer, weights=((layer.weights[0] / factor[:, None]).astype(np.float32), *layer.weights[1:]))


def _channel_maxima(
    graph: Graph, names: list[str], tensors: Mapping[str, NDArray[Any]]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.float32]]]:
    """Tensor -> largest absolute value per channel (channels,), and tensor -> largest value per channel."""
    import tensorflow as tf

    def maxima(watched: list[Any]) -> list[Any]:
        axes = [list(range(value.shape.rank - 1)) for value in watched]
        absolute = [tf.reduce_max(tf.abs(value), axis=axis) for value, axis in zip(watched, axes, strict=True)]
        return absolute + [tf.reduce_max(value, axis=axis) for value, axis in zip(watched, axes, strict=True)]

    rows = list(observe_tensors(graph, names, tensors, maxima))
    found = [np.max(column, axis=0) for column in zip(*rows, strict=True)]
    return dict(zip(names, found, strict=False)), dict(zip(names, found[len(names) :], strict=False))
