"""The interface of the families: the device half of a kind of model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature

__all__ = ["ActionFamily", "Family", "Kind", "Labelled", "Metric", "Tensors", "SingleSample", "unstack_samples"]

_MOST_TOGETHER = 200_000

Tensors = dict[str, NDArray[Any]]  # tensor name -> array, batch first

# What the targets are: a class number (n,); 0 and 1 a label (n, labels); a class number a pixel (n, height, width); the
# number (n,) of the one item among many that is to be ranked first, or (n, 1 + k): that, and items that are no
# candidates, -1 for none; numbers shaped like the output. "reconstruction": the input tensor is to come back, as it is
# without noise; targets are what the family's metrics look at, and no more.
Kind = Literal["single-label", "multi-label", "pixels", "ranking", "regression", "reconstruction"]


@dataclass(frozen=True)
class Metric:
    """How well outputs fit targets, as a mean over samples, so that two models can be compared sample by sample.

    Attributes:
        name: in the field's words: "accuracy", "mean_absolute_error".
        higher_is_better: its direction.
        is_share: whether it lies in 0..1, so that a drop may be given in points.
        scores: (outputs, targets, signature) -> float64 (n,), one score per sample; the metric is their mean.
        compares_inputs: whether `outputs` must hold the input tensors, too.
    """

    name: str
    higher_is_better: bool
    is_share: bool
    scores: Callable[[Mapping[str, NDArray[Any]], NDArray[Any], Signature], NDArray[np.float64]]
    compares_inputs: bool = False


@dataclass(frozen=True)
class Labelled:
    """A user's own samples and what is right.

    Attributes:
        raws: (n, ...).
        targets: (n, ...).
        skipped: (name, reason) of files that are none of the samples.
        notes: sentences about them.
    """

    raws: NDArray[Any]
    targets: NDArray[Any]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: what was scored, and what was left out."""
        skipped = [{"name": name, "reason": reason} for name, reason in self.skipped]
        return {"samples": len(self.raws), "skipped": skipped, "notes": list(self.notes)}


class Family(Protocol):
    """Raw sample -> tensors, outputs -> predictions. Stateless: everything that varies is in the signature.

    Raw samples are one NumPy array, sample first, without objects: texts are bytes ("S"), and a sample of several
    parts is a record of a structured dtype.
    """

    name: str
    accepted_inputs: str  # what `read` takes, in words
    metrics: tuple[Metric, ...]  # the first one decides; empty where no answer is right or wrong (a GAN)

    def kind(self, signature: Signature) -> Kind:
        """What the targets are, and so which loss and which figures belong to them."""

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """What a user names on the command line -> what `read` takes, one per sample: a file may hold many.

        Its prediction is shown under the name of the input, and the attribute `title` of the sample if it has one.

        Raises:
            InputError: if `source` is a file that cannot be read.
        """

    def read(self, source: Any, signature: Signature) -> NDArray[Any]:
        """One raw sample from what a user gives (path, bytes, array, text): the part that is cached in training.

        Raises:
            InputError: if `source` cannot be read as a sample.
        """

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """Input tensors of a batch of raw samples (n, ...). The very same function feeds training."""

    def narrow(
        self, outputs: Mapping[str, NDArray[Any]], raws: NDArray[Any], signature: Signature
    ) -> Mapping[str, NDArray[Any]]:
        """`outputs` without what the samples themselves rule out, such as the items that a user has already.

        Args:
            outputs: output name -> (n, ...).
            raws: the raw samples (n, ...) they were made from.
        """

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Any]:
        """One prediction per sample from the model's output tensors, decoded by `signature.postprocess`.

        Args:
            outputs: the output tensors, and beside them the input tensors they were made from: name -> (n, ...).
            top: how many labels or items a prediction has at most, in families that rank them.

        Raises:
            InputError: if the signature's labels, items or steps do not fit the outputs.
        """

    def as_json(self, prediction: Any) -> Any:
        """`prediction` as plain JSON values."""

    def as_text(self, prediction: Any) -> str:
        """`prediction` as lines of text for people."""

    def as_file(self, predictions: list[Any]) -> tuple[str, bytes] | None:
        """(suffix, bytes) of a file that shows `predictions`, or None if the text is complete."""

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Samples and targets of a user's own data, to score a model on.

        There need not be samples of every class.

        Raises:
            InputError: if the data cannot be read, has labels that the model does not know, or the family has no
            targets.
        """

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[Any]:
        """Raw samples (count, ...) generated from `seed`, for a bundle that must not contain real data."""


@runtime_checkable
class ActionFamily(Protocol):
    """The additional interface of families whose models can play: `dltk.edge.play`."""

    def actions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature) -> NDArray[np.int64]:
        """The number (n,) of the action that the model chooses for each sample."""


def unstack_samples(samples: Any, where: object) -> list[Any]:
    """The samples of a file, one by one; no more than fit in memory at once.

    Raises:
        InputError: if they are over 200,000: their predictions are held in memory, a kilobyte or two each.
    """
    if len(samples) > _MOST_TOGETHER:
        raise InputError(where, f"may hold at most {_MOST_TOGETHER} samples", len(samples), "Split it.")
    return list(samples)


class SingleSample:
    """Shared by families whose sources are one sample each and whose text output is complete."""

    accepted_inputs: str = "a sample"

    def expand(self, source: Any, signature: Signature) -> list[Any]:
        """`source` itself."""
        return [source]

    def narrow(
        self, outputs: Mapping[str, NDArray[Any]], raws: NDArray[Any], signature: Signature
    ) -> Mapping[str, NDArray[Any]]:
        """`outputs` (n, ...) themselves: no sample rules a prediction out."""
        return outputs

    def as_file(self, predictions: list[Any]) -> tuple[str, bytes] | None:
        """None: the text is complete."""
        return None
