"""Decoding, resizing and the ops after them, on real files."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dltk.base.errors import InputError
from dltk.edge.input.images.decode import decode_image
from dltk.edge.input.images.resize import resize_image
from dltk.edge.input.preprocess import apply_ops, image_ops, read_image


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """uint8 (6, 9, 3), no two pixels alike, not square, so that a wrong turn shows."""
    return np.random.default_rng(7).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_lossless_formats_come_back_to_the_bit(pixels, kind):
    assert np.array_equal(decode_image(encoded(Image.fromarray(pixels), kind)), pixels)


def test_webp_without_loss_comes_back_to_the_bit(pixels):
    assert np.array_equal(decode_image(encoded(Image.fromarray(pixels), "WEBP", lossless=True)), pixels)


def test_path_link_bytes_and_array_give_the_same_pixels(pixels, tmp_path):
    data = encoded(Image.fromarray(pixels), "JPEG")
    path, link = tmp_path / "a.jpg", tmp_path / "link.jpg"
    path.write_bytes(data)
    link.symlink_to(path)
    ops = image_ops(5, 7)
    first = read_image(path, ops)
    assert first.shape == (5, 7, 3)
    for source in (str(path), link, data, decode_image(data)):
        assert np.array_equal(read_image(source, ops), first)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_does(pixels, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), "PNG", exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(decode_image(data), wanted)
    if orientation >= 5:
        assert decode_image(data).shape == (9, 6, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")  # Pillow says so, and reads on
def test_damaged_exif_counts_as_none(pixels):
    data = encoded(Image.fromarray(pixels), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff")
    assert decode_image(data).shape == (6, 9, 3)


def test_16_bit_grey_keeps_the_upper_byte():
    values = np.array([[0, 255, 256, 0x7FFF], [0x8000, 0xFF00, 0xFFFF, 1]], np.uint16)
    decoded = decode_image(encoded(Image.fromarray(values), "PNG"))
    assert np.array_equal(decoded, np.repeat((values >> 8).astype(np.uint8)[:, :, None], 3, axis=2))


def test_16_bit_colour_keeps_the_upper_byte():
    values = np.array([[[0, 0x12FF, 0xFFFF], [0x80FF, 0x7F00, 0x00FF]]], np.uint16)
    assert np.array_equal(decode_image(raw_png(values, colour_type=2)), (values >> 8).astype(np.uint8))


def raw_png(values: np.ndarray, *, colour_type: int) -> bytes:
    """A 16-bit PNG, which Pillow cannot write in colour."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    return png(header, zlib.compress(rows))


def png(header: bytes, data: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_is_repeated(pixels, mode):
    image = Image.fromarray(pixels).convert(mode)
    grey = np.asarray(image.convert("L"))
    assert np.array_equal(decode_image(encoded(image, "PNG")), np.repeat(grey[:, :, None], 3, axis=2))


def over_white(rgba: np.ndarray) -> np.ndarray:
    """The stated rule, in exact arithmetic."""
    wide = rgba.astype(np.int64)
    alpha = wide[:, :, 3:]
    return ((wide[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_over_white(mode):
    rgba = np.random.default_rng(3).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    image = Image.fromarray(rgba).convert(mode)
    assert np.array_equal(decode_image(encoded(image, "PNG")), over_white(np.asarray(image.convert("RGBA"))))


def test_every_alpha_of_every_value_fits_16_bits():
    values, alphas = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    rgba = np.stack([values, values, values, alphas], axis=2)
    assert np.array_equal(decode_image(rgba), over_white(rgba))


def test_palette_with_a_transparent_colour_becomes_white_there():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode_image(encoded(image, "PNG", transparency=1)).tolist() == [[[10, 20, 30], [255, 255, 255]]]
    assert decode_image(encoded(image, "PNG", transparency=b"\xff\x80")).tolist() == [
        [[10, 20, 30], over_white(np.array([[[200, 100, 50, 0x80]]], np.uint8))[0, 0].tolist()]
    ]


def test_grey_with_a_transparent_value_becomes_white_there():
    image = Image.new("L", (2, 1), 7)
    image.putpixel((1, 0), 9)
    assert decode_image(encoded(image, "PNG", transparency=9))[0, :, 0].tolist() == [7, 255]


def test_cmyk_is_pillows_conversion(pixels):
    data = encoded(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "CMYK"
        assert np.array_equal(decode_image(data), np.asarray(image.convert("RGB")))


def test_an_animated_gif_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 3), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (decode_image(data) == np.array([255, 0, 0])).all()


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 3), (6, 9, 4)])
def test_arrays_of_every_layout_are_taken(shape):
    assert decode_image(np.full(shape, 255, np.uint8)).tolist() == np.full((6, 9, 3), 255).tolist()


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)])
def test_other_arrays_are_refused(array):
    with pytest.raises(InputError, match="must be uint8"):
        decode_image(array)


