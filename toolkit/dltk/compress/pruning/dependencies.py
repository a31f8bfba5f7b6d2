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

from dltk.compress.pruning.channel_groups import Atoms, Notebook
from dltk.compress.pruning.channel_rules import RULES, rule_of
from dltk.twin.graph import Call, Graph

__all__ = ["Coupling", "Group", "couple"]

_NONE = np.zeros(0, np.int64)  # of a tensor whose last axis is open


@dataclass(frozen=True)
class Group:
    """A channel group: channels that the same layers make.

    Attributes:
        name: the first of those layers.
        makers: layers, in order of the graph.
        atoms: (n,), ascending.
        fixed: why none of them may be cut; empty where they may.
    """

    name: str
    makers: tuple[str, ...]
    atoms: Atoms
    fixed: str


@dataclass(frozen=True)
class Coupling:
    """Channel numbers from 0 to `count`; channels that belong together have one number.

    Attributes:
        channels: tensor -> the channel number of each position on its last axis (C,); (0,) where that axis is open.
    """

    channels: Mapping[str, Atoms]
    groups: tuple[Group, ...]
    count: int


def couple(graph: Graph, *, keep: Iterable[str] = ()) -> Coupling:
    """The channels of `graph`, batch norm intact; those of the layers `keep` are fixed."""
    book = Notebook(graph)
    for item in graph.inputs:
        book.channels[item.name] = book.new(item.shape, ())
        book.fix([item.name], "input of the model")
    book.fix(graph.outputs, "output of the model")
    kept = set(keep)
    for call in graph.calls:
        _visit(book, call)
        if call.layer in kept:
            book.fix(call.outputs, "kept by --step channels:keep_layers=")
    return _result(book)


def _visit(book: Notebook, call: Call) -> None:
    """Give the outputs of `call` their channels."""
    layer = book.graph.layers[call.layer]
    found = RULES[rule_of(layer)](book, call, layer)
    if isinstance(found, str):
        for use in book.graph.calls:  # all of them share the weights
            if use.layer == call.layer:
                book.fix((*use.inputs, *use.outputs), found)
        for name in call.outputs:
            book.channels[name] = book.new(book.graph.shapes[name], (layer.name,))
        return
    book.channels[call.outputs[0]] = found
    if layer.weights:  # used again with the same weights: the same channels go
        first = book.first.setdefault(layer.name, (book.given(call)[0], found))
        book.unite(first[0], book.given(call)[0])
        book.unite(first[1], found)


def _result(book: Notebook) -> Coupling:
    """Everything seen, with one number for all channels that belong together."""
    roots = book.roots()
    channels = {name: roots[atoms] if len(atoms) else _NONE for name, atoms in book.channels.items()}
    reasons: dict[int, str] = {}
    for tensors, reason in book.fixed:
        for atom in np.concatenate([channels[name] for name in tensors] or [_NONE]).tolist():
            reasons.setdefault(atom, reason)
    makers: dict[int, dict[str, None]] = {}
    for atom, root in enumerate(roots.tolist()):
        makers.setdefault(root, {}).update(dict.fromkeys(book.makers[atom]))
    members: dict[tuple[str, ...], list[int]] = {}
    for root, layers in makers.items():
        if layers:
            members.setdefault(tuple(name for name in book.graph.layers if name in layers), []).append(root)
    groups = [_group(layers, sorted(atoms), reasons) for layers, atoms in members.items()]
    order = {name: i for i, name in enumerate(book.graph.layers)}
    return Coupling(channels, tuple(sorted(groups, key=lambda group: order[group.name])), len(roots))


def _group(layers: tuple[str, ...], atoms: list[int], reasons: Mapping[int, str]) -> Group:
    fixed = next((reasons[atom] for atom in atoms if atom in reasons), "")
    return Group(layers[0], layers, np.asarray(atoms, np.int64), fixed)
