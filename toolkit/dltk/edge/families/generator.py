"""A seed number to an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric, SingleSample, Tensors
from dltk.edge.input.images.decode import as_png_grid

__all__ = ["FAMILY", "Generator"]


class Generator(SingleSample):
    """Raw sample: an int64 seed number (). Output: (n, height, width, channels)."""

    name = "generator"
    accepted_inputs = "a seed number"
    metrics: tuple[Metric, ...] = ()  # no picture is right or wrong

    def kind(self, signature: Signature) -> Kind:
        """Numbers: the pixels."""
        return "regression"

    def read(self, source: Any, signature: Signature) -> NDArray[np.int64]:
        """The seed number, given as such or as text: int64 ().

        Raises:
            InputError: if it is no whole number of at least 0 and below 2**63.
        """
        try:
            number = int(str(source))
        except ValueError:
            number = -1
        if not 0 <= number < 2**63:
            raise InputError("seed", "must be a whole number of at least 0 and below 2**63", source)
        return np.array(number, np.int64)

    def tensors(self, raws: NDArray[Any], signature: Signature) -> Tensors:
        """float32 (n, latent): standard normal numbers, a Philox stream a seed.

        Args:
            raws: seed numbers (n,).

        Raises:
            InputError: unless the one step before the model is "normal".
        """
        names = [op["op"] for op in signature.preprocess]
        if names != ["normal"]:
            raise InputError("preprocess", "a generator has the one step 'normal'", names)
        shape = tuple(signature.preprocess[0]["shape"])
        drawn = [np.random.Generator(np.random.Philox(int(seed))) for seed in raws]
        latents = [generator.standard_normal(shape, dtype=np.float32) for generator in drawn]
        return {signature.inputs[0].name: np.stack(latents)}

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[NDArray[Any]]:
        """Per sample: uint8 (height, width, channels). `top` has no meaning here.

        Args:
            outputs: output name -> (n, height, width, channels).

        Raises:
            InputError: if there is a step behind the model that is not "to_uint8".
        """
        found = np.asarray(outputs[signature.outputs[0].name], np.float32)
        for op in signature.postprocess:
            if op["op"] != "to_uint8":
                raise InputError("postprocess", "a generator has the one step 'to_uint8'", op["op"])
            found = found * np.float32(op["multiply"]) + np.float32(op["add"])
        return list(np.clip(np.rint(found), 0, 255).astype(np.uint8))

    def as_json(self, prediction: NDArray[Any]) -> dict[str, Any]:
        """{"shape": [...], "pixels": nested lists}."""
        return {"shape": list(prediction.shape), "pixels": prediction.tolist()}

    def as_text(self, prediction: NDArray[Any]) -> str:
        """One line: what the image (height, width, channels) is; `--out` shows it."""
        return (
            f"image {'x'.join(map(str, prediction.shape))}, mean {prediction.mean():.1f} (write it with --out FILE.png)"
        )

    def as_file(self, predictions: list[NDArray[Any]]) -> tuple[str, bytes]:
        """A PNG with the images, uint8 (height, width, channels), in a grid, row by row."""
        return ".png", as_png_grid(predictions)

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Refused: no image is right or wrong.

        Raises:
            InputError: always.
        """
        raise InputError(str(data), f"no prediction of a {self.name} is right or wrong", hint="Leave --data out.")

    def synthetic(self, signature: Signature, *, count: int, seed: int) -> NDArray[np.int64]:
        """Seed numbers (count,)."""
        return np.random.Generator(np.random.PCG64(seed)).integers(0, 2**31, count, dtype=np.int64)


FAMILY: Family = Generator()
