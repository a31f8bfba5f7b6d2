"""What every family answers: the device half of a kind of model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.edge.signature import Signature

__all__ = ["Family", "Metric", "Tensors"]

Tensors = dict[str, NDArray[Any]]  # tensor name -> array, batch first


@dataclass(frozen=True)
class Metric:
    """How well outputs fit targets, as a mean over samples, so that two models can be compared sample by sample.

    Attributes:
        name: in the field's words: "accuracy", "mean_absolute_error".
        higher_is_better: its direction.
        is_share: whether it lies in 0..1, so that a drop may be given in points.
        scores: (outputs, targets, signature) -> float64 (n,), one score a sample; the metric is their mean.
    """

    name: str
    higher_is_better: bool
    is_share: bool
    scores: Callable[[Mapping[str, NDArray[Any]], NDArray[Any], Signature], NDArray[np.float64]]


class Family(Protocol):
    """Raw sample -> tensors, outputs -> answers. Stateless: everything that varies stands in the signature."""

    name: str
    metrics: tuple[Metric, ...]  # the first one decides; empty where no answer is right or wrong (a GAN)

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample from what a user gives (path, bytes, array, text): the part that is cached in training.

        Raises:
            InputError: if `source` cannot be read as a sample.
        """

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """Input tensors of a batch of raw samples (n, ...). The very same function feeds training."""

    def answers(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Any]:
        """One answer a sample out of the model's output tensors, decoded by `signature.postprocess`."""

    def as_json(self, answer: Any) -> Any:
        """`answer` as plain JSON values."""

    def as_text(self, answer: Any) -> str:
        """`answer` as lines for a person."""

    def as_file(self, answers: list[Any]) -> tuple[str, bytes] | None:
        """(suffix, bytes) of a file that shows `answers`, or None where text says it all."""

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Raw samples (count, ...) made up from `seed`, for a bundle that may carry nobody's data."""
