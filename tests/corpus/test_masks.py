"""Images with masks as they come: layouts, ignored pixels, numbers and colours of all kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_SIDE, _COUNT = 32, 30
_SETTINGS = ("data.size=32", "data.validation=0.2", "data.test=0.2")
_IGNORED = 255
_COLOURS = ((0, 0, 0), (64, 0, 128), (128, 128, 0))


def _classes(number: int) -> NDArray[np.uint8]:
    """Three classes in stripes of a width that depends on the image; a border of ignored pixels on the left."""
    mask = np.zeros((_SIDE, _SIDE), np.uint8)
    mask[6 + number % 3 :], mask[18 + number % 3 :] = 1, 2
    return mask


def _border(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    mask = mask.copy()
    mask[:, :3] = _IGNORED
    return mask


def _image(path: Path, number: int) -> None:
    """Levels that give away the class of each pixel: 0, 80 and 160, and some for the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat((80 * _classes(number) + number)[..., None], 3, axis=2)).save(path)


def _save(path: Path, mask: NDArray[np.uint8], palette: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(mask)
    if palette:
        image.putpalette([value for colour in _COLOURS for value in colour])
    image.save(path)


def _numbers(
    change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], *labels: str, **how: bool
) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        for number in range(_COUNT):
            _image(root / f"images/{number:02}.png", number)
            _save(root / f"masks/{number:02}.png", change(_classes(number)), **how)
        if labels:
            (root / "labels.txt").write_text("\n".join(labels) + "\n")
        return root

    return write


def _layout(image: str, mask: str, splits: tuple[str, ...] = ("",)) -> Callable[[Path], Path]:
    def write(root: Path) -> Path:
        for number in range(_COUNT):
            place = {"split": splits[number % len(splits)], "name": f"im{number:02}"}
            _image(root / image.format(**place), number)
            _save(root / mask.format(**place), _classes(number))
        return root

    return write


def _coloured(root: Path) -> Path:
    for number in range(_COUNT):
        _image(root / f"images/{number:02}.png", number)
        _save(root / f"masks/{number:02}.png", np.array(_COLOURS, np.uint8)[_classes(number)])
    return root


def _coloured_with_names(root: Path) -> Path:
    names = ("sky", "wall", "void")
    lines = [f"{name},{','.join(map(str, colour))}" for name, colour in zip(names, _COLOURS, strict=True)]
    (root / "class_dict.csv").write_text("\n".join(("name,r,g,b", *lines)) + "\n")
    return _coloured(root)


def _own_palettes(root: Path) -> Path:
    """Each file numbers the colours in an order of its own."""
    for number in range(_COUNT):
        _image(root / f"images/{number:02}.png", number)
        order = np.roll(np.arange(3), number)
        image = Image.fromarray(np.argsort(order).astype(np.uint8)[_classes(number)])
        image.putpalette([value for place in order for value in _COLOURS[place]])
        (root / "masks").mkdir(exist_ok=True)
        image.save(root / f"masks/{number:02}.png")
    return root


def _voc(root: Path) -> Path:
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for number in range(_COUNT):
        _image(root / f"JPEGImages/im{number}.png", number)
        if number % 5 < 4:
            _save(root / f"SegmentationClass/im{number}.png", _classes(number), palette=True)
            with (lists / ("val.txt" if number % 5 == 3 else "train.txt")).open("a") as stream:
                stream.write(f"im{number}\n")
    return root


def _holds(
    *labels: str, classes: tuple[int, ...] = (0, 1, 2), ignored: bool = False, **counts: int
) -> Callable[[Dataset], None]:
    """Each pixel has the class that its level belongs to; `classes` are what classes 0, 1 and 2 are called."""
    table = np.array(classes, np.uint8)

    def require(dataset: Dataset) -> None:
        assert dataset.labels == (labels or ("0", "1", "2"))
        for name in ("train", "validation", "test"):
            split = getattr(dataset, name)
            if name in counts:
                assert len(split) == counts[name]
            wanted = table[split.take(slice(None))[..., 0] // 80]
            if ignored:
                wanted[:, :, :3] = _IGNORED
            np.testing.assert_array_equal(split.targets, wanted)

    return require


def _case(name: str, write: Callable[[Path], Path], require: Callable[[Dataset], None], **more: object) -> Case:
    settings = (*_SETTINGS, *more.pop("settings", ()))  # type: ignore[misc]
    return Case(name, "segmentation", write, require, settings=settings, **more)  # type: ignore[arg-type]


CASES = (
    _case("an ignored border", _numbers(_border), _holds(ignored=True), flag="data.ignore=255", said=("ignored: 255",)),
    _case(
        "an ignored border and labels", _numbers(_border, "a", "b", "c"), _holds("a", "b", "c", ignored=True),
        flag="data.ignore=255",
    ),
    _case("numbers from 1", _numbers(lambda mask: mask + 1), _holds("1", "2", "3"), said=("1, 2, 3 are the classes",)),
    _case(
        "0 and 255", _numbers(lambda mask: np.uint8(255) * (mask > 0)), _holds("0", "255", classes=(0, 1, 1)),
        said=("0, 255 are the classes 0 to 1",),
    ),
    _case(
        "0 for no class", _numbers(lambda mask: mask, "b", "c"), _holds("b", "c", classes=(_IGNORED, 0, 1)),
        flag="data.ignore=0",
    ),
    _case(
        "three grey levels", _numbers(lambda mask: 100 * mask), _holds("0", "100", "200"), flag="data.numbers=ranked"
    ),
    _case("a palette", _numbers(lambda mask: mask, palette=True), _holds()),
    _case("colours", _coloured, _holds("#000000", "#400080", "#808000"), said=("3 colours are the classes",)),
    _case("colours with names", _coloured_with_names, _holds("sky", "wall", "void"), said=("class_dict.csv",)),
    _case(
        "a colour for no class", _coloured_with_names, _holds("sky", "wall", classes=(0, 1, _IGNORED)),
        settings=("data.ignore=void",), said=("ignored: #808000",),
    ),
    _case("a palette in each file", _own_palettes, _holds("#000000", "#400080", "#808000"), said=("3 colours",)),
    _case("names that end in mask", _layout("{name}.png", "{name}_mask.png"), _holds(), said=("_mask",)),
    _case("masks/ with longer names", _layout("imgs/{name}.png", "masks/{name}_L.png"), _holds(), said=("_L",)),
    _case(
        "folders beside splits", _layout("{split}/{name}.png", "{split}annot/{name}.png", ("train", "val", "test")),
        _holds(train=10, validation=10, test=10),
    ),
    _case(
        "splits in both folders", _layout("images/{split}/{name}.png", "labels/{split}/{name}.png", ("train", "val")),
        _holds(validation=15),
    ),
    _case("lists of Pascal VOC", _voc, _holds(validation=6), said=("no list", "ImageSets")),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_masks_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
