"""HEIC images, made by pillow-heif: read alike everywhere with the extra `heic`, named with the remedy without it."""

from __future__ import annotations

import io
import json
import struct
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tiny
from dltk.base.errors import DltkError, EnvironmentFault, InputError
from dltk.base.progress import Silent
from dltk.cli.main import cli
from dltk.data import prepare_images
from dltk.edge.families import family
from dltk.edge.input.images import heif
from dltk.edge.input.images.decode import decode_image, image_size
from dltk.edge.input.preprocess import image_ops, read_image
from dltk.edge.sources import list_files
from dltk.edge.sources.masks import list_masked, read_mask
from dltk.recipe import ImageData
from edge.signatures import SIGNATURES

pillow_heif = pytest.importorskip("pillow_heif", reason="needs the extra heic")

PIXELS = np.kron(np.random.default_rng(3).integers(0, 256, (5, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
STEP = 2  # of 255: the lossless codec keeps YCbCr, and turning it into RGB rounds


def heic(image=PIXELS, **how):
    opened = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    pillow_heif.from_pillow(opened).save(stream, quality=-1, chroma=444, **how)
    return stream.getvalue()


def near(found, wanted):
    return found.shape == wanted.shape and np.abs(found.astype(int) - wanted.astype(int)).max() <= STEP


@pytest.fixture
def without(monkeypatch):
    """A machine without the extra."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(heif, "find_spec", lambda name: None)


def test_it_is_the_image_that_was_saved():
    found = decode_image(heic())
    assert found.dtype == np.uint8
    assert near(found, PIXELS)
    assert np.array_equal(decode_image(io.BytesIO(heic())), found)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_stands_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.heic"
    path.write_bytes(heic(exif=exif.tobytes()))
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "PNG", exif=exif)
    upright = decode_image(stream.getvalue())
    assert near(decode_image(path), upright)
    assert image_size(path) == upright.shape[:2]


def test_grey_alpha_and_more_bits_are_as_in_other_formats():
    grey = Image.fromarray(PIXELS).convert("L")
    assert near(decode_image(heic(grey)), np.repeat(np.asarray(grey)[..., None], 3, axis=2))
    clear = Image.fromarray(PIXELS)
    clear.putalpha(Image.fromarray(PIXELS[..., 0]))
    stream = io.BytesIO()
    clear.save(stream, "PNG")
    assert near(decode_image(heic(clear)), decode_image(stream.getvalue()))
    wide = PIXELS.astype(np.uint16) * 257
    for mode, values in (("RGB;16", wide), ("L;16", wide[..., :1])):
        stream = io.BytesIO()
        pillow_heif.from_bytes(mode, (64, 40), values.tobytes()).save(stream, quality=-1, chroma=444)
        assert near(decode_image(stream.getvalue()), np.broadcast_to(values >> 8, PIXELS.shape)), mode


def test_of_several_images_it_is_the_primary_one():
    several = pillow_heif.from_pillow(Image.fromarray(PIXELS))
    several.add_from_pillow(Image.fromarray(255 - PIXELS))
    stream = io.BytesIO()
    several.save(stream, quality=-1, chroma=444, primary_index=1)
    assert near(decode_image(stream.getvalue()), 255 - PIXELS)


def test_pixels_are_counted_before_they_are_decoded():
    with pytest.raises(InputError, match="may have at most 1000 pixels; received 2560"):
        decode_image(heic(), max_pixels=1000)
    lying = bytearray(heic(np.zeros((600, 800, 3), np.uint8)))
    place = lying.index(b"ispe") + 8
    assert struct.unpack_from(">II", lying, place) == (800, 600)
    for size in ((8, 8), (60_000, 60_000), (0, 0)):
        struct.pack_into(">II", lying, place, *size)
        with pytest.raises(InputError):
            decode_image(bytes(lying), max_pixels=1000)


def test_damage_is_an_input_error():
    whole, generator = heic(), np.random.default_rng(0)
    for cut in (12, 40, 200, len(whole) // 2, len(whole) - 9):
        with pytest.raises(InputError):
            decode_image(whole[:cut])
    for _ in range(60):
        damaged = bytearray(whole)
        for place in generator.integers(0, len(whole), 4):
            damaged[place] = generator.integers(0, 256)
        try:
            decode_image(bytes(damaged), max_pixels=1_000_000)
        except DltkError:
            continue


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Two classes of 15 images, one of each class a HEIC; one is called like a JPEG, one has no suffix."""
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    for number in range(30):
        folder = tmp_path / "photos" / ("cat", "owl")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.roll(PIXELS, number, axis=0)
        if number < 4:
            (folder / ("a.heic", "A.HEIC", "b.jpg", "c")[number]).write_bytes(heic(pixels))
        else:
            Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return tmp_path / "photos"


def prepared(folder):
    return prepare_images(str(folder), ImageData(size=16, validation=0.2, test=0.2), seed=0, progress=Silent())


def test_training_and_device_see_the_same_pixels(photos):
    found = prepared(photos)
    assert (found.report["unreadable"], sum(found.report["samples"].values())) == (0, 30)
    first = read_image(photos / "cat" / "a.heic", image_ops(16, 16))
    assert any(np.array_equal(row, first) for row in np.asarray(found.train.store[:]))


def test_without_the_extra_training_names_it_and_what_helps(photos, without):
    with pytest.raises(EnvironmentFault, match=r"a\.heic: is a HEIC image, which is read with .*pillow-heif.*\[heic\]"):
        prepared(photos)
    for name in ("cat/a.heic", "owl/A.HEIC"):
        (photos / name).unlink()
    with pytest.raises(EnvironmentFault, match=r"b\.jpg: is a HEIC image"):  # found while the files are decoded
        prepared(photos)


def test_the_extra_may_come_later(photos, monkeypatch):
    """What was refused without it is read with it: nothing of that is kept in the cache."""
    with monkeypatch.context() as there:
        there.setitem(sys.modules, "pillow_heif", None)
        there.setattr(heif, "find_spec", lambda name: None)
        with pytest.raises(EnvironmentFault):
            prepared(photos)
    assert prepared(photos).report["unreadable"] == 0


def run(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    pytest.importorskip("ai_edge_litert")
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    tiny.write_bundle(folder, {"model.float32.tflite": tiny.tflite()})
    return folder


def test_predict_and_validate_read_it(bundle, photos):
    done = run("predict", bundle, photos / "cat" / "a.heic", "--json")
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["answers"][0]["answer"]) == 3
    done = run("validate", bundle, "--data", photos, "--json")
    assert json.loads(done.stdout)["data"]["samples"] == 30, done.output


def test_predict_and_validate_name_it_without_the_extra(bundle, photos, without):
    for words in (("predict", bundle, photos / "cat" / "a.heic"), ("validate", bundle, "--data", photos)):
        done = run(*words)
        assert done.exit_code == 5, done.output
        assert "a.heic: is a HEIC image, which is read with the package pillow-heif. Run `" in done.stderr
        assert "[heic]'`, or save it as JPEG." in done.stderr


def test_one_without_a_suffix_is_a_sample(photos):
    assert "owl/c" in list_files(photos).names


def test_masks_and_texts_may_belong_to_one(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / "masked" / name).mkdir(parents=True)
    (tmp_path / "masked" / "images" / "a.heic").write_bytes(heic())
    Image.fromarray(np.zeros(PIXELS.shape[:2], np.uint8)).save(tmp_path / "masked" / "masks" / "a.png")
    found = list_masked(tmp_path / "masked")
    assert read_mask(found.masks[0], like=found.images[0]).shape == PIXELS.shape[:2]
    signature = SIGNATURES["image-text"]
    source = {"image": found.images[0], "text": "good"}
    assert near(
        family("image-text").read(source, signature)["image"], read_image(found.images[0], signature.preprocess)
    )
