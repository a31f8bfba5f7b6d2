"""The dependency graph of a model's channels: which belong together, and which must stay.

Each position on a tensor's last axis has a channel number. A layer that makes channels makes new numbers; residual
additions and gates merge those of several layers; a concatenation concatenates them; Flatten repeats them over
positions. Channels with one number at the end form a channel group, kept or removed as one (structural dependencies,
as in DepGraph, Fang et al. 2023, arXiv:2301.12900, here a channel at a time). The rule of each layer class is in
`dltk.twin.table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dltk.compress.pruning.channel_groups import ChannelIds, ChannelUnion
from dltk.compress.pruning.channel_rules import RULES, rule_of
from dltk.twin.graph import Call, Graph

__all__ = ["DependencyGraph", "ChannelGroup", "dependency_graph"]

_NONE = np.zeros(0, np.int64)  # of a tensor whose last axis is open


@dataclass(frozen=True)
class ChannelGroup:
    """A channel group: channels that the same layers make.

    Attributes:
        name: the first of those layers.
        makers: layers, in order of the graph.
        channel_ids: (n,), ascending.
        fixed: why none of them may be cut; empty where they may.
    """

    name: str
    makers: tuple[str, ...]
    channel_ids: ChannelIds
    fixed: str


@dataclass(frozen=True)
class DependencyGraph:
    """Channel numbers from 0 to `count`; channels that belong together have one number.

    Attributes:
        channels: tensor -> the channel number of each position on its last axis (C,); (0,) where that axis is open.
    """

    channels: Mapping[str, ChannelIds]
    groups: tuple[ChannelGroup, ...]
    count: int


def dependency_graph(graph: Graph, *, keep: Iterable[str] = ()) -> DependencyGraph:
    """The channels of `graph`, batch norm intact; those of the layers `keep` are fixed."""
    union = ChannelUnion(graph)
    for item in graph.inputs:
        union.channels[item.name] = union.new(item.shape, ())
        union.fix([item.name], "input of the model")
    union.fix(graph.outputs, "output of the model")
    kept = set(keep)
    for call in graph.calls:
        _visit(union, call)
        if call.layer in kept:
            union.fix(call.outputs, "kept by --step channels:keep_layers=")
    return _result(union)


def _visit(union: ChannelUnion, call: Call) -> None:
    """Give the outputs of `call` their channels."""
    layer = union.graph.layers[call.layer]
    found = RULES[rule_of(layer)](union, call, layer)
    if isinstance(found, str):
        for use in union.graph.calls:  # all of them share the weights
            if use.layer == call.layer:
                union.fix((*use.inputs, *use.outputs), found)
        for name in call.outputs:
            union.channels[name] = union.new(union.graph.shapes[name], (layer.name,))
        return
    union.channels[call.outputs[0]] = found
    if layer.weights:  # used again with the same weights: the same channels go
        first = union.first.setdefault(layer.name, (union.input_channels(call)[0], found))
        union.merge(first[0], union.input_channels(call)[0])
        union.merge(first[1], found)


def _result(union: ChannelUnion) -> DependencyGraph:
    """Everything seen, with one number for all channels that belong together."""
    roots = union.roots()
    channels = {name: roots[channel_ids] if len(channel_ids) else _NONE for name, channel_ids in union.channels.items()}
    reasons: dict[int, str] = {}
    for tensors, reason in union.fixed:
        for channel_id in np.concatenate([channels[name] for name in tensors] or [_NONE]).tolist():
            reasons.setdefault(channel_id, reason)
    makers: dict[int, dict[str, None]] = {}
    for channel_id, root in enumerate(roots.tolist()):
        makers.setdefault(root, {}).update(dict.fromkeys(union.makers[channel_id]))
    members: dict[tuple[str, ...], list[int]] = {}
    for root, layers in makers.items():
        if layers:
            members.setdefault(tuple(name for name in union.graph.layers if name in layers), []).append(root)
    groups = [_group(layers, sorted(channel_ids), reasons) for layers, channel_ids in members.items()]
    order = {name: i for i, name in enumerate(union.graph.layers)}
    return DependencyGraph(channels, tuple(sorted(groups, key=lambda group: order[group.name])), len(roots))


def _group(layers: tuple[str, ...], channel_ids: list[int], reasons: Mapping[int, str]) -> ChannelGroup:
    fixed = next((reasons[channel_id] for channel_id in channel_ids if channel_id in reasons), "")
    return ChannelGroup(layers[0], layers, np.asarray(channel_ids, np.int64), fixed)
