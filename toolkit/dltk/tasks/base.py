"""The interface of the tasks: the workstation half of a kind of model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.strata import stratified
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.sources.tables import with_dialect
from dltk.recipe import Built, Contract

__all__ = ["Predict", "Samples", "SplitTask", "Task", "check_tensors", "samples_within", "samples_at", "signature_of"]

Predict = Callable[[NDArray[Any]], NDArray[Any]]
Samples = tuple[NDArray[Any], NDArray[Any]]  # raw samples (n, ...) and their targets (n, ...)


class Task(Protocol):
    """Data -> what the model must be; model -> what the device must know. Stateless, like a family."""

    name: str
    family: str  # name in `dltk.edge.families`; of the models it makes unless a setting says otherwise
    trainer: str  # name in `dltk.training`: "fit", "gan" ...
    uses_training_outputs: bool  # whether `finalize_signature` looks at the predictions on the training split

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        """The data of a run, read once and cached.

        Raises:
            InputError: if it cannot be used; names the file, line or key.
        """

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        """What the data asks of the model."""

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        """The device's view of the model a recipe built."""

    def check(self, model: Any, signature: Signature) -> None:
        """Check a Keras model against `signature`.

        Raises:
            InputError: naming the input or output that does not fit.
        """

    def refresh(self, dataset: Dataset, settings: Any, predict: Predict) -> Dataset:
        """The samples to evaluate the model on; they change if the model determines its own input (a policy).

        Args:
            predict: raw samples (n, ...) -> the model's output (n, ...).
        """

    def calibration(self, dataset: Dataset, *, count: int, seed: int) -> NDArray[Any]:
        """Raw training samples (count, ...) that stand for all of them, drawn by `seed`; never a test sample."""

    def evaluation(self, dataset: Dataset, *, limit_bytes: int, seed: int) -> Samples:
        """Raw test samples and targets of at most `limit_bytes`; every class keeps its share."""

    def golden(self, dataset: Dataset, *, count: int, seed: int) -> Samples:
        """A few raw test samples, of different classes, that a bundle carries to prove itself."""

    def finalize_signature(
        self, signature: Signature, outputs: NDArray[Any], dataset: Dataset, metrics: Mapping[str, Any]
    ) -> Signature:
        """`signature` with values that depend on the trained model, such as the temperature of its confidences.

        Args:
            signature: may be that of the model that this one was compressed from.
            outputs: (n, ...), predictions on the validation split; n is 0 if there is none.
            metrics: results of `dltk.training.report`; as "training_outputs" (m, ...) the predictions on the training
                split, if `uses_training_outputs`.
        """

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """Metrics of this task alone, as JSON values, in addition to those of `dltk.training.report`.

        Args:
            outputs: (n, ...), predictions on the test split; empty if the family has no targets.
            signature: as `finalize_signature` left it.
        """


def signature_of(task: Task, settings: Any, dataset: Dataset, built: Built) -> Signature:
    """`task.signature`, with the step "table" where the data's table is no plain CSV."""
    found = task.signature(settings, dataset, built)
    return replace(found, preprocess=with_dialect(found.preprocess, dataset.report))


class SplitTask:
    """What tasks share whose test samples are what a device will be given."""

    uses_training_outputs = False

    def check(self, model: Any, signature: Signature) -> None:
        """Every input and output, in order."""
        check_tensors(model, signature)

    def refresh(self, dataset: Dataset, settings: Any, predict: Predict) -> Dataset:
        """`dataset`: what a device will be given does not hang on the model."""
        return dataset

    def calibration(self, dataset: Dataset, *, count: int, seed: int) -> NDArray[Any]:
        """Raw training samples (min(count, n), ...), every class with its share."""
        return dataset.train.take(stratified(dataset.train.targets, count=count, seed=seed, mixed=True))

    def evaluation(self, dataset: Dataset, *, limit_bytes: int, seed: int) -> Samples:
        """Test samples, every class with its share."""
        return _drawn(dataset.test, count=samples_within(dataset.test, limit_bytes), seed=seed)

    def golden(self, dataset: Dataset, *, count: int, seed: int) -> Samples:
        """Test samples, of different classes."""
        return _drawn(dataset.test, count=count, seed=seed)

    def finalize_signature(
        self, signature: Signature, outputs: NDArray[Any], dataset: Dataset, metrics: Mapping[str, Any]
    ) -> Signature:
        """The temperature that makes a softmax's confidences honest, as it was fitted on the validation split.

        It is read from `metrics`; `outputs`, of any shape, are not looked at.
        """
        last = signature.postprocess[-1] if signature.postprocess else {"op": "identity"}
        if last["op"] != "softmax" or "calibration" not in metrics:
            return signature
        warmth = {"temperature": metrics["calibration"]["temperature"]}
        return signature.with_postprocess(*signature.postprocess[:-1], {**last, **warmth})

    def figures(self, outputs: NDArray[Any], dataset: Dataset, signature: Signature, settings: Any) -> dict[str, Any]:
        """None beside the general ones; `outputs`, of any shape, are not looked at."""
        return {}


def check_tensors(model: Any, signature: Signature) -> None:
    """Compare a Keras model's inputs and outputs, in order, with `signature`.

    Raises:
        InputError: naming the tensor, what it must be and what it is.
    """
    for kind, specs, tensors in (
        ("input", signature.inputs, model.inputs),
        ("output", signature.outputs, model.outputs),
    ):
        if len(tensors) != len(specs):
            raise InputError(f"model: {kind}s", f"must be {len(specs)}", f"{len(tensors)}")
        for spec, tensor in zip(specs, tensors, strict=True):
            _check_tensor(f"model: {kind} {tensor.name!r}", spec, tuple(tensor.shape))


def samples_within(split: Split, limit_bytes: int) -> int:
    """How many samples of `split` take at most `limit_bytes`, at least one."""
    each = int(split.store.dtype.itemsize * np.prod(split.store.shape[1:], dtype=np.int64))
    return max(1, min(len(split), limit_bytes // max(1, each)))


def samples_at(split: Split, positions: NDArray[np.int64]) -> Samples:
    """Raw samples (k, ...) and targets (k, ...) at `positions` (k,)."""
    return split.take(positions), split.targets[positions]


def _drawn(split: Split, *, count: int, seed: int) -> Samples:
    return samples_at(split, stratified(split.targets, count=count, seed=seed, mixed=True))


def _check_tensor(where: str, spec: TensorSpec, shape: tuple[int | None, ...]) -> None:
    open_axes_fit = len(shape) == len(spec.shape) and all(
        found is None or wanted is None or found == wanted for found, wanted in zip(shape, spec.shape, strict=True)
    )
    if not open_axes_fit:
        wanted = ", ".join("batch" if size is None else str(size) for size in spec.shape)
        raise InputError(where, f"must have the shape ({wanted})", shape)
