"""Which of a set of labels a text has."""

from __future__ import annotations

from typing import Any

from dltk.base.errors import InputError
from dltk.base.files import sha256
from dltk.base.progress import Progress
from dltk.data.dataset import Dataset
from dltk.data.kinds.texts import prepare_texts
from dltk.edge.bundle.signature import Signature, TensorSpec
from dltk.edge.input.tokens import TOKENIZER, vocabulary
from dltk.recipe import Built, Contract
from dltk.tasks.base import SplitTask

__all__ = ["TASK"]


class _TextClassification(SplitTask):
    """The model's input is `tokens`, 0 behind a text's end; it may have `positions` too, which count them from 1."""

    name = "text-classification"
    family = "text"
    trainer = "fit"

    def prepare(self, settings: Any, data: str | None, *, progress: Progress) -> Dataset:
        if data is None:
            hint = (
                "A CSV with the columns text and label, or a folder with train.csv and test.csv or a folder per class."
            )
            raise InputError("--data", "must be given", hint=hint)
        return prepare_texts(data, settings.data, seed=settings.seed, progress=progress)

    def contract(self, settings: Any, dataset: Dataset) -> Contract:
        return Contract(
            {"tokens": (int(dataset.report["length"]),)},
            {"logits": (len(dataset.labels),)},
            {"tokens": (0, vocabulary(dataset.assets[TOKENIZER]) - 1)},
            dataset.labels,
            dataset.assets,
        )

    def signature(self, settings: Any, dataset: Dataset, built: Built) -> Signature:
        tokenizer, length = dataset.assets[TOKENIZER], int(dataset.report["length"])
        columns = dataset.report["columns"]
        highest = {"tokens": vocabulary(tokenizer) - 1, "positions": length}
        names = [tensor.name.partition(":")[0] for tensor in built.model.inputs]
        if not set(names) <= set(highest):
            raise InputError("model: inputs", "must be tokens, and positions or nothing", ", ".join(names))
        return Signature(
            task=self.name,
            family=self.family,
            inputs=tuple(
                TensorSpec(name, "int32", (None, length), ("batch", "token"), (0, highest[name])) for name in names
            ),
            outputs=(TensorSpec("logits", "float32", (None, len(dataset.labels)), ("batch", "class")),),
            preprocess=(
                {
                    "op": "text",
                    "column": columns["text"],
                    "label": columns["label"],
                    "max_bytes": dataset.report["max_bytes"],
                },
                {"op": "tokenize", "file": TOKENIZER, "sha256": sha256(tokenizer)},
                *built.preprocess,
            ),
            postprocess=({"op": "softmax", "temperature": 1.0},),
            labels=dataset.labels,
            assets={TOKENIZER: tokenizer},
        )


TASK = _TextClassification()
