"""What a model may want pixels to be, and which of it a model was trained with."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dltk.recipe import setting

__all__ = ["CONVENTIONS", "Input", "Tried", "guess_convention", "is_near_chance", "required_margin"]

Range = Literal["0..255", "0..1", "-1..1", "imagenet", "caffe"]

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels in 0..1, RGB
_NOISE = 0.02  # of an accuracy on a few hundred samples: within it, the smallest change wins
_CAFFE_MEAN = (123.68, 116.779, 103.939)  # of ImageNet's pixels in 0..255, RGB

CONVENTIONS: Mapping[Range, tuple[tuple[float, ...], tuple[float, ...]]] = {  # name -> multiply, add; RGB
    "0..255": ((1.0,) * 3, (0.0,) * 3),
    "0..1": ((1 / 255,) * 3, (0.0,) * 3),
    "-1..1": ((1 / 127.5,) * 3, (-1.0,) * 3),
    "imagenet": (
        tuple(1 / (255 * deviation) for deviation in _DEVIATION),
        tuple(-mean / deviation for mean, deviation in zip(_MEAN, _DEVIATION, strict=True)),
    ),
    "caffe": ((1.0,) * 3, tuple(-mean for mean in _CAFFE_MEAN)),
}


@dataclass(frozen=True)
class Input:
    """The input of an adopted model. These keys are added to the recipe's, as `input.range` ..."""

    range: Range = setting("0..255", "pixel range that the model expects")
    channels: Literal["rgb", "bgr"] = setting("rgb", "order of the channels that the model wants")
    check: bool = setting(True, "stop if the model does no better than chance")

    def ops(self) -> tuple[dict[str, Any], ...]:
        """Steps from the cached RGB image to the model's input."""
        multiply, add = CONVENTIONS[self.range]
        order = slice(None, None, -1) if self.channels == "bgr" else slice(None)
        reverse = ({"op": "reverse_channels"},) if self.channels == "bgr" else ()
        return (*reverse, {"op": "scale", "multiply": list(multiply[order]), "add": list(add[order])})


@dataclass(frozen=True)
class Tried:
    """One way to read the samples, and how right the model is with it.

    Attributes:
        accuracy: share of the samples.
        pairs: what to add to the command line for it.
    """

    accuracy: float
    pairs: tuple[str, ...]


def is_near_chance(accuracy: float, classes: int, samples: int) -> bool:
    """Whether `accuracy` on `samples` is no better than guessing among `classes` explains.

    Within three standard deviations of guessing, or less than a tenth of the way from guessing to perfect.
    """
    chance = 1 / classes
    deviation = (chance * (1 - chance) / max(1, samples)) ** 0.5
    return accuracy <= chance + max(3 * deviation, 0.1 * (1 - chance))


def required_margin(accuracy: float, samples: int) -> float:
    """How much better than `accuracy` on `samples` another way to read them must be, to be what was meant.

    Two deviations, so that few samples suggest nothing; and a third of what is missing, so that neither a label order
    fitted to the samples nor a range that suits the model by chance is taken for it.
    """
    return max(1 / max(1, samples) ** 0.5, (1 - accuracy) / 3)


def guess_convention(
    predict: Callable[[Input], NDArray[Any]], targets: NDArray[np.int64], labels: tuple[str, ...], given: Input
) -> Tried:
    """The input convention and label order with which the model is most often right.

    Args:
        predict: an Input -> the model's outputs (n, classes) for the samples, read that way.
        targets: (n,) class numbers, in the order of `labels`.
        given: what the user asked for; of nearly equals, what changes least, and then the more usual, wins.
    """
    inputs = [given, *(Input(r, c) for r, c in itertools.product(CONVENTIONS, ("rgb", "bgr")))]  # type: ignore[arg-type]
    found: list[Tried] = []
    for wanted in inputs:
        guesses = predict(wanted).argmax(axis=-1)
        for order in _orders(guesses, targets, labels):
            place = np.array([order.index(label) for label in labels])
            found.append(Tried(float((guesses == place[targets]).mean()), _pairs(wanted, order, labels, given)))
    best = max(tried.accuracy for tried in found)
    return min((tried for tried in found if tried.accuracy >= best - _NOISE), key=lambda tried: len(tried.pairs))


def _pairs(wanted: Input, order: tuple[str, ...], labels: tuple[str, ...], given: Input) -> tuple[str, ...]:
    pairs = []
    if wanted.range != given.range:
        pairs.append(f"input.range={wanted.range}")
    if wanted.channels != given.channels:
        pairs.append(f"input.channels={wanted.channels}")
    if order != labels:
        pairs.append(f"data.labels={','.join(order)}")
    return tuple(pairs)


def _orders(guesses: NDArray[Any], targets: NDArray[Any], labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Possible orders of the outputs: as they are, backwards, by upper and lower case, and the likeliest one."""
    orders = [labels, labels[::-1], tuple(sorted(labels, key=str.casefold)), tuple(sorted(labels, key=_natural))]
    # With fewer samples a class than this, an order fitted to them says nothing.
    if len(targets) >= 8 * len(labels):
        orders.append(_best_assignment(guesses, targets, labels))
    return list(dict.fromkeys(orders))


def _best_assignment(guesses: NDArray[Any], targets: NDArray[Any], labels: tuple[str, ...]) -> tuple[str, ...]:
    """The assignment of outputs to labels that agrees most often (Kuhn 1955)."""
    from scipy.optimize import linear_sum_assignment

    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (guesses, targets), 1)
    _, columns = linear_sum_assignment(-counts)
    return tuple(labels[column] for column in columns)


def _natural(label: str) -> tuple[float, str]:
    """Numbers by their value, so that 10 comes after 9; then texts."""
    return (float(label), "") if label.isdecimal() else (float("inf"), label)
