"""Which of a set of labels, or which several of them, an image has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset, Split
from dltk.data.kinds.images import prepare_images, reading_ops, size_of
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK", "value_range"]

_THRESHOLD = 0.5  # of a sigmoid: where the odds are even


class _ImageClassification(SplitTask):
    name = "image-classification"
    family = "classification"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A folder with a subfolder per class, for example.")
        dataset = prepare_images(data, settings.data, seed=settings.seed, progress=progress)
        return _in_order(dataset, settings.data.labels) if settings.data.labels else dataset

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        side = size_of(dataset)
        facts = {"samples_per_class": len(dataset.train) / max(1, len(dataset.labels))}
        return Contract({"image": (side, side, 3)}, {"logits": (len(dataset.labels),)}, facts=facts)

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        side = size_of(dataset)
        multi_label = settings.data.multi_label
        last = {"op": "sigmoid", "threshold": _THRESHOLD} if multi_label else {"op": "softmax", "temperature": 1.0}
        axes = ("batch", "height", "width", "channel")
        image = TensorSpec("image", "float32", (None, side, side, 3), axes, value_range(built))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(image,),
            outputs=(TensorSpec("logits", "float32", (None, len(dataset.labels)), ("batch", "class")),),
            preprocess=(*reading_ops(settings.data, side), *built.preprocess),
            postprocess=(last,),
            labels=dataset.labels,
        )


TASK = _ImageClassification()


def value_range(built: Built) -> tuple[float, float] | None:
    """What 0 and 255 become, over all channels."""
    low, high = 0.0, 255.0
    for op in built.preprocess:
        if op["op"] == "scale":
            ends = [end * m + a for m, a in zip(op["multiply"], op["add"], strict=True) for end in (0.0, 255.0)]
            low, high = min(ends), max(ends)
    return low, high


def _in_order(dataset: Dataset, labels: tuple[str, ...]) -> Dataset:
    """`dataset` with its classes numbered as `labels` names them: the order of an adopted model's outputs."""
    if sorted(labels) != sorted(dataset.labels):
        raise InputError("setting data.labels", f"must name each of {', '.join(dataset.labels)} once", ",".join(labels))
    old = np.array([dataset.labels.index(label) for label in labels])

    def renumbered(split: Split) -> Split:
        if split.targets.ndim == 2:
            return replace(split, targets=split.targets[:, old])
        return replace(split, targets=np.argsort(old)[split.targets])

    return replace(
        dataset,
        train=renumbered(dataset.train),
        validation=renumbered(dataset.validation),
        test=renumbered(dataset.test),
        labels=labels,
        digest=sha256(f"{dataset.digest} {old.tolist()}".encode()),
    )
