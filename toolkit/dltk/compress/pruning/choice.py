"""Which channels go: by importance within a group, or in one ranking over all groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dltk.compress.pruning.dependencies import ChannelGroup, DependencyGraph

__all__ = ["Choice", "Scope", "rounded_count", "step_for"]

Scope = Literal["global", "group"]
# Of the relative cost by which a channel's importance is divided: at 1 the costly layers alone would be cut, down to
# the floor; at 0 cost would not count.
_THRIFT = 0.5
_HALVINGS = 12  # of the interval that the share to keep lies in: 0.0002 wide at the end


@dataclass(frozen=True)
class Choice:
    """How to choose.

    Attributes:
        scores: importance of each channel (count,), comparable within a group.
        costs: multiply-accumulates of each channel (count,).
        floor: share of a group that stays at least.
        multiple: counts are rounded to multiples of it; see `rounded_count`.
    """

    dependencies: DependencyGraph
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    scope: Scope
    floor: float
    multiple: int

    @property
    def groups(self) -> list[ChannelGroup]:
        """Those whose channels may go."""
        return [group for group in self.dependencies.groups if not group.fixed]

    def counts(self, keep: float) -> list[int]:
        """How many channels of each of `groups` stay, so that about `keep` of all do."""
        groups, found = self.groups, list[int]()
        wanted = (
            self._counts_over_all(groups, keep)
            if self.scope == "global"
            else [keep * len(g.channel_ids) for g in groups]
        )
        for group, count in zip(groups, wanted, strict=True):
            size = len(group.channel_ids)
            found.append(rounded_count(max(count, self.floor * size), size, self.multiple))
        return found

    def kept(self, counts: Sequence[int]) -> NDArray[np.bool_]:
        """The channels that stay (count,): the most important `counts` of each of `groups`."""
        found = np.ones(self.dependencies.count, bool)
        for group, count in zip(self.groups, counts, strict=True):
            found[self._ranked(group)[count:]] = False
        return found

    def within(self, target: float, measure: Callable[[NDArray[np.bool_]], float]) -> list[int]:
        """Counts whose measure comes near `target` from below; the lowest that `floor` allows where it is above.

        Bisection finds the share to keep for all groups; what rounding leaves is then filled up group by group.

        Args:
            measure: channels that stay (count,) -> what is left of a quantity, for example of the multiply-accumulates.
        """
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = measure(self.kept(self.counts(middle))) <= target
            low, high = (middle, high) if fits else (low, middle)
        counts = self.counts(low)
        growing = [i for i, group in enumerate(self.groups) if counts[i] < len(group.channel_ids)]
        while growing:
            i = max(growing, key=lambda i: self._next(self.groups[i], counts[i]))
            size = len(self.groups[i].channel_ids)
            more = min(size, counts[i] + step_for(size, self.multiple))
            fits = measure(self.kept([*counts[:i], more, *counts[i + 1 :]])) <= target
            if fits:
                counts[i] = more
            if not fits or more == size:
                growing.remove(i)
        return counts

    def _ranked(self, group: ChannelGroup) -> NDArray[np.int64]:
        found: NDArray[np.int64] = group.channel_ids[np.argsort(-self.scores[group.channel_ids], kind="stable")]
        return found

    def _next(self, group: ChannelGroup, count: int) -> float:
        """How much the group wants its next channel back."""
        if self.scope == "group":
            return -count / len(group.channel_ids)
        return float(np.sort(self._importance_per_cost(group))[::-1][count])

    def _counts_over_all(self, groups: list[ChannelGroup], keep: float) -> list[float]:
        """How many of each group are among the best over all; the best of each group are, up to the floor."""
        values = []
        for group in groups:
            worth = np.sort(self._importance_per_cost(group))[::-1]
            worth[: max(1, round(self.floor * len(worth)))] = np.inf
            values.append(worth)
        every = np.sort(np.concatenate([*values, np.zeros(0)]))
        if not len(every):
            return []
        least = every[min(len(every) - 1, round((1 - keep) * len(every)))]
        return [float((worth >= least).sum()) for worth in values]

    def _importance_per_cost(self, group: ChannelGroup) -> NDArray[np.float64]:
        """Importance that can be compared between groups: each one's mean counts as one, divided by what it costs."""
        scores, costs = self.scores[group.channel_ids], self.costs[group.channel_ids]
        worth: NDArray[np.float64] = scores / scores.mean() if scores.any() else np.ones(len(scores))
        if costs.any():
            worth = worth / (costs / self.costs[self.costs > 0].mean()) ** _THRIFT
        return worth


def step_for(size: int, multiple: int) -> int:
    """`multiple`, halved until it is at most a quarter of a group of `size`."""
    step = max(1, multiple)
    while step > 1 and step * 4 > size:
        step //= 2
    return step


def rounded_count(count: float, size: int, multiple: int) -> int:
    """`count` channels of `size` as a multiple of `step_for`: kernels compute 4 or 8 at a time, 13 take as long as 16.

    A group of 16 keeps multiples of 4 where 8 is asked for: it would lose half of itself by rounding.
    """
    step = step_for(size, multiple)
    return int(min(size, max(step, np.floor(count / step + 0.5) * step)))
