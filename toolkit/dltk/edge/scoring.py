"""Score a model on a user's own labelled data."""

from __future__ import annotations

from dataclasses import dataclass
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
from dltk.edge.sources import Listing, list_images, read_table
from dltk.edge.sources.unreadable import ignored, reason_of, require_few_unreadable

__all__ = ["Labelled", "labelled", "score"]

_CHUNK = 64  # samples whose tensors are held at a time


@dataclass(frozen=True)
class Labelled:
    """Samples and what is right.

    Attributes:
        raws: (n, ...).
        targets: (n, ...).
        skipped: (name, reason) of files that are none of the samples.
        notes: sentences about them.
    """

    raws: NDArray[Any]
    targets: NDArray[Any]
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: what was scored, and what was left out."""
        skipped = [{"name": name, "reason": reason} for name, reason in self.skipped]
        return {"samples": len(self.raws), "skipped": skipped, "notes": list(self.notes)}


def labelled(data: str | Path, signature: Signature) -> Labelled:
    """Samples and targets: of a folder a class or a CSV of path,label; or every window of a CSV of measurements.

    There need not be samples of every class. A few pictures that cannot be read are left out, as in training.

    Raises:
        InputError: if too many cannot be read, they carry labels the model does not know, or nothing can be right or
            wrong.
    """
    if signature.family == "classification":
        return _images(data, signature)
    if signature.family == "series":
        return _windows(Path(data), signature)
    raise InputError(str(data), f"no answer of a {signature.family} is right or wrong", hint="Leave --data out.")


def score(session: Session, signature: Signature, samples: Labelled) -> dict[str, Any]:
    """{"name", "value", "samples"} of the family's first metric."""
    raws, targets = samples.raws, samples.targets
    kind, scores = family(signature.family), []
    for start in range(0, len(raws), _CHUNK):
        piece = slice(start, start + _CHUNK)
        outputs = session.run(kind.tensors(raws[piece], signature))
        scores.append(kind.metrics[0].scores(outputs, targets[piece], signature))
    return {"name": kind.metrics[0].name, "value": float(np.concatenate(scores).mean()), "samples": len(raws)}


def _images(data: str | Path, signature: Signature) -> Labelled:
    several = is_multi_label(signature)
    listing = list_images(data, multi_label=several, least_classes=1)
    unknown = sorted(set(listing.labels) - set(signature.labels))
    if unknown:
        raise InputError(str(data), f"labels must be among {', '.join(signature.labels)}", ", ".join(unknown))
    raws, faults = _read(listing, signature)
    total, remedy = len(listing.names), "Repair or remove them."
    found = [(listing.names[row], reason) for row, reason in faults.items()]
    notes = (ignored(listing.skipped), require_few_unreadable(str(data), found, total, remedy=remedy))
    rows = [row for row in range(total) if row not in faults]
    hot = np.zeros((len(rows), len(signature.labels)), np.float32)
    for place, row in enumerate(rows):
        hot[place, [signature.labels.index(label) for label in listing.classes[row]]] = 1.0
    targets = hot if several else hot.argmax(axis=1)
    return Labelled(np.stack(raws), targets, (*found, *listing.skipped), tuple(filter(None, notes)))


def _read(listing: Listing, signature: Signature) -> tuple[list[NDArray[Any]], dict[int, str]]:
    """Raw samples of the files that can be read; row -> reason of the others."""
    raws, faults = [], {}
    for row, path in enumerate(listing.paths):
        try:
            raws.append(family(signature.family).read(path, signature))
        except InputError as fault:
            faults[row] = reason_of(fault)
    return raws, faults


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
    return Labelled(raws, np.moveaxis(sliding_window_view(wanted, horizon, axis=0), -1, 1))
