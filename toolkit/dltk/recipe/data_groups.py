"""Groups of settings of data that many recipes share: tables, files, images, recordings, texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dltk.recipe.settings import setting

__all__ = [
    "CACHE_HELP",
    "CacheUse",
    "FileData",
    "ImageData",
    "PairData",
    "PlainImageData",
    "SizedImageData",
    "SoundData",
    "TableFormat",
    "TextData",
]


CacheUse = Literal["trust", "verify", "off"]
CACHE_HELP = (
    "trust: unchanged files are read from the cache; verify: all files and cache entries are checked; "
    "off: the cache is not used"
)


@dataclass(frozen=True)
class TableFormat:
    """How a table is written; see `dltk.edge.sources.tables`."""

    separator: Literal["auto", ",", ";", "tab", "|", "::", "space"] = setting(
        "auto", "what separates the cells of a table; space: runs of them", last=True
    )
    encoding: str = setting("auto", "encoding of a table, such as utf-8, cp1252 or shift-jis", last=True)
    header: Literal["auto", "first", "none"] = setting(
        "auto", "first: the first line of a table names the columns; none: it is a row", last=True
    )
    decimal: Literal["auto", ".", ","] = setting(
        "auto", "decimal sign of the numbers in a table; the other one may group thousands", last=True
    )
    names: tuple[str, ...] = setting(
        (), "names of all columns of a table, in their order; none: from the header, or column_1 and so on", last=True
    )
    sheet: str | None = setting(None, "sheet of a workbook (.xlsx) with several", last=True)


@dataclass(frozen=True)
class FileData(TableFormat):
    """Labelled files: which folders are classes, and which columns of a CSV name files and labels."""

    class_folders: Literal["auto", "outer", "inner"] = setting(
        "auto", "outer: each folder is a class, even one called train; inner: the folders inside these are"
    )
    merge_case: Literal["ask", "yes", "no"] = setting("ask", "whether classes that differ in case only are one class")
    rare: Literal["ask", "keep", "drop"] = setting("ask", "classes of one sample: keep or drop them")
    path: str = setting("path", "CSV column of the files; found if there is no such column")
    label: str = setting("label", "CSV column of the labels; found if there is no such column")
    folder: str = setting("", "folder of the files in a CSV, seen from the CSV's; empty: found")
    suffix: str = setting("", "ending that the names in a CSV lack, such as .jpg; empty: found")


@dataclass(frozen=True)
class ImageData(FileData):
    """Images: size, reading and split."""

    size: int = setting(96, "height and width of the model's input, in pixels", low=8, high=1024)
    resize: Literal["stretch", "crop", "pad", "keep"] = setting(
        "stretch", "how an image is made square; keep: pad, and never enlarge"
    )
    validation: float = setting(0.1, "share of the validation split, if the data has no splits", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split, if the data has no splits", low=0.0, high=0.8)
    group: str | None = setting(None, "CSV column; samples of one group stay in one split")
    limit: int = setting(0, "use at most this many training samples, stratified; 0: all", low=0)
    total: int = setting(0, "read at most about this many samples, from every class and split; 0: all", low=0)
    labels: tuple[str, ...] = setting((), "class names in the order of the model's outputs; none: sorted")
    multi_label: bool = setting(False, "several labels per sample, separated by | in the CSV")
    max_unreadable: float = setting(0.05, "stop if a larger share of the files cannot be read", low=0.0, high=1.0)
    max_pixels: int = setting(50_000_000, "refuse an image with more pixels, before decoding it", low=1)
    cache: CacheUse = setting("trust", CACHE_HELP)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class SizedImageData(ImageData):
    """Images for models trained from scratch, whose input can have the size of the images."""

    size: int = setting(
        0, "height and width of the model's input, in pixels, at least 8; 0: those of the images, at most data.largest",
        low=0, high=1024,
    )  # fmt: skip
    largest: int = setting(32, "largest size that data.size=0 takes from the images", low=16, high=1024)


@dataclass(frozen=True)
class PlainImageData(SizedImageData):
    """Such images that can also have one grey channel."""

    channels: Literal[1, 3] = setting(3, "3: red, green, blue; 1: grey, converted if the file is not")


@dataclass(frozen=True)
class PairData(TableFormat):
    """Images with texts: size, length and split."""

    size: int = setting(64, "height and width of the model's input, in pixels", low=8, high=1024)
    resize: Literal["stretch", "crop", "pad"] = setting("stretch", "how an image is made square")
    length: int = setting(32, "tokens of the model's input; longer texts are truncated", low=2, high=4096)
    tokenizer: str = setting("train", "train (on the training texts), minilm-l6, or the path of a tokenizer.json")
    vocabulary: int = setting(4000, "largest vocabulary of a trained tokenizer", low=300, high=200_000)
    path: str = setting("image", "CSV column of the images")
    text: str = setting("text", "CSV column of the texts")
    label: str = setting("label", "CSV column of the labels")
    folder: str = setting("", "folder of the images in a CSV, seen from the CSV's; empty: the CSV's own")
    suffix: str = setting("", "ending that the names of images in a CSV lack, such as .jpg")
    max_bytes: int = setting(1000, "texts are truncated after this many bytes", low=16, high=100_000)
    validation: float = setting(0.1, "share of the validation split, if the data has no splits", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split, if the data has no splits", low=0.0, high=0.8)
    group: str | None = setting(None, "CSV column; samples of one group stay in one split")
    limit: int = setting(0, "use at most this many training samples, stratified; 0: all", low=0)
    total: int = setting(0, "read at most about this many samples, from every class and split; 0: all", low=0)
    max_unreadable: float = setting(0.05, "stop if a larger share of the images cannot be read", low=0.0, high=1.0)
    max_pixels: int = setting(50_000_000, "refuse an image with more pixels, before decoding it", low=1)
    cache: CacheUse = setting("trust", CACHE_HELP)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class SoundData(FileData):
    """Recordings: rate, length and split."""

    rate: int = setting(
        0,
        "sample rate of the model's input, in Hz, at least 1000; other rates are resampled; "
        "0: the commonest of the data, at most 16000",
        low=0,
        high=384_000,
    )
    seconds: float = setting(
        0.0,
        "seconds of a recording that the model uses, at least 0.05; 0: from the lengths of the recordings, at most 10",
        low=0.0,
        high=60.0,
    )
    part: Literal["loudest", "start"] = setting("loudest", "the part of a longer recording that the model uses")
    validation: float = setting(0.1, "share of the validation split, if the data has no splits", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split, if the data has no splits", low=0.0, high=0.8)
    group: str | None = setting(
        None,
        "CSV column, or part of the file name (name:1 of yes_ann_03.wav is ann); "
        "samples of one group (a speaker) stay in one split",
    )
    group_pattern: str | None = setting(None, "the group in file names: *_{group}_* of yes_ann_03.wav is ann")
    limit: int = setting(0, "use at most this many training samples, stratified; 0: all", low=0)
    total: int = setting(0, "read at most about this many samples, from every class and split; 0: all", low=0)
    multi_label: bool = setting(False, "several labels per sample, separated by | in the CSV")
    max_unreadable: float = setting(0.05, "stop if a larger share of the files cannot be read", low=0.0, high=1.0)
    cache: CacheUse = setting("trust", CACHE_HELP)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)


@dataclass(frozen=True)
class TextData(TableFormat):
    """Texts: columns, tokens and split."""

    text: str = setting("text", "CSV column of the texts; found if there is no such column")
    label: str = setting("label", "CSV column of the labels; found if there is no such column")
    labels: tuple[str, ...] = setting((), "labels to read, in the order of the model's outputs; none: all, sorted")
    unlabelled: Literal["error", "drop"] = setting("error", "a row without a label or a text: an error, or left out")
    length: int = setting(
        0, "tokens of the model's input; longer texts are truncated; 0: 95% of the training texts fit", low=0, high=4096
    )
    longest: int = setting(512, "largest length that data.length=0 chooses", low=8, high=4096)
    tokenizer: str = setting("train", "train (on the training texts), minilm-l6, or the path of a tokenizer.json")
    vocabulary: int = setting(
        0, "largest vocabulary of a trained tokenizer, at least 300; 0: by the words of the training texts", low=0,
        high=200_000
    )  # fmt: skip
    max_bytes: int = setting(
        0, "texts are truncated after this many bytes, at least 16; 0: what data.length tokens take", low=0,
        high=1_000_000
    )  # fmt: skip
    validation: float = setting(0.1, "share of the validation split, if the data has no splits", low=0.0, high=0.8)
    test: float = setting(0.2, "share of the test split, if the data has no splits", low=0.0, high=0.8)
    limit: int = setting(0, "use at most this many training samples, stratified; 0: all", low=0)
    total: int = setting(0, "read at most about this many samples, from every class and split; 0: all", low=0)
    shots: int = setting(0, "use at most this many training samples per class, and none for validation; 0: all", low=0)
    evaluation_mb: int = setting(100, "store up to this many MB of test samples in the run, for export", low=1)