def test_an_icon_and_a_text_are_refused_by_content_not_by_name(pixels, tmp_path):
    for name, data in (("a.png", encoded(Image.fromarray(pixels), "ICO")), ("b.jpg", b"not a picture")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"{name}: must be a JPEG, PNG, BMP, WebP, GIF or TIFF"):
            decode_image(tmp_path / name)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "GIF"])
def test_a_truncated_file_is_refused(kind):
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(InputError):
        decode_image(data[: len(data) // 2])


def test_damaged_bytes_give_a_picture_or_an_input_error():
    noise = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    rng = np.random.default_rng(2)
    for kind in ("JPEG", "PNG", "BMP", "WEBP", "GIF"):
        data = encoded(Image.fromarray(noise), kind)
        for _ in range(40):
            damaged = bytearray(data)
            for place in rng.integers(0, len(data), 4):
                damaged[place] = int(rng.integers(256))
            try:
                decoded = decode_image(bytes(damaged))
            except InputError:
                continue
            assert decoded.dtype == np.uint8
            assert decoded.shape[2] == 3


@pytest.mark.parametrize("side", [8_000, 60_000])  # under and over the size at which Pillow itself refuses
def test_a_pixel_bomb_is_refused_from_its_header(side):
    bomb = png(struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0), zlib.compress(b"\0" * 1000))
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises(InputError, match="may have at most 50000000 pixels"):
        decode_image(bomb)
    assert time.monotonic() - start < 1.0  # decoding would take seconds
    assert tracemalloc.get_traced_memory()[1] < 5_000_000  # decoding would take 192 MB and more
    tracemalloc.stop()


def test_the_pixel_cap_counts_arrays_too(pixels):
    with pytest.raises(InputError, match="at most 53 pixels; received 54"):
        decode_image(pixels, max_pixels=53)
    assert decode_image(pixels, max_pixels=54).shape == (6, 9, 3)


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(InputError, match=str(path)):
            decode_image(path)


def resized(image: np.ndarray, height: int, width: int, fit: str) -> np.ndarray:
    return resize_image(image, image_ops(height, width, fit=fit)[1])


def test_stretch_is_pillows_bilinear_filter(pixels):
    wanted = Image.fromarray(pixels).resize((4, 5), Image.Resampling.BILINEAR)
    assert np.array_equal(resized(pixels, 5, 4, "stretch"), np.asarray(wanted))


def test_the_right_size_is_left_as_it_is(pixels):
    for fit in ("stretch", "crop", "pad"):
        assert np.array_equal(resized(pixels, 6, 9, fit), pixels)


def test_crop_keeps_the_middle(pixels):
    assert np.array_equal(resized(pixels, 6, 6, "crop"), pixels[:, 1:7])
    assert np.array_equal(resized(pixels, 3, 9, "crop"), pixels[1:4])


def test_pad_puts_black_around(pixels):
    padded = resized(pixels, 9, 9, "pad")
    assert np.array_equal(padded[1:7], pixels)
    assert not padded[0].any()
    assert not padded[7:].any()


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_extreme_proportions_still_fit(fit):
    for shape in ((1, 500, 3), (500, 1, 3)):
        assert resized(np.full(shape, 9, np.uint8), 16, 16, fit).shape == (16, 16, 3)


def one_axis(image: np.ndarray, wanted: int, axis: int) -> np.ndarray:
    """Pillow's Resample.c along one axis, in whole numbers: a triangle, widened when shrinking."""
    lines = np.moveaxis(image, axis, 0).astype(np.int64)
    scale, found = len(lines) / wanted, np.empty((wanted, *lines.shape[1:]), np.int64)
    spread = max(scale, 1.0)
    for place in range(wanted):
        centre = (place + 0.5) * scale
        first, end = max(0, int(centre - spread + 0.5)), min(len(lines), int(centre + spread + 0.5))
        weights = np.maximum(0.0, 1.0 - np.abs(np.arange(first, end) - centre + 0.5) / spread)
        whole = (0.5 + weights / weights.sum() * 2**22).astype(np.int64)
        found[place] = (np.tensordot(whole, lines[first:end], 1) + 2**21) >> 22
    return np.moveaxis(np.clip(found, 0, 255), 0, axis).astype(np.uint8)


@pytest.mark.parametrize(
    ("rows", "columns", "height", "width", "first"),
    [
        (37, 23, 16, 16, 0),
        (23, 37, 16, 16, 1),
        (74, 43, 3, 6, 0),
        (16, 16, 8, 24, 0),
        (8, 8, 16, 16, 1),
        (10, 69, 25, 269, 0),
    ],
)
def test_which_axis_is_resized_first_is_not_left_to_pillow(rows, columns, height, width, first):
    """Version 13 resizes the rows first where it is faster, those before it never: results would differ by a step."""
    image = np.random.default_rng(rows).integers(0, 256, (rows, columns, 3), np.uint8)
    steps = [(height, 0), (width, 1)] if first == 0 else [(width, 1), (height, 0)]
    wanted = one_axis(one_axis(image, *steps[0]), *steps[1])
    np.testing.assert_array_equal(resized(image, height, width, "stretch"), wanted)


def test_a_thin_picture_needs_no_more_memory_than_its_pixels():
    tracemalloc.start()
    assert resized(np.zeros((1_000_000, 1, 3), np.uint8), 8, 2000, "stretch").shape == (8, 2000, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000  # the columns first would take 6 GB


@pytest.mark.parametrize(
    "change", [{"method": "bicubic"}, {"fit": "squash"}, {"height": 0}, {"height": True}, {"width": "8"}]
)
def test_a_resize_that_does_not_exist_is_refused(pixels, change):
    with pytest.raises(InputError, match="preprocess: resize"):
        resize_image(pixels, {**image_ops(8, 8)[1], **change})


def test_a_small_picture_is_kept_as_it_is_with_black_around():
    small = np.full((4, 3, 3), 200, np.uint8)
    kept = resize_image(small, image_ops(8, 8, fit="keep")[1])
    assert np.array_equal(kept[2:6, 2:5], small)
    assert kept.sum() == small.sum()
    large = np.full((16, 8, 3), 200, np.uint8)
    assert np.array_equal(
        resize_image(large, image_ops(8, 8, fit="keep")[1]), resize_image(large, image_ops(8, 8, fit="pad")[1])
    )


def test_another_colour_mode_is_refused(pixels):
    with pytest.raises(InputError, match="mode must be RGB"):
        read_image(pixels, [{"op": "decode", "mode": "CMYK"}])


def test_scale_is_a_float32_product_and_a_float32_sum():
    raws = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    factor, shift = [1 / 127.5] * 3, [-1.0] * 3
    wanted = raws.astype(np.float32) * np.float32(1 / 127.5) + np.float32(-1.0)
    found = apply_ops(raws, [*image_ops(16, 16), {"op": "scale", "multiply": factor, "add": shift}])
    assert found.dtype == np.float32
    assert np.array_equal(found, wanted)
    assert raws.max() == 255  # the batch that came in is as it was


def test_a_batch_equals_its_samples_one_by_one():
    raws = np.random.default_rng(5).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)
    ops = [{"op": "reverse_channels"}, {"op": "scale", "multiply": [0.1, 0.2, 0.3], "add": [1, 2, 3]}]
    batch = apply_ops(raws, ops)
    assert np.array_equal(batch, np.concatenate([apply_ops(raw[None], ops) for raw in raws]))
    assert batch[0, 0, 0, 0] == np.float32(raws[0, 0, 0, 2]) * np.float32(0.1) + np.float32(1)


def test_standardize_and_reading_ops_on_a_series():
    raws = np.array([[[1.0, 10.0], [3.0, 30.0]]], np.float32)
    ops = [{"op": "window", "length": 2, "columns": ["a", "b"]}, {"op": "standardize", "mean": [2, 20], "std": [1, 10]}]
    assert apply_ops(raws, ops).tolist() == [[[-1, -1], [1, 1]]]


def test_normal_depends_on_nothing_but_the_seed_number():
    ops = [{"op": "normal", "shape": [4]}]
    both = apply_ops(np.array([3, 4]), ops)
    assert both.shape == (2, 4)
    assert np.array_equal(both[1:], apply_ops(np.array([4]), ops))
    assert np.array_equal(both[0], np.random.Generator(np.random.Philox(3)).standard_normal(4, np.float32))


@pytest.mark.parametrize(
    ("op", "text"),
    [
        ({"op": "scael"}, "Did you mean 'scale'"),
        ({"op": "scale", "multiply": [1, 2], "add": [0, 0]}, "must fit samples"),
        ({"op": "scale", "multiply": [1, 2, 3]}, "must fit samples"),
        ({"op": "scale", "multiply": "x", "add": 0}, "must fit samples"),
    ],
)
def test_ops_that_do_not_fit_are_input_errors(op, text):
    with pytest.raises(InputError, match=text):
        apply_ops(np.zeros((1, 4, 4, 3), np.uint8), [op])


def test_a_device_without_pillow_is_told_so(monkeypatch, pixels):
    import sys

    from dltk.base.errors import EnvironmentFault

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(EnvironmentFault, match="pip install 'Pillow"):
        decode_image(b"anything")
    assert decode_image(pixels).shape == (6, 9, 3)  # arrays of the right size need no Pillow


def test_pictures_are_read_without_following_a_pipe(tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="regular file"):
        decode_image(tmp_path / "pipe.png")
