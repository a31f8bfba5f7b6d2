"""The state of a channel analysis: channel numbers, which belong together, which must stay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dltk.twin.graph import Call, Graph

__all__ = ["Atoms", "Notebook"]

Atoms = NDArray[np.int64]


class Notebook:
    """Written by the rules of `dltk.compress.pruning.channel_rules`.

    Attributes:
        channels: tensor -> its channel numbers, before they are merged.
        first: layer with weights -> channels that its first use reads and makes.
        makers: channel number -> the layers that make it.
        fixed: (tensors, why their channels stay), in the order in which they were found.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.channels: dict[str, Atoms] = {}
        self._parent: list[int] = []
        self.makers: list[tuple[str, ...]] = []
        self.fixed: list[tuple[tuple[str, ...], str]] = []
        self.first: dict[str, tuple[Atoms, Atoms]] = {}

    def new(self, shape: tuple[int | None, ...], makers: tuple[str, ...]) -> Atoms:
        """New channel numbers for the last axis of `shape`."""
        size = (shape[-1] or 0) if shape else 0
        start = len(self._parent)
        self._parent += range(start, start + size)
        self.makers += [makers] * size
        return np.arange(start, start + size)

    def fix(self, tensors: Iterable[str], reason: str) -> None:
        """The channels of these tensors, made or yet to be made, may not be cut; the first reason stays."""
        self.fixed.append((tuple(tensors), reason))

    def unite(self, *parts: Atoms) -> None:
        """Merge the channels at the same position of each part."""
        for other in parts[1:]:
            for a, b in zip(parts[0].tolist(), other.tolist(), strict=True):
                self._parent[self._root(b)] = self._root(a)

    def _root(self, atom: int) -> int:
        parent = self._parent
        while parent[atom] != atom:
            parent[atom] = parent[parent[atom]]
            atom = parent[atom]
        return atom

    def given(self, call: Call) -> list[Atoms]:
        """Channels of the tensors that `call` reads; a tensor read twice stands twice."""
        return [self.channels[name] for name in call.inputs]

    def shapes(self, call: Call) -> list[tuple[int | None, ...]]:
        """Of what it reads, then of its first output."""
        return [self.graph.shapes[name] for name in (*call.inputs, call.outputs[0])]

    def roots(self) -> Atoms:
        """Channel number -> the representative of its group."""
        return np.asarray([self._root(atom) for atom in range(len(self._parent))], np.int64)
