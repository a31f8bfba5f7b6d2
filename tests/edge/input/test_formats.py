"""Files are named by what they hold: with what makes an image of them, and never passed over in silence."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image, features

import pngs
import sounds
from dltk.base.errors import InputError
from dltk.base.progress import Silent
from dltk.data import prepare_images
from dltk.edge.input.formats import format_of
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.wav import read_wav
from dltk.edge.sources import list_files
from dltk.edge.sources.unreadable import counted_by_kind, ignored_text
from dltk.recipe import ImageData

PIXELS = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)


def saved(kind, **how):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind, **how)
    return stream.getvalue()


def media(brand, *others):
    box = b"ftyp" + brand + bytes(4) + b"".join(others)
    return struct.pack(">I", len(box) + 4) + box + b"\0\0\0\x08mdat"


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "text")
    return stream.getvalue()


def array():
    stream = io.BytesIO()
    np.save(stream, PIXELS)
    return stream.getvalue()


READ = {"JPEG": saved("JPEG"), "PNG": saved("PNG"), "GIF": saved("GIF"), "BMP": saved("BMP"), "WebP": saved("WEBP")}
OTHERS = {  # kind -> content, and a part of the remedy
    "BigTIFF image": (b"II+\0" + bytes(20), "PNG or JPEG"),
    "ICO image": (saved("ICO"), "PNG or JPEG"),
    "DDS image": (saved("DDS"), "PNG or JPEG"),
    "AVIF image": (media(b"avif", b"mif1", b"miaf"), "PNG or JPEG"),
    "raw photo (CR3)": (media(b"crx ", b"isom"), "Develop"),
    "raw photo (CR2)": (b"II*\0\x10\0\0\0CR\x02\0", "Develop"),
    "raw photo (RAF)": (b"FUJIFILMCCD-RAW 0201", "Develop"),
    "JPEG XL image": (b"\xff\x0a" + bytes(20), "PNG or JPEG"),
    "Photoshop image": (b"8BPS\0\x01" + bytes(20), "PNG or JPEG"),
    "DICOM image": (bytes(128) + b"DICM", "PNG or JPEG"),
    "SVG drawing": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "Render"),
    "PDF document": (b"%PDF-1.7\n", "pages as PNG"),
    "MPEG-4 video": (media(b"isom", b"mp41"), "ffmpeg -i"),
    "QuickTime video": (media(b"qt  "), "ffmpeg -i"),
    "AVI video": (b"RIFF" + bytes(4) + b"AVI LIST", "ffmpeg -i"),
    "WAV recording": (sounds.wav(np.zeros(9)), "recordings"),
    "MP3 recording": (b"ID3\x04" + bytes(20), "WAV"),
    "ZIP archive": (zipped(), "Unpack"),
    "NumPy array": (array(), "the array itself"),
    "web page": (b"<!DOCTYPE html><html>", "Download"),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
}  # fmt: skip
if features.check("jpg_2000"):
    OTHERS["JPEG 2000 image"] = (saved("JPEG2000"), "PNG or JPEG")


@pytest.mark.parametrize("kind", READ)
def test_what_is_read_is_known(kind):
    found = format_of(READ[kind])
    assert found is not None
    assert (found.kind, found.is_image, found.remedy) == (f"{kind} image", True, "")
    assert decode_image(READ[kind]).shape == PIXELS.shape


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_read_is_named_with_what_makes_an_image_of_it(kind):
    data, remedy = OTHERS[kind]
    with pytest.raises(InputError) as caught:
        decode_image(data)
    assert caught.value.rule == "must be a JPEG, PNG, BMP, WebP, GIF or TIFF"
    assert caught.value.received.split(" ", 1)[1] == kind
    assert remedy in caught.value.hint


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_a_real_avif_is_named():
    assert format_of(saved("AVIF")).kind == "AVIF image"


def test_what_begins_like_an_image_and_is_none_is_damaged():
    with pytest.raises(InputError, match="must be an undamaged image"):
        decode_image(READ["PNG"][:20])
    assert format_of(b"BMW is a make of cars, and this is a text") is None
    assert format_of(b"") is None
    with pytest.raises(InputError, match="received 5 bytes of something else"):
        decode_image(b"hello")


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_have_a_format_or_none(seed):
    """Nothing is raised, however short and whatever follows a magic."""
    generator = np.random.default_rng(seed)
    for data in [data for data, _ in OTHERS.values()] + list(READ.values()):
        for cut in range(40):
            format_of(data[:cut])
            format_of(data[:cut] + generator.bytes(30))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DLTK_CACHE", str(tmp_path / "cache"))
    for number in range(20):
        place = tmp_path / "data" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.roll(PIXELS, number, axis=1) // 2 + np.uint8(number)).save(place / f"{number:02}.png")
    return tmp_path / "data"


def test_ignored_files_are_counted_by_kind(folder):
    for number in range(6):
        (folder / "a" / f"live{number}.mov").write_bytes(media(b"qt  "))
    (folder / "a" / "scan.pdf").write_bytes(b"%PDF-1.7\n")
    (folder / "b" / "Thumbs").write_text("a note")
    (folder / "b" / "note.txt").write_text("a note")
    (folder / "b" / "photo.jpg_large").write_bytes(READ["JPEG"])
    listing = list_files(folder)
    assert len(listing.names) == 20
    reasons = dict(listing.skipped)
    assert reasons["a/scan.pdf"] == "ignored, not an image: PDF document"
    assert reasons["b/photo.jpg_large"] == "ignored, an image by its content but not by its name: JPEG image"
    line = ignored_text(listing.skipped)
    assert "9 files (6 QuickTime video, 1 PDF document, 1 without a suffix, 1 .txt): a/live0.mov;" in line
    assert "an image by its content but not by its name: 1 file (1 JPEG image): b/photo.jpg_large" in line
    progress = Silent()
    found = prepare_images(str(folder), ImageData(size=16, validation=0.2, test=0.2), seed=0, progress=progress)
    assert (found.report["ignored"], sum(found.report["samples"].values())) == (10, 20)
    assert any("6 QuickTime video" in said for said in progress.said)


def test_a_class_without_an_image_says_what_is_there(folder):
    (folder / "c").mkdir()
    for number in range(3):
        (folder / "c" / f"{number}.mp4").write_bytes(media(b"isom"))
    (folder / "c" / "read.txt").write_text("a note")
    with pytest.raises(InputError, match=r"no image among its files \(3 MPEG-4 video, 1 \.txt\)"):
        list_files(folder)


def test_many_files_of_a_kind_that_is_not_read_stop_the_work_with_the_remedy(folder):
    for number in range(5):
        (folder / "a" / f"{number}.avif").write_bytes(media(b"avif", b"mif1"))
    with pytest.raises(InputError, match=r"received 5 of 25.*received an AVIF image\. Save it as PNG or JPEG\."):
        prepare_images(str(folder), ImageData(size=16), seed=0, progress=Silent())


def test_kinds_are_counted_with_the_most_first():
    files = [("a.txt", "ignored, not an image"), ("b.txt", "ignored, not an image"), ("c", "ignored, not an image")]
    assert (
        counted_by_kind([*files, ("d.pdf", "ignored, not an image: PDF document")])
        == "2 .txt, 1 without a suffix, 1 PDF document"
    )


def test_another_recording_is_named():
    with pytest.raises(InputError, match=r"must be a WAV file.*received an MP3 recording"):
        read_wav(b"ID3\x04" + bytes(30))
    with pytest.raises(InputError, match=r"must be a WAV file.*received a PNG image"):
        read_wav(pngs.png(PIXELS.astype(np.int64), 2, 8))
