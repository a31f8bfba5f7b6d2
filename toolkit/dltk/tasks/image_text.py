"""Which of a set of labels per image with a text has."""

from __future__ import annotations

from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.pairs import pair_ops, prepare_pairs
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.input.tokens import TOKENIZER, vocabulary
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]


class _ImageTextClassification(SplitTask):
    """The model's inputs are `image` and `tokens`, 0 behind the end of a text; it may leave one of them out."""

    name = "image-text-classification"
    family = "image-text"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            raise InputError("--data", "must be given", hint="A CSV with the columns image, text and label.")
        return prepare_pairs(data, settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        side, highest = settings.data.size, vocabulary(dataset.assets[TOKENIZER]) - 1
        return Contract(
            {"image": (side, side, 3), "tokens": (settings.data.length,)},
            {"logits": (len(dataset.labels),)},
            {"tokens": (0, highest)},
            dataset.labels,
        )

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        side, length, tokenizer = settings.data.size, settings.data.length, dataset.assets[TOKENIZER]
        known = {
            "image": TensorSpec("image", "float32", (None, side, side, 3), ("batch", "height", "width", "channel")),
            "tokens": TensorSpec(
                "tokens", "int32", (None, length), ("batch", "token"), (0, vocabulary(tokenizer) - 1)
            ),
        }  # fmt: skip
        names = [tensor.name.partition(":")[0] for tensor in built.model.inputs]
        if not names or not set(names) <= set(known):
            raise InputError("model: inputs", "must be image and tokens, or one of them", ", ".join(names))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=tuple(known[name] for name in names),
            outputs=(TensorSpec("logits", "float32", (None, len(dataset.labels)), ("batch", "class")),),
            preprocess=(
                *pair_ops(settings.data),
                {"op": "tokenize", "file": TOKENIZER, "sha256": sha256(tokenizer)},
                *built.preprocess,
            ),
            postprocess=({"op": "softmax", "temperature": 1.0},),
            labels=dataset.labels,
            assets={TOKENIZER: tokenizer},
        )


TASK = _ImageTextClassification()
