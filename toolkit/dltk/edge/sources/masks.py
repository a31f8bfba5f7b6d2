"""Images with masks: a folder `images/` and a folder `masks/`, files of one image with the same stem."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.files import read_capped, resolved
from dltk.base.install import pip_package
from dltk.edge.input.images.decode import MAX_PIXELS, image_size
from dltk.edge.sources.labels import check_labels, split_name

__all__ = ["Masked", "list_masked", "read_mask"]

_IMAGES, _MASKS, _LABELS = "images", "masks", "labels.txt"
_CLASSES = 256  # that a pixel of 8 bits can tell apart
_LABELS_BYTES = 100_000


@dataclass(frozen=True)
class Masked:
    """Images and their masks, sorted by name.

    Attributes:
        names: how messages call each image: its path inside the folder.
        images, masks: where the files lie.
        splits: "train", "validation", "test", or None if the folder has no splits, per image.
        labels: of labels.txt, in the order of the class numbers; None where there is no such file.
    """

    names: tuple[str, ...]
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    splits: tuple[str | None, ...]
    labels: tuple[str, ...] | None


def list_masked(source: str | Path) -> Masked:
    """What the folder `source` holds: images/ and masks/, or train/ validation/ test/ with such; labels.txt beside.

    Raises:
        InputError: on another layout, an image without a mask or the other way round, or labels that cannot be.
    """
    root = Path(source)
    if not root.is_dir():
        raise InputError(root, "must be a folder with images/ and masks/", hint="Check the path.")
    found: list[tuple[str, Path, Path, str | None]] = []
    try:
        for split, folder in _split_folders(root):
            found += [(str(image.relative_to(root)), image, mask, split) for image, mask in _pairs(folder)]
    except OSError as fault:
        raise InputError(fault.filename or root, "must be a readable folder", fault.strerror) from fault
    found.sort(key=lambda entry: entry[0])
    names, images, masks, splits = zip(*found, strict=True)
    return Masked(names, images, masks, splits, _labels(root / _LABELS))


def read_mask(path: Path, *, like: Path, labels: tuple[str, ...] | None = None) -> NDArray[np.uint8]:
    """Class numbers uint8 (H, W) of a mask: the indices of a palette, grey levels, or 0 and 1 of a bitmap.

    Args:
        like: the image, whose size the mask must have.
        labels: of the classes; None: any number may occur.

    Raises:
        InputError: if it is no PNG of such a kind, has another size, or a pixel with a number that is no class.
        EnvironmentFault: if Pillow is missing.
    """
    mask, wanted = _decode(path), image_size(like)
    if mask.shape != wanted:
        received = f"{mask.shape[1]} x {mask.shape[0]}"
        raise InputError(path, f"must have the size of its image, {wanted[1]} x {wanted[0]}", received)
    if labels is not None and int(mask.max()) >= len(labels):
        row, column = np.argwhere(mask >= len(labels))[0]
        received = f"{mask[row, column]} at column {column}, row {row}"
        hint = "Is 255 a border to be ignored? Make it a class."
        raise InputError(path, f"class numbers must lie in 0..{len(labels) - 1}", received, hint)
    return mask


def _decode(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError as fault:
        raise EnvironmentFault("Pillow", "is needed to read masks", hint=f"Run `{pip_package('Pillow')}`.") from fault
    data = read_capped(resolved(path), 2 * MAX_PIXELS)
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(path, f"may have at most {MAX_PIXELS} pixels", image.width * image.height)
            if image.mode not in ("P", "L", "1"):
                hint = "Save it with a palette, or as 8-bit grey, one level per class."
                raise InputError(path, "a mask must be a PNG of class numbers", f"mode {image.mode}", hint)
            return np.array(image).astype(np.uint8)
    except DltkError:
        raise
    except Exception as fault:  # decoders of damaged files raise many kinds
        raise InputError(path, "must be an undamaged PNG", str(fault) or type(fault).__name__) from fault


def _split_folders(root: Path) -> list[tuple[str | None, Path]]:
    folders = {entry.name: entry for entry in sorted(root.iterdir()) if entry.is_dir() and entry.name[0] != "."}
    if {_IMAGES, _MASKS} <= set(folders):
        return [(None, root)]
    splits = {name: split_name(name) for name in folders}
    whole = bool(folders) and all(splits.values()) and len(set(splits.values())) == len(folders)
    if not whole or "train" not in splits.values():
        received = ", ".join(folders) or "no folder"
        raise InputError(root, "must hold images/ and masks/, or train/ and test/ with such", received)
    return [(splits[name], folder) for name, folder in folders.items()]


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    images, masks = _by_stem(folder / _IMAGES), _by_stem(folder / _MASKS)
    for ours, theirs, what in ((images, masks, "a mask"), (masks, images, "an image")):
        for stem, path in ours.items():
            if stem not in theirs:
                place = (_MASKS if ours is images else _IMAGES) + "/"
                raise InputError(path, f"needs {what} of the same name in {place}")
    if not images:
        raise InputError(folder / _IMAGES, "must hold images", "none")
    return [(path, masks[stem]) for stem, path in images.items()]


def _by_stem(folder: Path) -> Mapping[str, Path]:
    if not folder.is_dir():
        raise InputError(folder, "must be a folder")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.casefold() in ("thumbs.db", "desktop.ini") or not path.is_file():
            continue
        if path.stem in found:
            raise InputError(path, "needs a name of its own, whatever its suffix", found[path.stem].name)
        found[path.stem] = path
    return found


def _labels(path: Path) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    try:
        lines = read_capped(path, _LABELS_BYTES).decode("utf-8").splitlines()
    except UnicodeDecodeError as fault:
        raise InputError(path, "must be UTF-8", hint="Save it as UTF-8.") from fault
    known: Any = check_labels(lines, path)
    if len(known) != len(lines) or set(known) != set(lines) or len(lines) > _CLASSES:
        raise InputError(
            path, f"must name each of at most {_CLASSES} classes once, one per line", f"{len(lines)} lines"
        )
    return tuple(lines)
