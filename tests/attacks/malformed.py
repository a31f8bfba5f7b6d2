"""Malformed data sets: each one a sound data set with one thing wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import shapes
import sounds
from recipe_rows import ROWS

__all__ = ["MALFORMED", "Malformed"]


@dataclass(frozen=True)
class Malformed:
    """A data set that a recipe must refuse.

    Attributes:
        recipe: whose data it is.
        make: (empty folder) -> what `--data` gets.
        where: what the message begins with, the data's folder left out.
        says: part of the rule, or of what was received.
        set: further settings.
    """

    recipe: str
    make: Callable[[Path], Path]
    where: str
    says: str
    set: tuple[str, ...] = ()


def _of(recipe: str, change: Callable[[Path], object]) -> Callable[[Path], Path]:
    """The data set of the recipe's row, worked on."""

    def make(folder: Path) -> Path:
        row = ROWS[recipe]
        source = Path(row.data(folder)) if row.data else Path(row.inputs(folder)[0])
        change(source)
        return source

    return make


def _line(number: int, text: str | bytes) -> Callable[[Path], None]:
    """Another line `number`, counted from 1."""

    def change(path: Path) -> None:
        lines = path.read_bytes().split(b"\n")
        lines[number - 1] = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(b"\n".join(lines))

    return change


def _whole(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes())) and None


def _swap(one: int, other: int) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        lines = path.read_text().split("\n")
        lines[one - 1], lines[other - 1] = lines[other - 1], lines[one - 1]
        path.write_text("\n".join(lines))

    return change


def _keep(lines: int) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(data.split(b"\n")[:lines]) + b"\n"


_CSV: dict[str, tuple[str, Callable[[Path], object], str, str]] = {
    "text-semicolons": ("text-classification", _line(1, "text;label"), "intents.csv, line 2", "2 cells"),
    "text-byte-order-mark": (
        "text-classification",
        _whole(lambda data: b"\xef\xbb\xbf" + data + b"caf\xe9,card\n"),
        "intents.csv, line ",
        "must be UTF-8",
    ),
    "text-nul": ("text-classification", _line(7, "my\0card,card"), "intents.csv, line 7", "NUL"),
    "text-short-row": ("text-classification", _line(9, "no label here"), "intents.csv, line 9", "2 cells"),
    "text-long-row": ("text-classification", _line(9, "a,card,b"), "intents.csv, line 9", "2 cells"),
    "text-open-quote": ("text-classification", _line(5, '"my card,card'), "intents.csv", "quote"),
    "text-latin-1": (
        "text-classification",
        _line(4, "caf\u00e9 ".encode() + b"caf\xe9,card"),
        "intents.csv, line 4",
        "UTF-8",
    ),
    "text-utf-16": (
        "text-classification",
        _whole(lambda data: data.decode().encode("utf-16")[:-1]),
        "intents.csv, line ",
        "must be utf-16",
    ),
    "text-empty": ("text-classification", _line(6, '"   ",card'), "intents.csv, line 6", "must hold a text"),
    "text-no-label": ("text-classification", _line(6, "where is it,"), "intents.csv, line 6", "empty"),
    "text-other-header": ("text-classification", _line(1, "text,sentence"), "intents.csv, line 1", "'label'"),
    "text-column-twice": ("text-classification", _line(1, "text,text"), "intents.csv, line 1", "different name"),
    "text-header-only": ("text-classification", _whole(_keep(1)), "intents.csv", "rows"),
    "text-no-bytes": ("text-classification", _whole(lambda data: b""), "intents.csv", "header"),
    "text-one-class": (
        "text-classification",
        _whole(lambda data: data.replace(b",card", b",pin").replace(b",top up", b",pin")),
        "data intents.csv",
        "two classes",
    ),
    "series-not-finite": ("forecast", _line(8, "6,inf"), "load.csv, line 8", "finite"),
    "series-nan": ("forecast", _line(8, "6,nan"), "load.csv, line 8", "finite"),
    "series-words": ("forecast", _line(8, "6,many"), "load.csv, line 8", "number"),
    "series-unsorted": ("forecast", _swap(10, 20), "load.csv, line 11", "sorted"),
    "series-time-twice": ("forecast", _line(10, "7,30"), "load.csv, line 10", "each time once"),
    "series-gap": ("forecast", _whole(lambda data: data.replace(b"30,26\n", b"")), "load.csv, line 32", "evenly"),
    "series-no-time": ("forecast", _line(8, "later,26"), "load.csv, line 8", "times of one form"),
    "series-too-short": ("forecast", _whole(_keep(8)), "load.csv", "more rows"),
    "table-no-column": ("tabular", _line(1, "age,age,income"), "people.csv, line 1", "a different name"),
    "table-not-finite": ("tabular", _line(12, "inf,Graz,low"), "people.csv, line 12", "number"),
    "table-words": ("tabular", _line(12, "old,Graz,low"), "people.csv, line 12", "number"),
    "table-no-label": ("tabular", _line(12, "30,Graz,"), "people.csv, line 12", "empty"),
    "ratings-off-the-scale": ("recommender", _line(5, "u0,i9,900,3"), "ratings.csv, line 5", "scale"),
    "ratings-no-user": ("recommender", _line(5, ",i9,3,3"), "ratings.csv, line 5", "empty"),
    "ratings-no-number": ("recommender", _line(5, "u0,i9,good,3"), "ratings.csv, line 5", "received good"),
    "ratings-no-time": ("recommender", _line(5, "u0,i9,3,soon"), "ratings.csv, line 5", "timestamp"),
    "pairs-leave-the-folder": ("multimodal", _line(3, "../x.png,fits,keep disc"), "pairs.csv, line 3", "stay in"),
    "pairs-empty-text": (
        "multimodal",
        _line(3, "pictures/0001.png,,keep disc"),
        "pairs.csv, line 3",
        "must hold a text",
    ),
}


