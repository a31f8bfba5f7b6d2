"""Images to labels: one label a sample, or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge import preprocess
from dltk.edge.families.base import Family, Metric, Tensors
from dltk.edge.metrics import softmax
from dltk.edge.signature import Op, Signature

__all__ = ["FAMILY", "Classification", "is_multi_label", "probabilities"]

_HALF = 0.5  # threshold of a sigmoid that names none

Answer = list[tuple[str, float]]  # label and score, best first


def is_multi_label(signature: Signature) -> bool:
    """Whether a sample may have several labels: then each output has a threshold of its own."""
    last = _last(signature)
    return last["op"] == "sigmoid" or "threshold" in last


def probabilities(logits: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """Scores (n, classes) in 0..1 out of the model's output (n, classes).

    Raises:
        InputError: if the signature's last step is none of softmax, sigmoid, identity.
    """
    last = _last(signature)
    if last["op"] == "softmax":
        return softmax(logits, temperature=float(last.get("temperature", 1.0)))
    if last["op"] == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(np.asarray(logits, np.float64), -500, 500))))
    if last["op"] == "identity":
        return np.asarray(logits, np.float64)
    raise InputError("postprocess", "must end in softmax, sigmoid or identity", last["op"])


def _last(signature: Signature) -> Op:
    return signature.postprocess[-1] if signature.postprocess else {"op": "identity"}


def _right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    found = outputs[signature.outputs[0].name]
    if not is_multi_label(signature):
        return np.asarray(found.argmax(axis=-1) == targets, np.float64)
    chosen = probabilities(found, signature) >= float(_last(signature).get("threshold", _HALF))
    return np.asarray((chosen == (np.asarray(targets) >= _HALF)).mean(axis=-1), np.float64)


def _all_right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    return np.asarray(_right(outputs, targets, signature) == 1.0, np.float64)


class Classification:
    """Raw sample: uint8 (height, width, 3). Output: (n, classes). Targets: int (n,), or 0 and 1 (n, classes)."""

    name = "classification"
    # With several labels a sample, "accuracy" is the share of its labels that are right, "exact_match" asks for all.
    metrics: tuple[Metric, ...] = (
        Metric("accuracy", True, True, _right),
        Metric("exact_match", True, True, _all_right),
    )

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature says."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def answers(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Answer]:
        """A sample: (label, score) pairs, best first; of several labels those over the threshold."""
        scores = probabilities(outputs[signature.outputs[0].name], signature)
        labels = signature.labels or tuple(str(number) for number in range(scores.shape[-1]))
        if len(labels) != scores.shape[-1]:
            raise InputError("labels", f"must be {scores.shape[-1]}, one an output", len(labels))
        lowest = float(_last(signature).get("threshold", _HALF)) if is_multi_label(signature) else -np.inf
        count = len(labels) if is_multi_label(signature) else top
        order = np.argsort(-scores, axis=-1, kind="stable")[:, :count]
        return [
            [(labels[place], float(row[place])) for place in places if row[place] >= lowest]
            for row, places in zip(scores, order, strict=True)
        ]

    def as_json(self, answer: Answer) -> list[dict[str, Any]]:
        """[{"label": .., "score": ..}, ...]."""
        return [{"label": label, "score": score} for label, score in answer]

    def as_text(self, answer: Answer) -> str:
        """A line a label."""
        return "\n".join(f"{score:7.4f}  {label}" for label, score in answer) or "(no label over the threshold)"

    def as_file(self, answers: list[Answer]) -> None:
        """None: text says it all."""

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes every answer the same."""
        height, width, channels = signature.inputs[0].sample_shape
        generator = np.random.Generator(np.random.PCG64(seed))
        patches = generator.integers(0, 256, (count, 4, 4, channels))
        rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
        noise = generator.integers(-32, 33, (count, height, width, channels))
        return np.asarray(np.clip(patches[:, rows][:, :, columns] + noise, 0, 255), np.uint8)


FAMILY: Family = Classification()
