"""Which class each pixel of an image belongs to."""

from __future__ import annotations

from typing import Any

from dltk.base.errors import InputError
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.images import reading_ops
from dltk.data.kinds.masks import prepare_masks
from dltk.edge.bundle.signature import Op, Signature, TensorSpec
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask
from dltk.tasks.image_classification import value_range

__all__ = ["TASK"]

_AXES = ("batch", "height", "width")


class _Segmentation(SplitTask):
    """Targets are uint8 (n, side, side), class numbers."""

    name = "segmentation"
    family = "segmentation"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A folder with images/ and masks/.")
        return prepare_masks(data, settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        side = settings.data.size
        facts = {"samples": len(dataset.train)}
        return Contract({"image": (side, side, 3)}, {"logits": (side, side, len(dataset.labels))}, facts=facts)

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        side, classes = settings.data.size, len(dataset.labels)
        image = TensorSpec("image", "float32", (None, side, side, 3), (*_AXES, "channel"), value_range(built))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=(image,),
            outputs=(TensorSpec("logits", "float32", (None, side, side, classes), (*_AXES, "class")),),
            preprocess=(*_mask_op(dataset), *reading_ops(settings.data, side), *built.preprocess),
            postprocess=({"op": "softmax", "temperature": 1.0},),
            labels=dataset.labels,
        )


def _mask_op(dataset: Dataset) -> tuple[Op, ...]:
    """How masks become classes, where their numbers are not the classes themselves."""
    op = dataset.report.get("masks")
    return (op,) if op else ()


TASK = _Segmentation()
