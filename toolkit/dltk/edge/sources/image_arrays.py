"""Images and labels in an npz archive."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.sources.arrays import read_arrays
from dltk.edge.sources.labels import check_labels

__all__ = ["ImageArrays", "read_image_arrays"]

_MAX_CLASSES = 100_000
_SUFFIX_SPLITS = {"train": "train", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class ImageArrays:
    """Images held in memory, with their labels.

    Attributes:
        images: split ("train", "validation", "test", or None where there is no split) -> uint8 (n, H, W[, channels]).
        targets: the same keys -> int64 (n,), or float32 (n, labels) of 0 and 1 for several labels per sample.
        labels: one per class.
    """

    images: Mapping[str | None, NDArray[np.uint8]]
    targets: Mapping[str | None, NDArray[Any]]
    labels: tuple[str, ...]


def read_image_arrays(path: str | Path) -> ImageArrays:
    """Images and labels out of an npz with `x`, `y`, or `x_train`, `y_train` and the same for `test` and `val`.

    Images are uint8 (n, H, W), (n, H, W, 1), (n, H, W, 3) or (n, H, W, 4). Targets are whole numbers from 0 (n,) or
    (n, 1), texts (n,), or 0 and 1 (n, labels). `labels`, texts, names the classes.

    Raises:
        InputError: naming the key that does not fit.
    """
    arrays = read_arrays(path)
    pairs = _pairs(set(arrays), path)
    images = {split: _images(arrays[x], f"{path}: {x}") for split, (x, _) in pairs.items()}
    raw = {split: _flat(arrays[y]) for split, (_, y) in pairs.items()}
    for split, (x, y) in pairs.items():
        if raw[split].ndim == 0 or len(raw[split]) != len(images[split]):
            raise InputError(
                f"{path}: {y}", f"must have one entry an image of {x}: {len(images[split])}", raw[split].shape
            )
    labels = _labels(arrays.get("labels"), raw, path)
    targets = {split: _targets(raw[split], labels, f"{path}: {y}") for split, (_, y) in pairs.items()}
    if len({target.ndim for target in targets.values()}) > 1:
        raise InputError(path, "every y must have the same number of axes", [t.shape for t in targets.values()])
    return ImageArrays(images, targets, labels)


def _pairs(keys: set[str], path: str | Path) -> dict[str | None, tuple[str, str]]:
    pairs: dict[str | None, tuple[str, str]] = {
        split: (f"x_{suffix}", f"y_{suffix}") for suffix, split in _SUFFIX_SPLITS.items()
    }
    present = {split: pair for split, pair in pairs.items() if keys & set(pair)}
    if not present:
        present = {None: ("x", "y")}
    needed = {key for pair in present.values() for key in pair} | ({"x_train"} if None not in present else set())
    if missing := sorted(needed - keys):
        raise InputError(f"{path}: {missing[0]}", "must be there", f"keys {', '.join(sorted(keys)) or 'none'}")
    if unknown := sorted(keys - needed - {"labels"}):
        raise InputError(f"{path}: {unknown[0]}", "is not a known key", hint="Known: x, y, x_train ... y_test, labels.")
    return present


def _images(array: NDArray[Any], where: str) -> NDArray[np.uint8]:
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3, 4))
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        hint = "Store pixels as whole numbers 0..255."
        raise InputError(where, "must be uint8 (n, H, W[, 1, 3 or 4])", f"{array.dtype} {array.shape}", hint)
    return array


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    return array.reshape(-1) if array.shape[1:] == (1,) else array


def _labels(given: NDArray[Any] | None, raw: Mapping[Any, NDArray[Any]], path: str | Path) -> tuple[str, ...]:
    if given is not None:
        names = [str(name) for name in given.reshape(-1)]
        if given.dtype.kind != "U" or given.ndim != 1 or len(set(names)) != len(names):
            raise InputError(f"{path}: labels", "must be different texts (classes,)", f"{given.dtype} {given.shape}")
        if set(check_labels(names, f"{path}: labels")) != set(names):
            raise InputError(f"{path}: labels", "must be in Unicode form NFC")
        return tuple(names)
    if all(target.dtype.kind == "U" for target in raw.values()):
        return check_labels((str(name) for target in raw.values() for name in target.reshape(-1)), f"{path}: y")
    counts = [_count(target, path) for target in raw.values()]
    return _numbered(max(counts), path)


def _numbered(count: int, path: str | Path) -> tuple[str, ...]:
    """ "0", "1" ... for classes without names."""
    if not 2 <= count <= _MAX_CLASSES:
        raise InputError(f"{path}: y", f"must hold 2 to {_MAX_CLASSES} classes, numbered from 0", count)
    return tuple(str(number) for number in range(count))


def _count(target: NDArray[Any], path: str | Path) -> int:
    if target.ndim == 2:
        return int(target.shape[1])
    if target.dtype.kind not in "iub" or target.ndim != 1:
        raise InputError(
            f"{path}: y", "must be whole numbers (n,) or 0 and 1 (n, labels)", f"{target.dtype} {target.shape}"
        )
    return int(target.max(initial=-1)) + 1


def _targets(raw: NDArray[Any], labels: tuple[str, ...], where: str) -> NDArray[Any]:
    if raw.dtype.kind == "U" and raw.ndim == 1:
        index = {label: number for number, label in enumerate(labels)}
        names = [unicodedata.normalize("NFC", str(name)) for name in raw]
        if unknown := sorted(set(names) - set(labels)):
            raise InputError(where, "must hold names that `labels` has", unknown[0])
        return np.array([index[name] for name in names], np.int64)
    if raw.ndim == 1 and raw.dtype.kind in "iub":
        if raw.min(initial=0) < 0 or raw.max(initial=0) >= len(labels):
            raise InputError(where, f"must lie between 0 and {len(labels) - 1}", f"{raw.min()} to {raw.max()}")
        return raw.astype(np.int64)
    if raw.ndim == 2 and raw.shape[1] == len(labels) and raw.dtype.kind in "iubf" and np.isin(raw, (0, 1)).all():
        return raw.astype(np.float32)
    raise InputError(where, f"must be class numbers (n,) or 0 and 1 (n, {len(labels)})", f"{raw.dtype} {raw.shape}")
