"""Images to masks: one class per pixel."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric, SingleSample, Tensors
from dltk.edge.families.shared.synthetic import synthetic_images
from dltk.edge.input import preprocess
from dltk.edge.input.given import IMAGE_INPUTS

__all__ = ["FAMILY", "Mask", "Segmentation"]

_CLASSES = 256


@dataclass(frozen=True)
class Mask:
    """A predicted mask.

    Attributes:
        classes: uint8 (height, width), class numbers.
        labels: one per class.
    """

    classes: NDArray[np.uint8]
    labels: tuple[str, ...]

    def shares(self) -> dict[str, float]:
        """Label -> share of the pixels, of the classes that occur; the largest first."""
        counts = np.bincount(self.classes.reshape(-1), minlength=len(self.labels)) / self.classes.size
        order = [number for number in np.argsort(-counts, kind="stable") if counts[number]]
        return {self.labels[number]: float(counts[number]) for number in order}


def _mean_iou(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    """Intersection over union, the mean over the classes that occur in an image's target or prediction.

    Pixels whose target is no class are left out.
    """
    found, wanted = _classes(outputs, signature), np.asarray(targets)
    scores = np.empty(len(found), np.float64)
    classes = outputs[signature.outputs[0].name].shape[-1]
    for row in range(len(found)):
        known = wanted[row] < classes
        ours, theirs = found[row][known], wanted[row][known]
        shares = [
            ((ours == number) & (theirs == number)).sum() / ((ours == number) | (theirs == number)).sum()
            for number in np.union1d(ours, theirs)
        ]
        scores[row] = np.mean(shares) if shares else 1.0
    return scores


def _right(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    wanted = np.asarray(targets)
    known = wanted < outputs[signature.outputs[0].name].shape[-1]
    right = (_classes(outputs, signature) == wanted) & known
    return np.asarray(right.sum(axis=(1, 2)) / np.maximum(known.sum(axis=(1, 2)), 1), np.float64)


def _classes(outputs: Mapping[str, NDArray[Any]], signature: Signature) -> NDArray[np.uint8]:
    """uint8 (n, height, width) of scores (n, height, width, classes)."""
    scores = outputs[signature.outputs[0].name]
    if scores.ndim != 4 or not 0 < scores.shape[-1] <= _CLASSES:
        raise InputError("outputs", f"must be (n, height, width, classes) of at most {_CLASSES}", scores.shape)
    return np.asarray(scores.argmax(axis=-1), np.uint8)


class Segmentation(SingleSample):
    """Raw sample: uint8 (height, width, 3). Output: (n, height, width, classes). Targets: int (n, height, width)."""

    name = "segmentation"
    accepted_inputs = IMAGE_INPUTS
    metrics: tuple[Metric, ...] = (
        Metric("mean_iou_per_image", True, True, _mean_iou),
        Metric("pixel_accuracy", True, True, _right),
    )

    def kind(self, signature: Signature) -> Kind:
        """A class a pixel."""
        return "pixels"

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized: uint8 (height, width, channels)."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature defines."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Mask]:
        """A mask per sample, of the size of the model's input. `top` has no meaning here.

        Args:
            outputs: output name -> (n, height, width, classes).

        Raises:
            InputError: if there is not one label per class.
        """
        found, classes = _classes(outputs, signature), outputs[signature.outputs[0].name].shape[-1]
        labels = signature.labels or tuple(map(str, range(classes)))
        if len(labels) != classes:
            raise InputError("labels", f"must be {classes}, one per output", len(labels))
        return [Mask(mask, labels) for mask in found]

    def as_json(self, prediction: Mask) -> dict[str, Any]:
        """{"shares": {label: share}, "labels": [...], "classes": rows of class numbers}."""
        return {
            "shares": prediction.shares(),
            "labels": list(prediction.labels),
            "classes": prediction.classes.tolist(),
        }

    def as_text(self, prediction: Mask) -> str:
        """One line per class that occurs: its share of the image."""
        return "\n".join(f"{share:7.2%}  {one_line(label)}" for label, share in prediction.shares().items())

    def as_file(self, predictions: list[Mask]) -> tuple[str, bytes]:
        """A PNG of class numbers with a palette, as training takes it; several masks in a grid, row by row."""
        from PIL import Image

        height, width = predictions[0].classes.shape
        across = math.ceil(math.sqrt(len(predictions)))
        grid = np.zeros((math.ceil(len(predictions) / across) * height, across * width), np.uint8)
        for place, prediction in enumerate(predictions):
            top, left = place // across * height, place % across * width
            grid[top : top + height, left : left + width] = prediction.classes
        picture = Image.fromarray(grid)
        picture.putpalette(_palette().tobytes())  # grey becomes a palette's indices
        stream = io.BytesIO()
        picture.save(stream, "PNG")
        return ".png", stream.getvalue()

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Of a folder with images/ and masks/; where it is split, all of it. Sizes and class numbers must fit.

        Raises:
            InputError: if they do not, or labels.txt has other labels than the model.
        """
        from dltk.edge.sources.masks import IGNORED, MaskReading, list_masked, read_mask

        found = list_masked(data)
        reading = MaskReading.from_op(next((op for op in signature.preprocess if op["op"] == "masks"), None))
        given = () if found.labels is None else found.labels
        if reading.classes:  # labels that the model was trained to ignore may stand among them
            given = tuple(label for label in given if label in signature.labels)
        if found.labels is not None and given != signature.labels:
            rule = f"must be the model's labels in their order: {', '.join(signature.labels)}"
            raise InputError(Path(data) / "labels.txt", rule, ", ".join(found.labels))
        resize = next((op for op in signature.preprocess if op["op"] == "resize"), None)
        raws, targets, skipped = [], [], []
        for name, image, path in zip(found.names, found.images, found.masks, strict=True):
            mask = read_mask(path, like=image, labels=signature.labels, reading=reading)
            target = mask if resize is None else preprocess.resize_image(mask, resize, nearest=True)
            if reading.classes and (target == IGNORED).all():
                skipped.append((name, "all pixels are ignored"))
                continue
            raws.append(self.read(image, signature))
            targets.append(target)
        if not raws:
            raise InputError(Path(data), "must hold pixels of a class", "ignored pixels alone")
        return Labelled(np.stack(raws), np.stack(targets), tuple(skipped), found.notes)

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise, as for classifiers: uint8 (count, height, width, channels)."""
        return synthetic_images(signature, count=count, seed=seed)


def _palette() -> NDArray[np.uint8]:
    """uint8 (256, 3): the colours of PASCAL VOC (Everingham et al. 2010); class 0 is black."""
    numbers, colours = np.arange(_CLASSES), np.zeros((_CLASSES, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((numbers >> (3 * bit + channel)) & 1).astype(np.uint8) << np.uint8(7 - bit)
    return colours


FAMILY: Family = Segmentation()
