"""Outputs of a frozen model for a split's samples, computed once per view and cached on disk.

Used for the features of a frozen backbone and for a teacher's logits. Kept in float32, as the model gave them;
float16 only if the file would exceed 4 GB, which is logged (a step of float16 is 1e-3 relative). The file is read
back as a memory map: its pages belong to the system's file cache, not to the process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.cache.entries import entry_is_intact, new_entry
from dltk.base.cache.folder import cache_folder
from dltk.base.disk import allocate, require_free_disk
from dltk.base.files import canonical_json, sha256
from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset, Split
from dltk.edge.bundle.arrays import load_intact_array
from dltk.edge.bundle.signature import Signature
from dltk.edge.families import family
from dltk.models.backend import tf
from dltk.models.digest import model_digest
from dltk.tasks import Task
from dltk.training.prefetch import prefetch
from dltk.training.views.base import PLAIN, Views

__all__ = ["Frozen", "cached_outputs", "model_inputs", "refresh_dataset", "runner"]

BATCH = 64  # fixed: another batch size could change a last bit, and with it what a cache holds
_FLOAT16_OVER = 4_000_000_000  # bytes
_VERSION = 2  # of what is kept; a new one when the computation changes


def model_inputs(model: Any, raws: NDArray[Any], signature: Signature) -> list[NDArray[Any]]:
    """The input arrays (n, ...) of `model`, in its order, as the family makes them of raw samples (n, ...)."""
    tensors = family(signature.family).tensors(raws, signature)
    names = [tensor.name.partition(":")[0] for tensor in model.inputs]
    if set(names) == set(tensors):
        return [tensors[name] for name in names]
    return [tensors[spec.name] for spec in signature.inputs]  # a twin may have names of its own


def runner(model: Any) -> Callable[..., Any]:
    """`model` in inference mode as one compiled function of its input arrays, traced once for every batch size."""
    kinds = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]

    def forward(*inputs: Any) -> Any:
        return tf.cast(model(inputs[0] if len(inputs) == 1 else list(inputs), training=False), tf.float32)

    compiled: Callable[..., Any] = tf.function(forward, input_signature=kinds, autograph=False)
    return compiled


class Frozen:
    """A model whose weights no longer change: compiled once, named by a digest.

    Args:
        model: Keras 3 or tf_keras, with one output.
        given: names of the layers inside whose features that output is made of; of others it is the last layer's.
    """

    def __init__(self, model: Any, given: Sequence[str] = ()) -> None:
        self.model, self._given = model, list(given)

    @cached_property
    def digest(self) -> str:
        """Digest of the model and of its described outputs."""
        found = model_digest(self.model)
        return sha256(canonical_json([found, self._given])) if self._given else found

    @cached_property
    def forward(self) -> Callable[..., Any]:
        """Input tensors -> output tensor, float32."""
        return runner(self.model)

    def run(self, raws: NDArray[Any], signature: Signature) -> NDArray[np.float32]:
        """Outputs (n, ...) of raw samples (n, ...)."""
        inputs = model_inputs(self.model, raws, signature)
        return np.asarray(self.forward(*map(tf.constant, inputs)).numpy())

    def run_all(
        self, count: int, take: Callable[[NDArray[np.int64]], NDArray[Any]], signature: Signature,
        *, batch_size: int = BATCH
    ) -> Iterator[NDArray[np.float32]]:  # fmt: skip
        """Outputs (batch, ...) for positions 0..count-1, a batch at a time.

        Args:
            take: positions (batch,) -> raw samples (batch, ...).
        """

        def make(start: int) -> list[NDArray[Any]]:
            return model_inputs(self.model, take(np.arange(start, min(start + batch_size, count))), signature)

        for inputs in prefetch(make, range(0, count, batch_size)):
            yield self.forward(*map(tf.constant, inputs)).numpy()


def refresh_dataset(task: Task, model: Any, dataset: Dataset, signature: Signature, settings: Any) -> Dataset:
    """`dataset` as `task` has it now that there is a Keras `model`."""
    frozen = Frozen(model)
    return task.refresh(dataset, settings, lambda raws: frozen.run(raws, signature))


def cached_outputs(
    frozen: Frozen, split: Split, signature: Signature, *, views: Views | None = None, view: int = PLAIN, source: str,
    label: str, progress: Progress = SILENT
) -> NDArray[Any]:  # fmt: skip
    """Outputs (n, ...) of `frozen` for every sample of `split` as `view` shows it: a memory map, read only.

    Args:
        views: of `split`; None: the samples as they are.
        source: `Dataset.digest`; names the samples together with the split's ids.
        label: what the progress bar calls it.

    Raises:
        EnvironmentFault: if the disk has no room.
    """
    shape = (len(split), *(int(size) for size in frozen.model.outputs[0].shape[1:]))
    kind = np.dtype(np.float16 if math.prod(shape) * 4 > _FLOAT16_OVER else np.float32)
    shown = (views or Views(split, seed=0)).key(view)
    facts = {
        "version": _VERSION, "model": frozen.digest, "source": source, "ids": sha256(split.ids.tobytes()),
        "shown": shown, "preprocess": [dict(op) for op in signature.preprocess], "family": signature.family,
    }  # fmt: skip
    folder = cache_folder("features", sha256(canonical_json(facts)))
    there = _kept(folder, shape, kind, progress)
    if there is None:
        require_free_disk(folder, math.prod(shape) * kind.itemsize)
        if kind == np.float16:
            progress.log(f"{label}: kept in float16, since float32 would take {math.prod(shape) * 4 / 1e9:.1f} GB")
        take = split.take if views is None else lambda positions: views.take(positions, view)
        with new_entry(folder) as building, progress.bar(label, len(split)) as bar:
            target = np.lib.format.open_memmap(building / "features.npy", mode="w+", dtype=kind, shape=shape)
            allocate(building / "features.npy")
            start = 0
            for found in frozen.run_all(len(split), take, signature):
                target[start : start + len(found)] = found
                start += len(found)
                bar.advance(len(found))
            target.flush()
            del target  # closes the map before the folder is moved
        there = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
    return there


def _kept(folder: Path, shape: tuple[int, ...], kind: np.dtype[Any], progress: Progress) -> NDArray[Any] | None:
    """The memory map of a whole array of that form; None where there is none: it is created again."""
    if not entry_is_intact(folder, ["features.npy"], note=progress.warn):
        return None
    return load_intact_array(folder / "features.npy", shape, kind)
