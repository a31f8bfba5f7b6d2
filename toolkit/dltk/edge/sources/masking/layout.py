"""Where images and their masks lie: two folders, in splits or with splits in them, or one folder of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dltk.base.errors import InputError
from dltk.base.files import read_capped
from dltk.edge.sources.boxes import boxes_in, no_boxes
from dltk.edge.sources.labels import split_name, split_names
from dltk.edge.sources.listings.found import subfolders
from dltk.edge.sources.listings.splits import folder_entries

__all__ = ["Pairs", "find_pairs"]

_IMAGES = (
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",
    "photos",
    "original_images",
    "originals",
    "inputs",
    "input",
    "rgb",
)
_MASKS = (
    "masks", "mask", "segmentationclass", "annotations", "annotation", "annots", "annot", "labels", "label",
    "label_images", "ground_truth", "groundtruth", "gt", "targets", "target", "segmentations", "segmentation", "segs",
)  # fmt: skip
_ENDS = ("_mask", "-mask", "_masks", "_label", "_labels", "_gt", "_seg", "_segmentation", "_annotation", "_l")
_LIST_BYTES = 10_000_000
_NO_SAMPLES = ("thumbs.db", "desktop.ini")
_TEXTS = (".txt", ".xml", ".json", ".csv")
_WANTED = "must hold images/ and masks/, or train/ and test/ with such"
_HINT = "data.images=FOLDER and data.masks=FOLDER name the two folders."


@dataclass(frozen=True)
class Pairs:
    """(image, mask, split) of each image, and sentences about what was found and is not usual."""

    found: tuple[tuple[Path, Path, str | None], ...]
    notes: tuple[str, ...] = ()


def find_pairs(root: Path, images: str = "", masks: str = "") -> Pairs:
    """The images of `root` with their masks.

    Args:
        images, masks: names of the two folders; empty: usual ones.

    Raises:
        InputError: on another layout, or an image without a mask or the other way round.
        OSError: if a folder cannot be read.
    """
    try:
        return _find(root, (images,) if images else (), (masks,) if masks else ())
    except InputError as fault:
        if boxes := boxes_in(root):
            raise no_boxes(root, boxes) from fault
        raise


def _find(root: Path, images: Sequence[str], masks: Sequence[str]) -> Pairs:
    top = root
    while len(inside := subfolders(top)) == 1 and subfolders(inside[0]) and not split_name(inside[0].name):
        top = inside[0]  # that an archive wrapped around
    if (both := _both(top, images, masks)) is not None:
        found = _two_folders(*both)
    elif (split := _splits(top)) is not None:
        found = _of_splits(split, images, masks)
    elif (pairs := _beside(top)) is not None:
        found = _together([(name, *_match(*each)) for name, each in pairs.items()])
    elif (one := _one_folder(top)) is not None:
        found = one
    else:
        raise InputError(root, _WANTED, folder_entries(root), _HINT)
    return found if top == root else replace(found, notes=(f"the data is in {top.relative_to(root)}/", *found.notes))


def _both(folder: Path, images: Sequence[str], masks: Sequence[str]) -> tuple[Path, Path] | None:
    """The folders of images and masks in `folder`."""
    names = {each.name.casefold(): each for each in subfolders(folder)}
    ours, theirs = (
        [folder / name for name in given if (folder / name).is_dir()]
        if given
        else [names[name] for name in usual if name in names]
        for given, usual in ((images, _IMAGES), (masks, _MASKS))
    )
    if not ours or not theirs:
        return None
    if len(ours) > 1 or (len(theirs) > 1 and theirs[0].name.casefold() != "segmentationclass"):
        several, key = (ours, "images") if len(ours) > 1 else (theirs, "masks")
        flags = " or ".join(f"data.{key}={each.name}" for each in several)
        raise InputError(
            folder, f"several folders may hold {key}", ", ".join(each.name for each in several), f"Give {flags}."
        )
    return ours[0], theirs[0]


def _two_folders(images: Path, masks: Path) -> Pairs:
    """Of images/ and masks/: files, or folders of splits in both; lists of splits where the layout has them."""
    lists = images.parent / "ImageSets" / "Segmentation"
    if lists.is_dir():
        return _listed(images, masks, lists)
    ours, theirs = (
        {split: each for each in subfolders(folder) if (split := split_name(each.name))} for folder in (images, masks)
    )
    if "train" in ours and set(ours) == set(theirs):
        return _together([(split, *_match(ours[split], theirs[split])) for split in ours])
    return _together([(None, *_match(images, masks))])


def _splits(root: Path) -> dict[str, Path] | None:
    folders = subfolders(root)
    splits = split_names([folder.name for folder in folders])
    found = {split: folder for folder in folders if (split := splits[folder.name]) not in (None, "unlabelled")}
    whole = bool(folders) and len(found) == len(folders)
    return {str(split): folder for split, folder in found.items()} if whole and "train" in found else None


def _of_splits(splits: Mapping[str, Path], images: Sequence[str], masks: Sequence[str]) -> Pairs:
    parts = []
    for split, folder in splits.items():
        if (both := _both(folder, images, masks)) is not None:
            parts.append((split, *_match(*both)))
        elif (one := _one_folder(folder)) is not None:
            parts.append((split, [(image, mask) for image, mask, _ in one.found], list(one.notes)))
        else:
            raise InputError(folder, "must hold images/ and masks/", folder_entries(folder), _HINT)
    return _together(parts)


def _beside(root: Path) -> dict[str, tuple[Path, Path]] | None:
    """Split -> folder of images and that of masks beside it: train/ and trainannot/, train_masks/ ..."""
    folders = subfolders(root)
    plain = {split: folder for folder in folders if (split := split_name(folder.name))}
    found: dict[str, tuple[Path, Path]] = {}
    for split, folder in plain.items():
        name = folder.name.casefold()
        masks = [
            other
            for other in folders
            if other.name.casefold().startswith(name) and other.name.casefold()[len(name) :].strip("_- ") in _MASKS
        ]
        if len(masks) == 1:
            found[split] = folder, masks[0]
    return found if "train" in found and 2 * len(found) == len(folders) else None


def _one_folder(folder: Path) -> Pairs | None:
    """Images and masks in one folder: 001.jpg and 001_mask.png."""
    files = _files(folder)
    for end in _ENDS:
        masks = {path.stem[: -len(end)]: path for path in files if path.stem.casefold().endswith(end)}
        if masks:
            images = _by_stem([path for path in files if path not in masks.values() and path.suffix.lower() != ".txt"])
            found = _paired(images, masks, f"beside it, called like it with {end}")
            return Pairs(tuple((*each, None) for each in found), (f"masks are the files that end in {end}",))
    return None


def _match(images: Path, masks: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """(image, mask) by equal names, or by names that masks have in common with something added."""
    ours, theirs = _by_stem(_files(images)), _by_stem(_files(masks))
    if not ours:
        raise InputError(images, "must hold images", "none")
    if theirs and all(path.suffix.lower() in _TEXTS for path in theirs.values()):
        raise InputError(masks, "must hold masks as PNG", f"{next(iter(theirs.values())).name} and such", _HINT)
    added = _added(ours, theirs)
    notes = (
        [f"masks in {masks.name}/ have {' and '.join(filter(None, added))} in their names"] if added != ("", "") else []
    )
    before, after = added
    bare = {stem[len(before) : len(stem) - len(after)]: path for stem, path in theirs.items()} if notes else theirs
    return _paired(ours, bare, f"of the same name in {masks.name}/", images.name), notes


def _added(images: Mapping[str, Path], masks: Mapping[str, Path]) -> tuple[str, str]:
    """What stands before and after the name of its image in the name of every mask; nothing where some names differ."""
    if not masks or set(images) & set(masks):
        return "", ""
    first = next(iter(masks))
    for image in (image for image in images if image in first):
        before, after = first[: first.index(image)], first[first.index(image) + len(image) :]
        if {f"{before}{stem}{after}" for stem in images} == set(masks):
            return before, after
    return "", ""


def _paired(
    images: Mapping[str, Path], masks: Mapping[str, Path], place: str, images_name: str = ""
) -> list[tuple[Path, Path]]:
    for ours, theirs, what, where in (
        (images, masks, "a mask", place), (masks, images, "an image", f"of the same name in {images_name}/")
    ):  # fmt: skip
        for stem, path in ours.items():
            if stem not in theirs:
                raise InputError(path, f"needs {what} {where if images_name or ours is images else 'beside it'}")
    if not images:
        raise InputError(place, "must hold images", "none")
    return [(path, masks[stem]) for stem, path in images.items()]


def _listed(images: Path, masks: Path, lists: Path) -> Pairs:
    """Images of Pascal VOC: those named in train.txt and val.txt; others have boxes only."""
    ours, theirs = _by_stem(_files(images)), _by_stem(_files(masks))
    found: list[tuple[Path, Path, str | None]] = []
    seen: set[str] = set()
    for path in sorted(lists.glob("*.txt")):
        if (split := split_name(path.stem)) is None:
            continue
        for number, name in enumerate(read_capped(path, _LIST_BYTES).decode(errors="replace").split(), start=1):
            if name not in ours or name not in theirs or name in seen:
                rule = "each name must be that of an image with a mask, once"
                raise InputError(f"{path}, line {number}", rule, name)
            seen.add(name)
            found.append((ours[name], theirs[name], split))
    if not found:
        raise InputError(lists, "must hold train.txt with names of images", folder_entries(lists))
    left = len(ours) - len(seen)
    notes = (f"left out, images that no list in {lists.name}/ names: {left}",) if left else ()
    return Pairs(tuple(found), (f"splits are those of the lists in ImageSets/{lists.name}/", *notes))


def _together(parts: Sequence[tuple[str | None, Sequence[tuple[Path, Path]], Sequence[str]]]) -> Pairs:
    found = tuple((image, mask, split) for split, pairs, _ in parts for image, mask in pairs)
    return Pairs(found, tuple(dict.fromkeys(note for _, _, notes in parts for note in notes)))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(folder, "must be a folder")
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.casefold() not in _NO_SAMPLES and path.is_file()
    )


def _by_stem(files: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise InputError(path, "needs a name of its own, whatever its suffix", found[path.stem].name)
        found[path.stem] = path
    return found
