"""Images with texts, in tables whose columns have other names: the first message names every setting."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dltk import tasks
from dltk.base.errors import InputError
from dltk.base.progress import SILENT
from dltk.edge.families import family
from dltk.edge.sources.pairs import PairColumns
from dltk.recipe import Built
from dltk.recipe.load import load, resolve

_COUNT = 40


def _write(folder: Path, header: str, row: Callable[[int], str], images: str = "", suffix: str = ".png") -> Path:
    rng = np.random.default_rng(3)
    (folder / images).mkdir(exist_ok=True)
    for number in range(_COUNT):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / images / f"{number:03d}{suffix}")
    path = folder / "posts.csv"
    path.write_text(f"{header}\n" + "".join(f"{row(number)}\n" for number in range(_COUNT)))
    return path


def _text(number: int) -> str:
    return f"the text of number {number}"


def _mood(number: int) -> str:
    return ("good", "bad")[number % 2]


CASES = {
    "other names": (
        "filename,caption,mood",
        lambda n: f"{n:03d}.png,{_text(n)},{_mood(n)}",
        "",
        {"data.path=filename", "data.text=caption", "data.label=mood"},
    ),
    "ids of images in a folder, in another order": (
        "sentiment;id;review",
        lambda n: f"{_mood(n)};{n:03d};{_text(n)}",
        "photos",
        {"data.path=id", "data.folder=photos", "data.suffix=.png", "data.text=review", "data.label=sentiment"},
    ),
    "only the label has another name": (
        "image,text,category",
        lambda n: f"{n:03d}.png,{_text(n)},{_mood(n)}",
        "",
        {"data.label=category"},
    ),
    "images in a folder, the usual text": (
        "text,label,photo",
        lambda n: f"{_text(n)},{_mood(n)},{n:03d}.png",
        "img",
        {"data.path=photo", "data.folder=img"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_pairs_are_read_with_the_settings_of_the_first_message(name: str, tmp_path: Path) -> None:
    header, row, images, flags = CASES[name]
    path = _write(tmp_path, header, row, images)
    recipe = load("multimodal")
    task = tasks.task(recipe.task)
    common = ("data.size=8", "data.tokenizer=train", "data.vocabulary=300")
    with pytest.raises(InputError) as caught:
        task.prepare(resolve(recipe, common, smoke=False), str(path), progress=SILENT)
    named = set(re.findall(r"data\.\w+=[\w./]*\w", caught.value.hint))
    assert named == flags
    settings = resolve(recipe, (*common, *sorted(named)), smoke=False)
    dataset = task.prepare(settings, str(path), progress=SILENT)
    assert dataset.labels == ("bad", "good")
    splits = (dataset.train, dataset.validation, dataset.test)
    texts = [bytes(text).decode() for split in splits for text in split.take(slice(None))["text"]]
    assert sorted(texts) == sorted(map(_text, range(_COUNT)))


def test_the_device_reads_the_columns_of_training(tmp_path: Path) -> None:
    header, row, images, flags = CASES["ids of images in a folder, in another order"]
    path = _write(tmp_path, header, row, images)
    recipe = load("multimodal")
    task = tasks.task(recipe.task)
    settings = resolve(recipe, ("data.size=8", "data.vocabulary=300", *sorted(flags)), smoke=False)
    dataset = task.prepare(settings, str(path), progress=SILENT)
    import keras

    image, tokens = keras.Input((8, 8, 3), name="image"), keras.Input((32,), dtype="int32", name="tokens")
    signature = tasks.signature_of(task, settings, dataset, Built(keras.Model([image, tokens], image), ()))
    assert PairColumns.of_signature(signature) == PairColumns("id", "review", "sentiment", "photos", ".png")
    scored = family("image-text").labelled(path, signature)
    assert len(scored.raws) == _COUNT
    rows = family("image-text").expand(str(path), signature)
    assert [row["text"] for row in rows] == list(map(_text, range(_COUNT)))


def test_what_cannot_be_seen_is_left_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("a,b,c\nx,some text,good\ny,other text,bad\n")
    recipe = load("multimodal")
    with pytest.raises(InputError, match=r"data\.path=NAME data\.text=NAME data\.label=NAME"):
        tasks.task(recipe.task).prepare(resolve(recipe, (), smoke=False), str(path), progress=SILENT)
    given = ("data.path=a", "data.text=b", "data.label=c", f"data.folder={tmp_path}")
    with pytest.raises(InputError, match=r"data\.folder: must lie in the table's folder"):
        tasks.task(recipe.task).prepare(resolve(recipe, given, smoke=False), str(path), progress=SILENT)
