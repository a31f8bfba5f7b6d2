"""A teacher: another model's predictions, cached by (sample, view, model), so that it is asked once a view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dltk.base.progress import SILENT, Progress
from dltk.data.dataset import Dataset
from dltk.edge.bundle.signature import Signature
from dltk.recipe.groups import Augmentation
from dltk.training.features import Frozen, cached_outputs
from dltk.training.views.factory import views_of

__all__ = ["Teacher", "cached_teacher"]


@dataclass(frozen=True)
class Teacher:
    """The teacher of a student, in addition to the labels (Hinton et al. 2015, arXiv:1503.02531).

    Attributes:
        logits: view -> float32 (n, ...), what the teacher gives, in the order of the training split: logits, or the
        signature's output (probabilities of a model with its softmax inside, values of a forecast).
        temperature: softens both outputs.
        weight: share of the loss that the teacher has; the labels have the rest.
        digest: of the teacher's model: see `dltk.models.digest`.
    """

    logits: Callable[[int], NDArray[Any]]
    temperature: float = 2.0
    weight: float = 0.5
    digest: str = ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a resumed run must have in common with the interrupted one."""
        return {"teacher": self.digest, "temperature": self.temperature, "weight": self.weight}


def cached_teacher(
    model: Any, dataset: Dataset, signature: Signature, *, seed: int, augment: Augmentation | None = None,
    temperature: float = 2.0, weight: float = 0.5, progress: Progress = SILENT
) -> Teacher:  # fmt: skip
    """A teacher out of `model` (Keras 3 or tf_keras), whose outputs are of the same kind as the student's.

    `seed` and `augment` must be those of the student's trainer: it learns from the prediction to the very image it
    sees. `views=0` (a new view every epoch) means a pass of the teacher every epoch.
    """
    classes = signature.outputs[0].sample_shape[-1]
    views, frozen = views_of(dataset.train, augment, seed=seed, classes=classes), Frozen(model)

    def logits(view: int) -> NDArray[Any]:
        return cached_outputs(
            frozen, dataset.train, signature, views=views, view=view, source=dataset.digest,
            label="teacher", progress=progress
        )  # fmt: skip

    return Teacher(logits, temperature, weight, frozen.digest)