def _picture(path: Path, seed: int = 0, side: int = 16) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)).save(path)


def _pictures(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    """Two classes of a dozen pictures, worked on."""

    def make(folder: Path) -> Path:
        for number in range(24):
            _picture(folder / "photos" / ("cat", "dog")[number % 2] / f"{number}.png", number)
        change(folder / "photos")
        return folder / "photos"

    return make


def _empty_class(folder: Path) -> None:
    shutil.rmtree(folder / "dog")
    (folder / "dog").mkdir()


def _all_broken(folder: Path) -> None:
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])


def _without_folders(folder: Path) -> None:
    for path in list(folder.rglob("*.png")):
        path.rename(folder / path.name)
    for name in ("cat", "dog"):
        (folder / name).rmdir()


def _listed(text: str) -> Callable[[Path], Path]:
    """A CSV beside the pictures that lists them."""

    def make(folder: Path) -> Path:
        _pictures(lambda path: None)(folder)
        (folder / "list.csv").write_text(text)
        return folder / "list.csv"

    return make


def _arrays(**values: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "set.npz", **values)
        return folder / "set.npz"

    return make


def _masks(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        change(shapes.write(folder, 12, side=32))
        return folder

    return make


def _mask(folder: Path) -> Path:
    return sorted((folder / "masks").iterdir())[3]


def _recordings(change: Callable[[Path], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for number in range(12):
            sounds.write(folder / "words" / ("yes", "no")[number % 2] / f"{number}.wav", sounds.tone(300 + number))
        change(folder / "words")
        return folder / "words"

    return make


def _no_recordings(folder: Path) -> None:
    for path in folder.rglob("*.wav"):
        path.write_bytes(b"ID3" + bytes(400))


_IMAGES, _LABELS = np.zeros((20, 8, 8, 3), np.uint8), np.arange(20) % 2
_SAME = ("cat/1.png", "cat/2.png")

MALFORMED: Mapping[str, Malformed] = {
    **{
        name: Malformed(recipe, _of(recipe, change), where, says)
        for name, (recipe, change, where, says) in _CSV.items()
    },
    "pairs-no-picture": Malformed(
        "multimodal",
        _of("multimodal", _line(3, "pictures/none.png,fits,keep disc")),
        "data pairs.csv",
        "pairs.csv, line 3: the file must exist",
        ("data.max_unreadable=0",),
    ),
    "pictures-nothing-there": Malformed("cnn", lambda folder: folder / "none", "data none", "must exist"),
    "pictures-no-folders": Malformed("cnn", _pictures(_without_folders), "photos", "folder"),
    "pictures-empty-class": Malformed("cnn", _pictures(_empty_class), "photos/dog", "at least one image"),
    "pictures-all-broken": Malformed("cnn", _pictures(_all_broken), "data photos", "24 of 24. cat/0.png"),
    "pictures-one-class": Malformed("cnn", _pictures(lambda folder: shutil.rmtree(folder / "dog")), "photos", "class"),
    "pictures-bidirectional-name": Malformed(
        "cnn", _pictures(lambda folder: (folder / "dog").rename(folder / "d\u202eog")), "photos", "control characters"
    ),
    "pictures-newline-name": Malformed(
        "cnn", _pictures(lambda folder: (folder / "dog").rename(folder / "d\nog")), "photos", "control characters"
    ),
    "listed-not-there": Malformed(
        "cnn",
        _listed("path,label\nphotos/cat/0.png,cat\nx.png,dog\n"),
        "data list.csv",
        "1 of 2. x.png: the file must exist",
    ),
    "listed-outside": Malformed("cnn", _listed("path,label\n../x.png,dog\n"), "list.csv, line 2", "stay in"),
    "listed-no-label": Malformed("cnn", _listed("path,label\nphotos/cat/0.png,\n"), "list.csv, line 2", "empty"),
    "arrays-other-count": Malformed("cnn", _arrays(x=_IMAGES, y=_LABELS[:7]), "set.npz: y", ""),
    "arrays-objects": Malformed("cnn", _arrays(x=np.array([None] * 20), y=_LABELS), "set.npz: x", "objects"),
    "arrays-not-finite": Malformed("cnn", _arrays(x=_IMAGES * np.float32("nan"), y=_LABELS), "set.npz: x", "finite"),
    "arrays-no-labels": Malformed("cnn", _arrays(x=_IMAGES), "set.npz: y", ""),
    "masks-one-missing": Malformed(
        "segmentation", _masks(lambda folder: _mask(folder).unlink()), "images/00003.png", "needs a mask"
    ),
    "masks-other-size": Malformed(
        "segmentation",
        _masks(lambda folder: Image.new("L", (30, 32)).save(_mask(folder))),
        "masks/00003.png",
        "size of its image",
    ),
    "masks-unknown-number": Malformed(
        "segmentation", _masks(lambda folder: Image.new("L", (32, 32), 77).save(_mask(folder))), "masks/00003.png", "77"
    ),
    "masks-colour": Malformed(
        "segmentation",
        _masks(lambda folder: Image.new("RGB", (32, 32)).save(_mask(folder))),
        "masks/00003.png",
        "mode RGB",
    ),
    "recordings-none": Malformed("audio-keyword", _recordings(_no_recordings), "data words", "12 of 12. no/1.wav"),
    "recordings-one-class": Malformed(
        "audio-keyword", _recordings(lambda folder: shutil.rmtree(folder / "no")), "words", "class"
    ),
    "recordings-are-a-pipe": Malformed(
        "audio-keyword", _recordings(lambda folder: (shutil.rmtree(folder), os.mkfifo(folder))), "words", "regular file"
    ),
}
