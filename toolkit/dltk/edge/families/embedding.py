"""A sample to a short vector: similar samples have close vectors."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric
from dltk.edge.families.shared.samples import Samples

__all__ = ["FAMILY", "Embedding"]

_SHOWN = 8  # numbers of a vector in a line of text


class Embedding(Samples):
    """Output: (n, length)."""

    name = "embedding"
    accepted_inputs = "an image (a path, bytes, a file object, a PIL image, a uint8 array), or a row of numbers"
    metrics: tuple[Metric, ...] = ()  # no vector is right or wrong

    def kind(self, signature: Signature) -> Kind:
        """Numbers."""
        return "regression"

    def predictions(
        self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int
    ) -> list[NDArray[np.float32]]:
        """Per sample: float32 (length,), out of the output (n, length). `top` has no meaning here."""
        return list(np.asarray(outputs[signature.outputs[0].name], np.float32))

    def as_json(self, prediction: NDArray[np.float32]) -> list[float]:
        """The numbers of `prediction` (length,)."""
        return [float(value) for value in prediction]

    def as_text(self, prediction: NDArray[np.float32]) -> str:
        """The first numbers of `prediction` (length,); `--json` and `--out FILE.npy` have them all."""
        rest = f" ... ({len(prediction)} numbers)" if len(prediction) > _SHOWN else ""
        return " ".join(f"{value:.4g}" for value in prediction[:_SHOWN]) + rest

    def as_file(self, predictions: list[NDArray[np.float32]]) -> tuple[str, bytes]:
        """A NumPy file, float32 (n, length)."""
        stream = io.BytesIO()
        np.save(stream, np.stack(predictions), allow_pickle=False)
        return ".npy", stream.getvalue()

    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Refused: no vector is right or wrong.

        Raises:
            InputError: always.
        """
        raise InputError(str(data), f"no prediction of an {self.name} is right or wrong", hint="Leave --data out.")


FAMILY: Family = Embedding()
