"""Score a model on a user's own labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.families import family
from dltk.edge.families.classification import is_multi_label
from dltk.edge.families.series import scale_of, window_of
from dltk.edge.runtimes import Session
from dltk.edge.signature import Signature
from dltk.edge.sources import list_images, read_table

__all__ = ["Labelled", "labelled", "score"]

Labelled = tuple[NDArray[Any], NDArray[Any]]  # raw samples (n, ...), targets (n, ...)

_CHUNK = 64  # samples whose tensors are held at a time


def labelled(data: str | Path, signature: Signature) -> Labelled:
    """Samples and targets: of a folder a class or a CSV of path,label; or every window of a CSV of measurements.

    Raises:
        InputError: if they cannot be read, carry labels the model does not know, or nothing can be right or wrong.
    """
    if signature.family == "classification":
        return _images(data, signature)
    if signature.family == "series":
        return _windows(Path(data), signature)
    raise InputError(str(data), f"no answer of a {signature.family} is right or wrong", hint="Leave --data out.")


def score(session: Session, signature: Signature, samples: Labelled) -> dict[str, Any]:
    """{"name", "value", "samples"} of the family's first metric."""
    raws, targets = samples
    kind, scores = family(signature.family), []
    for start in range(0, len(raws), _CHUNK):
        piece = slice(start, start + _CHUNK)
        outputs = session.run(kind.tensors(raws[piece], signature))
        scores.append(kind.metrics[0].scores(outputs, targets[piece], signature))
    return {"name": kind.metrics[0].name, "value": float(np.concatenate(scores).mean()), "samples": len(raws)}


def _images(data: str | Path, signature: Signature) -> Labelled:
    several = is_multi_label(signature)
    listing = list_images(data, multi_label=several)
    unknown = sorted(set(listing.labels) - set(signature.labels))
    if unknown:
        raise InputError(str(data), f"labels must be among {', '.join(signature.labels)}", ", ".join(unknown))
    kind = family(signature.family)
    raws = np.stack([kind.read(path, signature) for path in listing.paths])
    hot = np.zeros((len(raws), len(signature.labels)), np.float32)
    for row, classes in enumerate(listing.classes):
        hot[row, [signature.labels.index(label) for label in classes]] = 1.0
    return raws, hot if several else hot.argmax(axis=1)


def _windows(path: Path, signature: Signature) -> Labelled:
    """Every window of the file with what came after it, standardized as the model gives it."""
    window, targets = window_of(signature), signature.labels or tuple(window_of(signature)["columns"])
    table, length = read_table(path), int(window["length"])
    horizon = int(np.prod(signature.outputs[0].sample_shape)) // len(targets)
    inputs, after = table.numbers(window["columns"]), table.numbers(targets)
    if len(inputs) < length + horizon:
        raise InputError(path, f"needs at least {length + horizon} rows", len(inputs))
    mean, deviation = scale_of(signature)
    wanted = (after[length:].astype(np.float64) - mean) / deviation
    count = len(inputs) - length - horizon + 1
    raws = np.moveaxis(sliding_window_view(inputs, length, axis=0), -1, 1)[:count]
    return raws, np.moveaxis(sliding_window_view(wanted, horizon, axis=0), -1, 1)
