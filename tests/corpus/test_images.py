"""Labelled images as archives, competitions and labelling tools hand them out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dltk.data.dataset import Dataset
from odd_data import Case, require_read

_CLASSES = ("cat", "dog")
_LEVELS = {"cat": 40, "dog": 200, "Dog": 200, "owl": 120}
_SETTINGS = ("data.size=8", "data.validation=0.2", "data.test=0.2")
_SPLITS = ("train", "validation", "test")


def _image(path: Path, label: str, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((16, 16, 3), _LEVELS[label], np.uint8)
    pixels[:4] = 4 * number  # no two are equal
    Image.fromarray(pixels).save(path)


def _folders(root: Path, folders: Mapping[str, str | tuple[str, ...]], count: int = 10) -> Path:
    """`count` images of each class in the folders of each split."""
    number = 0
    for place, labels in folders.items():
        for label in labels:
            for _ in range(count):
                _image(root / place / label / f"{number}.png", label, number)
                number += 1
    return root


def _flat(folder: Path, count: int = 5) -> None:
    for number in range(count):
        _image(folder / f"{number}.jpg", "owl", number)


def _holds(**counts: int) -> Callable[[Dataset], None]:
    """Each split has as many samples, all of the class that their grey level belongs to."""

    def require(dataset: Dataset) -> None:
        assert dataset.labels == _CLASSES
        for name in _SPLITS:
            split = getattr(dataset, name)
            if name in counts:
                assert len(split) == counts[name]
            levels = split.take(slice(None))[:, 4, 4, 0]
            wanted = [_LEVELS[dataset.labels[target]] for target in split.targets]
            np.testing.assert_allclose(levels, wanted, atol=20)

    return require


def _any_names(root: Path) -> Path:
    return _folders(root, {"Training": _CLASSES, "valid": _CLASSES, "test_set": _CLASSES})


def _nested_once_more(root: Path) -> Path:
    _flat(root / "seg_pred" / "seg_pred")
    return _folders(root, {"seg_train/seg_train": _CLASSES, "seg_test/seg_test": _CLASSES})


def _in_an_archive(root: Path) -> Path:
    (root / "README.md").write_text("about")
    return _folders(root, {f"archive/dataset/{split}": _CLASSES for split in ("train", "dev", "testing")})


def _unlabelled_test(root: Path) -> Path:
    _flat(root / "test")
    return _folders(root, {".": _CLASSES}, count=20)


def _unlabelled_test_beside_train(root: Path) -> Path:
    _flat(root / "test")
    return _folders(root, {"train": _CLASSES}, count=20)


def _test_beside_classes(root: Path) -> Path:
    return _folders(root, {".": _CLASSES, "test": _CLASSES})


def _by_fold(root: Path) -> Path:
    return _folders(root, {"part_a": _CLASSES, "part_b": _CLASSES})


def _by_place(root: Path) -> Path:
    for number in range(40):
        label = _CLASSES[number % 2]
        _image(root / label / ("inside", "outside")[number // 2 % 2] / f"{number}.png", label, number)
    return root


def _two_cases(root: Path) -> Path:
    return _folders(root, {".": ("cat", "dog", "Dog")}, count=9)


def _dogs_of_both_cases(dataset: Dataset) -> None:
    assert len(dataset.labels) == 2
    targets = np.concatenate([getattr(dataset, name).targets for name in _SPLITS])
    assert sorted(Counter(targets.tolist()).values()) == [9, 18]


def _one_owl(root: Path) -> Path:
    _image(root / "owl" / "only.png", "owl", 60)
    return _folders(root, {".": _CLASSES})


def _table(root: Path, header: str, row: Callable[[str, str], str], *, place: str, suffix: str = ".png") -> Path:
    lines = []
    for number in range(40):
        label = _CLASSES[number % 2]
        _image(root / place / f"im{number:02}{suffix}", label, number)
        lines.append(row(f"im{number:02}{suffix}", label))
    (root / "list.csv").write_text("\n".join((header, *lines)) + "\n")
    return root / "list.csv"


def _any_columns(root: Path) -> Path:
    return _table(root, "file_name,animal", lambda name, label: f"{name},{label}", place=".")


def _ids(root: Path) -> Path:
    return _table(root, "id,breed", lambda name, label: f"{name[:-4]},{label}", place="train", suffix=".jpg")


def _several_columns(root: Path) -> Path:
    return _table(root, "file,animal,coat", lambda name, label: f"{name},{label},plain", place=".")


def _one_hot(root: Path) -> Path:
    return _table(
        root, "image,cat,dog", lambda name, label: f"{name},{int(label == 'cat')},{int(label == 'dog')}", place="img"
    )


def _class_tables(root: Path) -> Path:
    for number in range(45):
        split, label = ("train", "valid", "test")[number % 3], _CLASSES[number % 2]
        _image(root / split / f"im{number}.jpg", label, number)
        with (root / split / "_classes.csv").open("a") as stream:
            if number < 3:
                stream.write("filename, cat, dog\n")
            stream.write(f"im{number}.jpg, {int(label == 'cat')}, {int(label == 'dog')}\n")
    return root


def _of_sizes(*sizes: tuple[int, int]) -> Callable[[Path], Path]:
    """Two classes of images of these (width, height), one after the other."""

    def write(root: Path) -> Path:
        for number in range(20):
            label, size = _CLASSES[number % 2], sizes[number // 2 % len(sizes)]
            _image(root / label / f"{number}.png", label, number)
            with Image.open(root / label / f"{number}.png") as image:
                image.resize(size, Image.Resampling.NEAREST).save(root / label / f"{number}.png")
        return root

    return write


def _arrays(root: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (20, 20, 20), np.uint8)
    np.savez(root / "images.npz", x=images, y=np.arange(20) % 2)
    return root / "images.npz"


def _are(side: int, channels: int = 3) -> Callable[[Dataset], None]:
    def require(dataset: Dataset) -> None:
        assert dataset.train.take(slice(None)).shape[1:] == (side, side, channels)
        assert dataset.report["size"] == side

    return require


def _sized(name: str, sizes: tuple[tuple[int, int], ...], side: int, said: str, *settings: str) -> Case:
    return Case(name, "cnn", _of_sizes(*sizes), _are(side), said=(said,), settings=(*_SETTINGS[1:], *settings))


def _case(name: str, write: Callable[[Path], Path], require: Callable[[Dataset], None], **more: object) -> Case:
    return Case(name, "cnn", write, require, settings=_SETTINGS, **more)  # type: ignore[arg-type]


CASES = (
    _case("splits of other names", _any_names, _holds(train=20, validation=20, test=20)),
    _case("splits nested once more", _nested_once_more, _holds(test=20), said=("seg_pred/",)),
    _case("an archive around it", _in_an_archive, _holds(validation=20, test=20), said=("archive/dataset/",)),
    _case("unlabelled test beside classes", _unlabelled_test, _holds(test=8), said=("left out", "test/")),
    _case("unlabelled test beside train", _unlabelled_test_beside_train, _holds(test=8), said=("left out", "test/")),
    _case("classes beside test", _test_beside_classes, _holds(test=20), said=("beside test/",)),
    _case("folders of equal parts", _by_fold, _holds(test=8), flag="data.class_folders=inner"),
    _case("classes by place", _by_place, _holds(test=8), flag="data.class_folders=outer"),
    _case("a class in two cases", _two_cases, _dogs_of_both_cases, flag="data.merge_case=yes"),
    _case("a class of one sample", _one_owl, _holds(test=4), flag="data.rare=drop"),
    _case("other columns", _any_columns, _holds(test=8), said=("'file_name'", "'animal'")),
    _case("ids without suffix", _ids, _holds(test=8), said=("train/ with .jpg added",)),
    _case("several columns of labels", _several_columns, _holds(test=8), flag="data.label=animal"),
    _case("one column per label", _one_hot, _holds(test=8), said=("2 labels",)),
    _case("a table in each split", _class_tables, _holds(train=15, validation=15, test=15), said=("2 labels",)),
    _sized("images of 28 x 28", ((28, 28),), 28, "size 28: the images are 28 x 28"),
    _sized("images of 32 x 32", ((32, 32),), 32, "size 32: the images are 32 x 32"),
    _sized("images of 30 x 20", ((30, 20),), 32, "size 32: the images are 30 x 20"),
    _sized("cropped images of 30 x 20", ((30, 20),), 20, "size 20: the images are 30 x 20", "data.resize=crop"),
    _sized("images of many sizes", ((20, 24), (22, 19), (60, 70)), 24, "size 24: the images are 22 x 24 (median)"),
    _sized("large images", ((200, 100),), 32, "reduced to data.largest=32; a larger data.size keeps more detail"),
    _sized("larger images", ((64, 64),), 64, "size 64: the images are 64 x 64", "data.largest=96"),
    _sized("tiny images", ((8, 8),), 16, "size 16: the images are 8 x 8, enlarged to the least"),
    Case("an npz of 20 x 20", "cnn", _arrays, _are(20), said=("size 20: the images are 20 x 20",)),
    Case("grey images of an autoencoder", "autoencoder", _of_sizes((40, 40)), _are(28, channels=1),
         said=("reduced to data.largest=28",), settings=("data.normal=cat",)),
    Case("small images for a backbone", "image-classification", _of_sizes((28, 28)), _are(96),
         said=("the images are 28 x 28, smaller than data.size=96",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_odd_images_are_read_right(case: Case, tmp_path: Path) -> None:
    require_read(case, tmp_path)
