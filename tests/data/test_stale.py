"""What was kept of a data set is used only while its files hold what they held."""

from __future__ import annotations

import os
import time
import wave
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dltk.base.cache.folder import cache_folder
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data import decoded, stamps
from dltk.data.kinds.images import prepare_images
from dltk.data.kinds.masks import prepare_masks
from dltk.data.kinds.pairs import prepare_pairs
from dltk.data.kinds.sounds import prepare_sounds
from dltk.recipe import ImageData, PairData, SoundData
from dltk.recipe.load import load

OLD = 1_600_000_000_000_000_000


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stamps, "_SETTLED", -(10**12))  # every stamp is remembered at once, also that of a new file


def bmp(path, value):
    """All of one size, whatever is in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)
    os.utime(path, ns=(OLD, OLD))


def images(folder):
    for number in range(24):
        bmp(folder / "ab"[number % 2] / f"{number:02}.bmp", number if number % 2 else 128 + number)
    return lambda **more: prepare_images(str(folder), ImageData(size=8, **more), seed=0, progress=more_progress)


def listed(folder):
    images(folder)
    rows = [f"{label}/{path.name},{label}" for label in "ab" for path in sorted((folder / label).iterdir())]
    (folder / "list.csv").write_text("path,label\n" + "\n".join(rows))
    return lambda **more: prepare_images(str(folder / "list.csv"), ImageData(size=8, **more), seed=0)


def pairs(folder):
    images(folder)
    rows = [f"{label}/{path.name},word,{label}" for label in "ab" for path in sorted((folder / label).iterdir())]
    (folder / "list.csv").write_text("image,text,label\n" + "\n".join(rows))
    return lambda **more: prepare_pairs(str(folder / "list.csv"), PairData(size=8, **more), seed=0)


def masks(folder):
    from dataclasses import replace

    for number in range(24):
        half = "ab"[number % 2]
        bmp(folder / "images" / f"{half}{number:02}.bmp", number if number % 2 else 128 + number)
        mask = np.repeat(np.arange(2, dtype=np.uint8), 32).reshape(8, 8)
        (folder / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask).save(folder / "masks" / f"{half}{number:02}.png")
    settings = load("segmentation").settings.data
    return lambda **more: prepare_masks(str(folder), replace(settings, size=8, **more), seed=0)


def sounds(folder):
    for number in range(24):
        path = folder / "ab"[number % 2] / f"{number:02}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as stream:
            stream.setnchannels(1)
            stream.setsampwidth(2)
            stream.setframerate(1000)
            stream.writeframes(np.full(100, (number if number % 2 else -number - 1) * 100, np.int16).tobytes())
        os.utime(path, ns=(OLD, OLD))
    return lambda **more: prepare_sounds(str(folder), SoundData(rate=1000, seconds=0.1, **more), seed=0)


more_progress = Silent()


def swap(one, other):
    """The contents of two files, with sizes, modes and times kept, as `cp -p` and `rsync -t` leave them."""
    data = one.read_bytes(), other.read_bytes()
    assert len(data[0]) == len(data[1])
    one.write_bytes(data[1])
    other.write_bytes(data[0])
    for path in (one, other):
        os.utime(path, ns=(OLD, OLD))


def halves(folder, kind):
    """The files of class a and those of class b."""
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix in (".bmp", ".wav"))
    if kind is masks:
        return [[path for path in found if path.name[0] == letter] for letter in "ab"]
    return [[path for path in found if path.parent.name == letter] for letter in "ab"]


def seen(dataset):
    splits = (dataset.train, dataset.validation, dataset.test)
    return [(split.ids.tolist(), split.take(slice(None)).tobytes()) for split in splits]


@pytest.mark.parametrize("kind", [images, listed, pairs, masks, sounds])
@pytest.mark.parametrize("how", ["rewritten", "renamed"])
def test_two_classes_that_are_swapped_are_read_again(tmp_path, kind, how):
    prepare = kind(tmp_path / "data")
    before = prepare()
    for one, other in zip(*halves(tmp_path / "data", kind), strict=True):
        if how == "rewritten":
            swap(one, other)
        else:
            aside = one.with_suffix(".aside")
            os.rename(one, aside)
            os.rename(other, one)
            os.rename(aside, other)
    after = prepare()
    assert after.digest != before.digest
    assert seen(after) != seen(before)
    fresh = cache_folder().rename(tmp_path / "elsewhere")
    assert fresh.exists()
    assert seen(prepare()) == seen(after)
    assert prepare().digest == after.digest


def test_what_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    prepare = images(tmp_path / "data")
    prepare()
    monkeypatch.setattr(stamps, "_digest", None)
    monkeypatch.setattr(decoded, "decode_image", None)
    first = prepare()
    with pytest.raises(TypeError):
        prepare(cache="verify")
    with pytest.raises(TypeError):
        prepare(cache="off")
    assert prepare().digest == first.digest


def test_a_copy_of_the_data_needs_no_decoding(tmp_path, monkeypatch):
    import shutil

    prepare = images(tmp_path / "data")
    first = prepare()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    monkeypatch.setattr(decoded, "decode_image", None)
    found = prepare_images(str(tmp_path / "copy"), ImageData(size=8), seed=0)
    assert seen(found) == seen(first)


def test_verify_finds_what_no_stamp_shows(tmp_path, monkeypatch):
    """As on a file system whose inodes do not say when they changed."""
    stamp = stamps._stamp
    monkeypatch.setattr(stamps, "_stamp", lambda path: [0, OLD, OLD, 0, 0, stamp(path)[-1]])
    prepare = images(tmp_path / "data")
    before = prepare()
    for one, other in zip(*halves(tmp_path / "data", images), strict=True):
        swap(one, other)
    assert prepare().digest == before.digest
    assert prepare(cache="off").digest != before.digest
    assert prepare(cache="verify").digest != before.digest


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "_SETTLED", 2_000_000_000)
    prepare, read = images(tmp_path / "data"), []
    digest = stamps._digest
    monkeypatch.setattr(stamps, "_digest", lambda path: read.append(path) or digest(path))
    prepare()
    prepare()
    assert len(read) == 48
    monkeypatch.setattr(time, "time_ns", lambda: time.monotonic_ns() + 4 * 10**18)
    prepare()
    prepare()
    assert len(read) == 72


def test_a_file_that_changes_while_it_is_decoded_is_named(tmp_path, monkeypatch):
    prepare = images(tmp_path / "data")
    decode = decoded.decode_image

    def meanwhile(source, **options):
        found = decode(source, **options)
        if Path(source).name == "03.bmp":
            bmp(Path(source), 200)
        return found

    monkeypatch.setattr(decoded, "decode_image", meanwhile)
    with pytest.raises(InputError, match=r"03\.bmp: must not change while it is read"):
        prepare()
    monkeypatch.setattr(decoded, "decode_image", decode)
    assert prepare().digest


def test_off_uses_nothing_that_an_earlier_run_left(tmp_path, monkeypatch):
    from dltk.base.cache import entries

    prepare = images(tmp_path / "data")
    first = prepare(cache="off")
    calls, decode = [], decoded.decode_image
    monkeypatch.setattr(decoded, "decode_image", lambda *args, **more: calls.append(1) or decode(*args, **more))
    prepare(cache="off")
    assert calls == []  # what this run made is
    monkeypatch.setattr(entries, "_made", set())
    assert prepare(cache="off").digest == first.digest
    assert len(calls) == 24


@pytest.mark.parametrize("name", [b"caf\xe9.bmp", b"\xff\xfe.bmp", b"new\nline.bmp"])
def test_names_that_are_no_utf8(tmp_path, name):
    prepare = images(tmp_path / "data")
    os.rename(tmp_path / "data/a/00.bmp", os.path.join(os.fsencode(tmp_path / "data/a"), name))
    first = prepare()
    assert seen(prepare()) == seen(first)


def _reorder(path):
    array = np.load(path)
    np.save(path, array[::-1])


@pytest.mark.parametrize("how", ["reordered", "cut", "zeros"])
@pytest.mark.parametrize("name", ["images.npy", "digests.npy"])
def test_decoded_images_that_were_damaged_are_decoded_again(tmp_path, name, how):
    prepare = images(tmp_path / "data")
    before = seen(prepare())
    (entry,) = cache_folder("images").iterdir()
    path = entry / name
    if how == "reordered":
        _reorder(path)
    else:
        data = path.read_bytes()
        path.write_bytes(data[:-100] if how == "cut" else data[:-100] + bytes(100))
    more_progress.warned.clear()
    assert seen(prepare()) == before
    assert len(more_progress.warned) == 1
    assert "it is created again" in more_progress.warned[0]
    more_progress.warned.clear()
    prepare()
    assert more_progress.warned == []


@pytest.mark.parametrize("name", ["images.npy", "targets.npy"])
def test_a_pinned_data_set_that_was_damaged_is_made_again(name):
    from dltk.data.named.load import load_named

    found = load_named("digits")
    images, targets = np.array(found.images), np.array(found.targets)
    (entry,) = cache_folder("datasets").iterdir()
    _reorder(entry / name)
    progress = Silent()
    after = load_named("digits", progress=progress)
    assert (np.asarray(after.images) == images).all()
    assert (after.targets == targets).all()
    assert len(progress.warned) == 1
