"""TIFF: plain ones are read as their PNG is; all others, and damaged ones, are refused and named."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.input.images.decode import decode_image, image_size
from dltk.edge.input.images.tiff import plain_tiff

PIXELS = np.random.default_rng(5).integers(0, 256, (21, 34, 4), dtype=np.uint8)
WIDE = np.random.default_rng(6).integers(0, 65536, (21, 34), dtype=np.uint16)


def saved(image, kind, **how):
    stream = BytesIO()
    image.save(stream, kind, **how)
    return stream.getvalue()


def images():
    yield "RGB", Image.fromarray(PIXELS[..., :3])
    yield "RGBA", Image.fromarray(PIXELS)
    yield "grey", Image.fromarray(PIXELS[..., 0])
    yield "palette", Image.fromarray(PIXELS[..., :3]).convert("P", palette=Image.Palette.ADAPTIVE, colors=9)
    yield "16 bits", Image.fromarray(WIDE)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("image", [image for _, image in images()], ids=[name for name, _ in images()])
def test_a_plain_tiff_is_read_as_its_png(image, compression):
    data = saved(image, "TIFF", compression=compression)
    np.testing.assert_array_equal(decode_image(data), decode_image(saved(image, "PNG")))


def test_sixteen_bits_keep_the_upper_eight():
    found = decode_image(saved(Image.fromarray(WIDE), "TIFF"))
    np.testing.assert_array_equal(found[..., 0], (WIDE >> 8).astype(np.uint8))


def plain(pixels, order="<", **tags):
    """A TIFF of one strip, by hand: `pixels` (height, width, samples) of 8 or 16 bits."""
    height, width, samples = pixels.shape
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: width, 257: height, 258: [8 * pixels.itemsize] * samples, 259: 1, 262: 2 if samples > 2 else 1, 273: 8,
        277: samples, 278: height, 279: len(body), **{int(key[1:]): value for key, value in tags.items()},
    }  # fmt: skip
    listed = [(tag, value if isinstance(value, list) else [value]) for tag, value in sorted(entries.items())]
    start, extra = 8 + len(body), b""
    made = struct.pack(f"{order}H", len(listed))
    for tag, values in listed:
        packed = struct.pack(f"{order}{len(values)}{'I' if tag in (273, 279) else 'H'}", *values)
        made += struct.pack(f"{order}HHI", tag, 4 if tag in (273, 279) else 3, len(values))
        if len(packed) > 4:
            place = start + 2 + 12 * len(listed) + 4 + len(extra)
            extra, packed = extra + packed, struct.pack(f"{order}I", place)
        made += packed.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", start) + body + made + bytes(4) + extra


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_of_rgb_and_16_bits(order):
    colours = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    np.testing.assert_array_equal(decode_image(plain(colours, order)), (colours >> 8).astype(np.uint8))
    grey = colours[..., :1]
    np.testing.assert_array_equal(decode_image(plain(grey, order))[..., :1], (grey >> 8).astype(np.uint8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(orientation, tmp_path):
    pixels = PIXELS[:5, :7, :3]
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(plain(pixels, _274=orientation))
    np.testing.assert_array_equal(found, decode_image(saved(Image.fromarray(pixels), "PNG", exif=exif)))
    (tmp_path / "a.tif").write_bytes(plain(pixels, _274=orientation))
    assert image_size(tmp_path / "a.tif") == found.shape[:2]


PAGE, SMALL = Image.new("RGB", (4, 4)), PIXELS[:5, :7, :3]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (plain(SMALL, _259=7), "compression 7"),
        (plain(SMALL, _262=5), "samples per pixel 3"),
        (plain(SMALL, _262=32803), "samples per pixel"),
        (plain(SMALL, _258=[8, 8, 4]), "bits"),
        (plain(SMALL, _284=2), "planes 2"),
        (plain(SMALL, _317=3), "predictor 3"),
        (plain(SMALL, _339=3), "sample format"),
        (plain(SMALL, _50706=1), "raw photo"),
        (plain(SMALL, _330=8), "several images in one"),
        (plain(SMALL, _273=[8, 8]), "2 strips"),
        (plain(SMALL, _278=0), "0 rows"),
        (plain(SMALL, _279=10_000), "ends before its pixels"),
        (plain(SMALL, _256=0), "0 x 5"),
        (plain(SMALL, _256=60_000, _257=60_000, _278=60_000), "a strip of a TIFF may have"),
        (plain(SMALL, _257=60_000, _278=1), "1 strips of 1 rows"),
        (plain(SMALL)[:60], "ends before"),
        (b"II*\0", "ends before its directory"),
        (saved(PAGE, "TIFF", save_all=True, append_images=[PAGE]), "several pages"),
        (saved(Image.new("1", (4, 4)), "TIFF"), "bits"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "bits"),
        (saved(Image.new("CMYK", (4, 4)), "TIFF"), "samples per pixel"),
        (saved(Image.new("RGB", (16, 16)), "TIFF", compression="jpeg"), "compression 7"),
    ],
)  # fmt: skip
def test_another_kind_of_tiff_is_refused_by_name(data, text):
    with pytest.raises(InputError) as caught:
        decode_image(data, where="photo.tif")
    assert text in str(caught.value)
    assert str(caught.value).startswith("photo.tif: ")


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate"])
def test_damage_raises_nothing_else(compression, capfd):
    """A byte changed at each place of the directory, and at some of the pixels."""
    whole = saved(Image.fromarray(PIXELS[..., :3]), "TIFF", compression=compression)
    rng = np.random.default_rng(3)
    for place in (*range(min(400, len(whole))), *rng.integers(0, len(whole), 200)):
        data = bytearray(whole)
        data[place] = int(rng.integers(256))
        try:
            found = decode_image(bytes(data), max_pixels=1_000_000)
        except InputError:
            continue
        assert found.dtype == np.uint8


def test_what_pillow_is_given_has_no_other_tag():
    data = saved(Image.fromarray(SMALL), "TIFF", software="x" * 40, description="secret")
    clean, orientation = plain_tiff(data, "a")
    with Image.open(BytesIO(clean)) as image:
        assert not {270, 305} & set(image.tag_v2)
    assert orientation == 1
