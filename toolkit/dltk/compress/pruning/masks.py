"""Which weights go to zero: the smallest of a kernel, of all kernels, of every M inputs, or blocks. Pure NumPy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError

__all__ = ["Pattern", "Scope", "magnitude_masks"]

Floats = NDArray[np.floating]
Scope = Literal["layer", "global"]
_INPUTS = -2  # axis of a kernel that runs over its inputs: (inputs, units), (height, width, inputs, filters)


@dataclass(frozen=True)
class Pattern:
    """What goes together.

    Attributes:
        kept, of: of every `of` neighbouring inputs `kept` stay; (0, 0) where weights are free.
        block: neighbouring inputs that stay or go together; 1: each weight alone.
    """

    kept: int = 0
    of: int = 0
    block: int = 1

    @classmethod
    def parse(cls, text: str, where: str) -> Pattern:
        """`free`, `2:4`, or `x4` (blocks of four inputs).

        Raises:
            InputError: if it is none of these.
        """
        if text == "free":
            return cls()
        if (found := re.fullmatch(r"(\d{1,2}):(\d{1,2})", text)) and 0 < int(found[1]) < int(found[2]):
            return cls(kept=int(found[1]), of=int(found[2]))
        if (found := re.fullmatch(r"x(\d{1,2})", text)) and int(found[1]) > 1:
            return cls(block=int(found[1]))
        raise InputError(where, "must be free, N:M such as 2:4, or xB such as x4", text)

    @property
    def group(self) -> int:
        """Number of inputs that a kernel's must be a multiple of."""
        return max(self.of, self.block, 1)


def magnitude_masks(
    kernels: Mapping[str, Floats], share: float, *, scope: Scope = "layer", pattern: Pattern | None = None
) -> dict[str, NDArray[np.float32]]:
    """Layer -> 1 where a weight stays, 0 where it goes, float32 in the kernel's shape; `share` of the weights go.

    Over all kernels, weights are compared by LAMP scores (Lee et al. 2021, arXiv:2010.07611): a weight's square over
    the sum of the squares that are no smaller in its kernel, so that no kernel is emptied for its small scale.

    Args:
        kernels: layer -> kernel (..., inputs, outputs).
        share: 0..1; with an N:M pattern 1 - N/M is reached where it is at least that.
    """
    pattern = pattern or Pattern()
    if pattern.of:
        kept = max(pattern.kept, round(pattern.of * (1 - share)))
        return {name: _largest_of_each(kernel, kept, pattern.of) for name, kernel in kernels.items()}
    scores = {name: _block_scores(kernel, pattern.block) for name, kernel in kernels.items()}
    if scope == "layer":
        chosen = {name: _largest(score, share) for name, score in scores.items()}
    else:
        chosen = _globally({name: _lamp_scores(score) for name, score in scores.items()}, share)
    return {name: np.repeat(mask, pattern.block, axis=_INPUTS).astype(np.float32) for name, mask in chosen.items()}


def _block_scores(kernel: Floats, block: int) -> Floats:
    """Root mean square of each block of inputs."""
    if block == 1:
        return np.abs(kernel)
    *outer, inputs, outputs = kernel.shape
    return np.sqrt(np.square(kernel).reshape(*outer, inputs // block, block, outputs).mean(-2))


def _largest(scores: Floats, share: float) -> NDArray[np.bool_]:
    """The 1 - share largest; of equal ones the first."""
    flat = scores.ravel()
    mask = np.zeros(flat.size, bool)
    mask[np.argsort(-flat, kind="stable")[: round(flat.size * (1 - share))]] = True
    return mask.reshape(scores.shape)


def _globally(scores: Mapping[str, Floats], share: float) -> dict[str, NDArray[np.bool_]]:
    parts = list(scores.values())
    chosen = _largest(np.concatenate([score.ravel() for score in parts]), share)
    ends = np.cumsum([score.size for score in parts])[:-1]
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, np.split(chosen, ends), strict=True)}


def _lamp_scores(scores: Floats) -> Floats:
    squares = np.square(scores.ravel().astype(np.float64))
    order = np.argsort(-squares, kind="stable")
    found = np.empty_like(squares)
    found[order] = squares[order] / np.maximum(np.cumsum(squares[order]), 1e-30)
    return found.reshape(scores.shape)


def _largest_of_each(kernel: Floats, kept: int, of: int) -> NDArray[np.float32]:
    """The `kept` largest of every `of` neighbouring inputs of an output."""
    *outer, inputs, outputs = kernel.shape
    groups = np.abs(kernel).reshape(*outer, inputs // of, of, outputs)
    ranks = np.argsort(np.argsort(-groups, axis=-2, kind="stable"), axis=-2)
    return (ranks < kept).reshape(kernel.shape).astype(np.float32)
