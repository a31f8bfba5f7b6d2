"""Samples ready for training: raw arrays, targets, and which sample is in which split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.input.noise import add_noise

__all__ = ["Dataset", "NoisySplit", "Split", "require_test_samples"]


@dataclass(frozen=True)
class Split:
    """The samples of one split.

    Attributes:
        store: raw samples of all splits (N, ...), often memory-mapped: images are uint8 (N, H, W, 3).
        rows: int64 (n,), the rows of `store` that belong here, ascending.
        targets: int64 (n,) class numbers, or float32 (n, labels) of 0 and 1.
    """

    store: NDArray[Any]
    rows: NDArray[np.int64]
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> NDArray[np.int64]:
        """int64 (n,): one number per sample, which stays the same while the source does."""
        return self.rows

    def take(self, positions: NDArray[Any] | slice) -> NDArray[Any]:
        """The raw samples at `positions` within this split, as a copy in memory (len(positions), ...)."""
        return np.array(self.store[self.rows[positions]])

    def clean(self, positions: NDArray[Any] | slice) -> NDArray[Any]:
        """The same samples (n, ...) without the noise that some splits add: the target of a denoising model."""
        return self.take(positions)


@dataclass(frozen=True)
class NoisySplit(Split):
    """A split whose samples always carry the same noise, made as they are taken.

    Attributes:
        deviation: see `dltk.edge.input.noise.add_noise`.
        seed: of the noise; each sample's is a function of it and of the sample's id.
        scale: of the values, () or (columns,); see `add_noise`.
    """

    deviation: float
    seed: int
    scale: NDArray[np.float32]

    def take(self, positions: NDArray[Any] | slice) -> NDArray[Any]:
        """The samples (n, ...) at `positions` with their noise."""
        return add_noise(
            super().take(positions), self.ids[positions], deviation=self.deviation, seed=self.seed, scale=self.scale
        )

    def clean(self, positions: NDArray[Any] | slice) -> NDArray[Any]:
        """The samples (n, ...) at `positions` without noise."""
        return super().take(positions)


@dataclass(frozen=True)
class Dataset:
    """All samples of a task.

    Attributes:
        train, validation, test: the three splits; a split may be empty, except train.
        labels: one per class, in the order of the targets.
        digest: SHA-256 of the decoded pixels, the targets and the split: two equal digests are the same data.
        source: what the user gave.
        report: JSON values: samples per class and split, files skipped with reasons, duplicates, conflicting labels.
        assets: file name -> bytes of what was learnt from the data and travels with the model, such as a tokenizer.
    """

    train: Split
    validation: Split
    test: Split
    labels: tuple[str, ...]
    digest: str
    source: str
    report: Mapping[str, Any]
    assets: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def require_test_samples(dataset: Dataset) -> None:
    """Raise InputError, before anything is trained, if there would be no samples to evaluate the model on."""
    if not len(dataset.test):
        count = len(dataset.train) + len(dataset.validation)
        hint = f"Set a larger data.test, or give more samples than {count}."
        raise InputError(f"data {dataset.source}", "needs test samples", 0, hint)
