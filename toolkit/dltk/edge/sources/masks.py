"""Images with masks: folders `images/` and `masks/`, or another usual layout; files of one image share a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dltk.base.errors import InputError
from dltk.edge.input.images.decode import image_size
from dltk.edge.sources.masking.layout import find_pairs
from dltk.edge.sources.masking.names import find_colours, find_labels
from dltk.edge.sources.masking.pixels import decode_mask
from dltk.edge.sources.masking.reading import IGNORED, MaskReading, Survey, class_names, find_reading

__all__ = ["IGNORED", "MaskLayout", "MaskReading", "Masked", "class_names", "list_masked", "read_mask", "reading_of"]

_PLAIN = MaskReading({})


@dataclass(frozen=True)
class MaskLayout:
    """Names that the user gives; the settings of the same names, empty: usual ones.

    Attributes:
        images, masks: the two folders.
        classes: the file of labels.
        colours: the file with the colour of each class.
    """

    images: str = ""
    masks: str = ""
    classes: str = ""
    colours: str = ""

    @classmethod
    def of(cls, settings: Any) -> MaskLayout:
        """As `settings`, the group `data` of a recipe; those that it lacks are empty."""
        return cls(**{name: getattr(settings, name, "") for name in ("images", "masks", "classes", "colours")})


_USUAL = MaskLayout()


@dataclass(frozen=True)
class Masked:
    """Images and their masks, sorted by name.

    Attributes:
        names: how messages call each image: its path inside the folder.
        images, masks: where the files lie.
        splits: "train", "validation", "test", or None if the folder has no splits, per image.
        labels: of labels.txt, in the order of the class numbers; None where there is no such file.
        colours: colour -> label, where a file gives them.
        notes: sentences about what was found and is not usual.
    """

    names: tuple[str, ...]
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    splits: tuple[str | None, ...]
    labels: tuple[str, ...] | None
    colours: Mapping[int, str] | None = None
    notes: tuple[str, ...] = ()


def list_masked(source: str | Path, layout: MaskLayout = _USUAL) -> Masked:
    """What the folder `source` holds: images/ and masks/, or folders of splits with such; labels.txt beside.

    Raises:
        InputError: on another layout, an image without a mask or the other way round, or labels that cannot be.
    """
    root = Path(source)
    if not root.is_dir():
        raise InputError(root, "must be a folder with images/ and masks/", hint="Check the path.")
    try:
        pairs = find_pairs(root, layout.images, layout.masks)
        labels, colours = find_labels(root, layout.classes), find_colours(root, layout.colours)
    except OSError as fault:
        raise InputError(fault.filename or root, "must be a readable folder", fault.strerror) from fault
    found = sorted((str(image.relative_to(root)), image, mask, split) for image, mask, split in pairs.found)
    names, images, masks, splits = zip(*found, strict=True)
    notes = list(pairs.notes)
    if labels and labels[1].name != "labels.txt":
        notes.append(f"classes are those of {labels[1].name}")
    if colours:
        notes.append(f"colours are those of {colours[1].name}")
    return Masked(
        names, images, masks, splits, labels[0] if labels and not colours else None, colours[0] if colours else None,
        tuple(notes),
    )  # fmt: skip


def reading_of(
    found: Masked, *, ignore: tuple[str, ...] = (), numbers: str = "auto", masks: Iterable[Path] | None = None
) -> tuple[MaskReading, tuple[str, ...] | None]:
    """How the masks of `found` become classes, and the labels of these; every mask is decoded.

    Args:
        ignore: numbers, colours or labels that are no class.
        numbers: "auto", "as-is" or "ranked".
        masks: the paths to read, where not those of `found`.

    Raises:
        InputError: if a mask cannot be read, or several readings are possible.
    """
    survey = Survey()
    for path in found.masks if masks is None else masks:
        survey.add(decode_mask(path), path)
    return find_reading(survey, found.labels, found.colours, ignore=ignore, numbers=numbers)


def read_mask(
    path: Path, *, like: Path, labels: tuple[str, ...] | None = None, reading: MaskReading = _PLAIN
) -> NDArray[np.uint8]:
    """Class numbers uint8 (H, W) of a mask: the indices of a palette, grey levels, or 0 and 1 of a bitmap.

    Args:
        like: the image, whose size the mask must have.
        labels: of the classes; None: any number may occur.
        reading: which value is which class; pixels of no class are `IGNORED`.

    Raises:
        InputError: if it is no PNG of such a kind, has another size, or a pixel with a number that is no class.
        EnvironmentFault: if Pillow is missing.
    """
    pixels, wanted = decode_mask(path), image_size(like)
    mask = reading.apply(pixels, path)
    if mask.shape != wanted:
        received = f"{mask.shape[1]} x {mask.shape[0]}"
        raise InputError(path, f"must have the size of its image, {wanted[1]} x {wanted[0]}", received)
    if labels is not None and not reading.classes and int(mask.max()) >= len(labels):
        row, column = np.argwhere(mask >= len(labels))[0]
        received = f"{mask[row, column]} at column {column}, row {row}"
        hint = "Was it trained with another number of classes, or is 255 to be ignored? Train with data.ignore=255."
        raise InputError(path, f"class numbers must lie in 0..{len(labels) - 1}", received, hint)
    return mask
