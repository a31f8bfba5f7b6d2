"""One label per sample, or several: what all families of labels share, whatever a sample is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Op, Signature
from dltk.edge.families.shared.base import Kind, Metric, SingleSample
from dltk.edge.metrics import softmax

__all__ = ["Labels", "encode_targets", "is_multi_label", "probabilities", "require_known"]

_HALF = 0.5  # threshold of a sigmoid that names none

Prediction = list[tuple[str, float]]  # label and score, best first


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


class Labels(SingleSample):
    """Output: (n, classes). Targets: int (n,), or 0 and 1 (n, classes)."""

    # With several labels per sample, "accuracy" is the share of its labels that are right, "exact_match" asks for all.
    metrics: tuple[Metric, ...] = (
        Metric("accuracy", True, True, _right),
        Metric("exact_match", True, True, _all_right),
    )

    def kind(self, signature: Signature) -> Kind:
        """One label per sample, or several."""
        return "multi-label" if is_multi_label(signature) else "single-label"

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: (label, score) pairs, best first; of several labels those over the threshold.

        Args:
            outputs: output name -> (n, classes).
            top: pairs per sample at most; without meaning where there are several labels per sample.

        Raises:
            InputError: if there is not one label per output.
        """
        scores = probabilities(outputs[signature.outputs[0].name], signature)
        labels = signature.labels or tuple(str(number) for number in range(scores.shape[-1]))
        if len(labels) != scores.shape[-1]:
            raise InputError("labels", f"must be {scores.shape[-1]}, one per output", len(labels))
        lowest = float(_last(signature).get("threshold", _HALF)) if is_multi_label(signature) else -np.inf
        count = len(labels) if is_multi_label(signature) else top
        order = np.argsort(-scores, axis=-1, kind="stable")[:, :count]
        return [
            [(labels[place], float(row[place])) for place in places if row[place] >= lowest]
            for row, places in zip(scores, order, strict=True)
        ]

    def as_json(self, prediction: Prediction) -> list[dict[str, Any]]:
        """[{"label": .., "score": ..}, ...]."""
        return [{"label": label, "score": score} for label, score in prediction]

    def as_text(self, prediction: Prediction) -> str:
        """One line per label."""
        return (
            "\n".join(f"{score:7.4f}  {one_line(label)}" for label, score in prediction)
            or "(no label over the threshold)"
        )


def require_known(labels: Iterable[str], signature: Signature, where: object) -> None:
    """Raise InputError if one of `labels` is none of the model's."""
    unknown = sorted(set(labels) - set(signature.labels))
    if unknown:
        raise InputError(str(where), f"labels must be among {', '.join(signature.labels)}", ", ".join(unknown))


def encode_targets(classes: Sequence[Sequence[str]], signature: Signature) -> NDArray[Any]:
    """Targets of samples with the labels `classes`: int64 (n,), or float32 (n, classes) where there are several."""
    found = np.zeros((len(classes), len(signature.labels)), np.float32)
    for row, names in enumerate(classes):
        found[row, [signature.labels.index(name) for name in names]] = 1.0
    return found if is_multi_label(signature) else found.argmax(axis=1)
