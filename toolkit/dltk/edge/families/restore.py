"""A noisy sample to what it was without the noise."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from dltk.base.lazy import installed_only
from dltk.base.terminal import one_line
from dltk.edge.bundle.signature import Signature
from dltk.edge.families.shared.base import Family, Kind, Labelled, Metric
from dltk.edge.families.shared.samples import Samples, columns_of, error, is_table, moments, number, scale_of, step
from dltk.edge.input.images.decode import as_png_grid
from dltk.edge.input.noise import add_noise

__all__ = ["FAMILY", "Restore"]

Prediction = Union[NDArray[np.uint8], dict[str, float]]  # an image, or column -> value


def _error(outputs: Mapping[str, NDArray[Any]], targets: NDArray[Any], signature: Signature) -> NDArray[np.float64]:
    (wanted,) = FAMILY.tensors(np.asarray(targets), signature).values()
    return np.asarray(np.sqrt(error(outputs, wanted, signature)))


class Restore(Samples):
    """Output: shaped like the input tensor. Targets: clean raw samples (n, ...)."""

    name = "restore"
    accepted_inputs = "an image (a path, bytes, a file object, a PIL image, a uint8 array), or a row of numbers"
    # Of each sample's tensor: for images whose tensors lie in 0..1 a share of the range of pixels, for rows a share of
    # each column's own deviation.
    metrics: tuple[Metric, ...] = (Metric("root_mean_squared_error", False, False, _error),)

    def kind(self, signature: Signature) -> Kind:
        """The sample itself, without noise."""
        return "reconstruction"

    def predictions(self, outputs: Mapping[str, NDArray[Any]], signature: Signature, *, top: int) -> list[Prediction]:
        """Per sample: uint8 (height, width, channels), or its numbers by column. `top` has no meaning here."""
        found = np.asarray(outputs[signature.outputs[0].name], np.float64)
        if not is_table(signature):
            op = step(signature.postprocess, "to_uint8")
            pixels = found * number(op, "multiply") + number(op, "add")
            return list(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
        names = columns_of(signature)
        mean, deviation = moments(step(signature.postprocess, "unstandardize"), len(names))
        return [dict(zip(names, map(float, row), strict=True)) for row in found * deviation + mean]

    def as_json(self, prediction: Prediction) -> dict[str, Any]:
        """{column: value}, or {"shape": [...], "pixels": nested lists}."""
        return (
            prediction
            if isinstance(prediction, dict)
            else {"shape": list(prediction.shape), "pixels": prediction.tolist()}
        )

    def as_text(self, prediction: Prediction) -> str:
        """One line per column, or one that describes the image; `--out` writes it."""
        if isinstance(prediction, dict):
            return "\n".join(f"{one_line(name)}={value:.6g}" for name, value in prediction.items())
        return (
            f"image {'x'.join(map(str, prediction.shape))}, mean {prediction.mean():.1f} (write it with --out FILE.png)"
        )

    def as_file(self, predictions: list[Prediction]) -> tuple[str, bytes]:
        """A PNG with the images in a grid, or a CSV with one row per sample."""
        pictures = [prediction for prediction in predictions if not isinstance(prediction, dict)]
        if pictures:
            return ".png", as_png_grid(pictures)
        return ".csv", _csv([prediction for prediction in predictions if isinstance(prediction, dict)])

    @installed_only
    def labelled(self, data: str | Path, signature: Signature) -> Labelled:
        """Clean samples of a user's own, to which the noise is added that the model was trained for.

        Of images in one folder per class or a CSV path,label, or of a CSV with the columns.
        """
        from dltk.edge.families.shared.files import read_listing
        from dltk.edge.sources.kinds import IMAGES
        from dltk.edge.sources.listing import Layout, list_files
        from dltk.edge.sources.tables import dialect_of, read_table

        skipped: tuple[tuple[str, str], ...] = ()
        notes: tuple[str, ...] = ()
        if is_table(signature):
            clean: NDArray[Any] = read_table(data, dialect=dialect_of(signature)).numbers(columns_of(signature))
        else:
            clean, _, skipped, notes = read_listing(
                list_files(data, IMAGES, least_classes=1, layout=Layout(dialect=dialect_of(signature))),
                signature,
                self.read,
                data,
            )
        deviation = number(step(signature.postprocess, "noise"), "deviation")
        numbers, said = np.arange(len(clean)), f"noise of deviation {deviation:g} was added to the samples"
        noisy = add_noise(clean, numbers, deviation=deviation, seed=0, scale=scale_of(signature))
        return Labelled(noisy, clean, skipped, (*notes, said))


def _csv(rows: list[dict[str, float]]) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


FAMILY: Family = Restore()
