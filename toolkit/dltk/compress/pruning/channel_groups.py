"""The state of a channel analysis: channel numbers, which belong together, which must stay."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dltk.twin.graph import Call, Graph

__all__ = ["ChannelIds", "ChannelUnion"]

ChannelIds = NDArray[np.int64]


class ChannelUnion:
    """Written by the rules of `dltk.compress.pruning.channel_rules`.

    Attributes:
        channels: tensor -> its channel numbers, before they are merged.
        first: layer with weights -> channels that its first use reads and makes.
        makers: channel number -> the layers that make it.
        fixed: (tensors, why their channels stay), in the order in which they were found.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.channels: dict[str, ChannelIds] = {}
        self._parent: list[int] = []
        self.makers: list[tuple[str, ...]] = []
        self.fixed: list[tuple[tuple[str, ...], str]] = []
        self.first: dict[str, tuple[ChannelIds, ChannelIds]] = {}

    def new(self, shape: tuple[int | None, ...], makers: tuple[str, ...]) -> ChannelIds:
        """New channel numbers for the last axis of `shape`."""
        size = (shape[-1] or 0) if shape else 0
        start = len(self._parent)
        self._parent += range(start, start + size)
        self.makers += [makers] * size
        return np.arange(start, start + size)

    def fix(self, tensors: Iterable[str], reason: str) -> None:
        """The channels of these tensors, made or yet to be made, may not be cut; the first reason stays."""
        self.fixed.append((tuple(tensors), reason))

    def merge(self, *parts: ChannelIds) -> None:
        """Merge the channels at the same position of each part."""
        for other in parts[1:]:
            for a, b in zip(parts[0].tolist(), other.tolist(), strict=True):
                self._parent[self._representative(b)] = self._representative(a)

    def _representative(self, channel_id: int) -> int:
        parent = self._parent
        while parent[channel_id] != channel_id:
            parent[channel_id] = parent[parent[channel_id]]
            channel_id = parent[channel_id]
        return channel_id

    def input_channels(self, call: Call) -> list[ChannelIds]:
        """Channels of the tensors that `call` reads; a tensor read twice stands twice."""
        return [self.channels[name] for name in call.inputs]

    def shapes(self, call: Call) -> list[tuple[int | None, ...]]:
        """Of what it reads, then of its first output."""
        return [self.graph.shapes[name] for name in (*call.inputs, call.outputs[0])]

    def roots(self) -> ChannelIds:
        """Channel number -> the representative of its group."""
        return np.asarray([self._representative(channel_id) for channel_id in range(len(self._parent))], np.int64)
