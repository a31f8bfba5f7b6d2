"""A picture that is resized while it is decoded has the very pixels of one that is decoded first."""

from __future__ import annotations

import io

import numpy as np
import pytest

from dltk.base.errors import InputError
from dltk.edge.input.images import pixels
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.images.resize import resize_image
from dltk.edge.input.preprocess import image_ops, read_image

Image = pytest.importorskip("PIL.Image")
KINDS = [("PNG", mode) for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")]
KINDS += [("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("GIF", "P"), ("WEBP", "RGBA"), ("BMP", "RGB")]


def saved(kind: str, mode: str, height: int, width: int, orientation: int, seed: int) -> bytes:
    generator, stream = np.random.default_rng(seed), io.BytesIO()
    if mode == "I;16":
        image = Image.fromarray(generator.integers(0, 2**16, (height, width)).astype(np.uint16))
    else:
        image = Image.fromarray(generator.integers(0, 256, (height, width, 4)).astype(np.uint8), "RGBA").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    more = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {}
    image.save(stream, kind, **more)
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad", "keep"])
@pytest.mark.parametrize(("kind", "mode"), KINDS)
def test_the_same_pixels_to_the_bit(kind, mode, fit, monkeypatch):
    """In strips of a few rows, of each orientation, larger and smaller than what is wanted, flat and tall."""
    monkeypatch.setattr(pixels, "_STRIP_PIXELS", 100)
    for seed, (height, width) in enumerate([(37, 23), (9, 51), (6, 5), (60, 4), (16, 16), (12, 12)]):
        for orientation in range(1, 9):
            data = saved(kind, mode, height, width, orientation, seed)
            op = {"op": "resize", "height": 12, "width": 16 - seed, "fit": fit}
            wanted = resize_image(decode_image(data), op)
            assert np.array_equal(decode_image(data, resize=op), wanted)


def test_a_bundle_may_lower_the_cap_not_lift_it():
    data = saved("PNG", "RGB", 20, 20, 1, 0)
    with pytest.raises(InputError, match="at most 399 pixels"):
        read_image(data, image_ops(8, 8, max_pixels=399))
    stream = io.BytesIO()
    Image.new("1", (10_000, 5_001)).save(stream, "PNG")
    with pytest.raises(InputError, match="at most 50000000 pixels"):
        read_image(stream.getvalue(), image_ops(8, 8, max_pixels=10**18))


def scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan comes `count` times more."""
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * count + data[-2:]


def test_scans_are_counted_before_they_are_decoded():
    stream = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    assert decode_image(scans(data, 50)).shape == (480, 640, 3)
    with pytest.raises(InputError, match="may have at most 100 scans"):
        decode_image(scans(data, 200))
    stream = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(stream, "JPEG", progressive=True)
    assert decode_image(scans(stream.getvalue(), 15), resize={"height": 8, "width": 8}).shape == (8, 8, 3)
    with pytest.raises(InputError, match="500000000 pixels in all of them"):
        decode_image(scans(stream.getvalue(), 30))
