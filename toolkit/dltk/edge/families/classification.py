"""Images to labels: one label per sample, or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Tensors
from dltk.edge.families.shared.files import LabelledFiles
from dltk.edge.families.shared.synthetic import synthetic_images
from dltk.edge.input import preprocess
from dltk.edge.input.given import IMAGE_INPUTS
from dltk.edge.sources.kinds import IMAGES

__all__ = ["FAMILY", "Classification"]


class Classification(LabelledFiles):
    """Raw sample: uint8 (height, width, 3)."""

    name = "classification"
    accepted_inputs = IMAGE_INPUTS
    files = IMAGES

    def read(self, source: Any, signature: Signature) -> NDArray[np.uint8]:
        """The image at a path, in bytes or in an array, decoded and resized: uint8 (height, width, channels)."""
        return preprocess.read_image(source, signature.preprocess)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, height, width, 3), scaled as the signature defines."""
        return {signature.inputs[0].name: preprocess.apply_ops(raws, signature.preprocess)}

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.uint8]:
        """Coloured patches with noise (count, height, width, 3): flat noise alone makes all predictions equal."""
        return synthetic_images(signature, count=count, seed=seed)


FAMILY: Family = Classification()
