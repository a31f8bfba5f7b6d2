"""The demo page's own arithmetic, in Node: equal to what dltk.edge does in Python."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

import pngs
import tiny
from dltk.base.errors import InputError
from dltk.edge.families import family
from dltk.edge.input.images.decode import decode_image, to_grey
from dltk.edge.input.images.resize import resize_image
from dltk.edge.input.preprocess import apply_ops
from edge.signatures import SEGMENTATION
from javascript import packed, run, unpacked

MOST = 10_000  # pixels


@pytest.fixture
def generator():
    return np.random.Generator(np.random.PCG64(11))


def decoded(tmp_path, pictures):
    return run(tmp_path, "decode", [{"png": packed(data), "most": MOST} for data in pictures])


def require_same(tmp_path, pictures):
    for data, theirs in zip(pictures, decoded(tmp_path, pictures), strict=True):
        np.testing.assert_array_equal(unpacked(theirs), decode_image(data))


def samples(generator, colour, depth, height=13, width=11):
    high = min(2**depth, 8) if colour == 3 else 2**depth
    return generator.integers(0, high, (height, width, pngs.CHANNELS[colour]))


def test_every_kind_of_png_is_what_pillow_reads(tmp_path, generator):
    """15 kinds, straight and interlaced, with and without transparency, in sizes that leave Adam7 passes empty."""
    palette = pngs.chunk(b"PLTE", generator.integers(0, 256, 24, np.uint8).tobytes())
    found = []
    for colour, depth in pngs.KINDS:
        first = palette if colour == 3 else b""
        hidden = {0: struct.pack(">H", 1), 2: struct.pack(">HHH", 7, 7, 7), 3: bytes([0, 128, 255])}.get(colour)
        extras = [first] if hidden is None else [first, first + pngs.chunk(b"tRNS", hidden)]
        for height, width in ((13, 11), (1, 1), (2, 5)):
            values = samples(generator, colour, depth, height, width)
            if colour == 2:
                values[0, 0] = 7 * 257 if depth == 16 else 7
            for extra in extras:
                found += [pngs.png(values, colour, depth, interlaced=each, extra=extra) for each in (False, True)]
    require_same(tmp_path, found)


def test_pngs_of_pillow(tmp_path, generator):
    """As Pillow packs them, with metadata, a colour profile and a gamma around that must not change a pixel."""
    found = []
    for mode, channels in (("RGB", 3), ("RGBA", 4), ("L", 1), ("LA", 2)):
        image = Image.fromarray(generator.integers(0, 256, (40, 30, channels), np.uint8).squeeze())
        assert image.mode == mode
        for options in ({}, {"icc_profile": b"x" * 200}, {"optimize": True}, {"dpi": (300, 300)}):
            stream = io.BytesIO()
            image.save(stream, "PNG", **options)
            found.append(stream.getvalue())
    gamma = pngs.chunk(b"gAMA", struct.pack(">I", 100_000))
    require_same(tmp_path, [*found, pngs.png(samples(generator, 2, 8), 2, 8, extra=gamma)])


def test_pictures_are_turned_upright(tmp_path, generator):
    values = samples(generator, 2, 8, 5, 3)
    chunks = [pngs.exif(number, order=order) for number in range(10) for order in "<>"]
    chunks += [b"", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\0\x09"]  # none, and damaged ones: no orientation
    require_same(tmp_path, [pngs.png(values, 2, 8, extra=pngs.chunk(b"eXIf", data)) for data in chunks])


def test_damaged_pngs_are_refused(tmp_path, generator):
    whole = pngs.png(samples(generator, 6, 8), 6, 8)
    damaged = bytearray(whole)
    damaged[20] ^= 1  # the header's CRC tells
    cases = {
        bytes(damaged): "damaged in IHDR",
        whole[: whole.index(b"IDAT") + 10] + b"\0\0" + whole[whole.index(b"IDAT") + 12 :]: "damaged in IDAT",
        whole[:-30]: "cut off",
        whole[:30]: "cut off",
        pngs.png(samples(generator, 0, 8, 101, 100), 0, 8): "10100 pixels",
        pngs.png(samples(generator, 3, 8), 3, 8, extra=pngs.chunk(b"PLTE", bytes(3))): "palette",
        pngs.png(np.zeros((1, 1, 1), np.uint8), 5, 8): "header is damaged",
    }
    for theirs, words in zip(decoded(tmp_path, list(cases)), cases.values(), strict=True):
        assert words in theirs["fault"]
    for data in (bytes(damaged), whole[:30]):
        with pytest.raises(InputError):
            decode_image(data)


def encoded(kind, size=(8, 6), mode="RGB", **options):
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind, **options)
    return stream.getvalue()


def test_formats_are_known_by_their_content(tmp_path):
    kinds = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
    found = run(tmp_path, "kind", [{"file": packed(encoded(kind))} for kind in kinds])
    assert found == [f"image/{kind.lower()}" for kind in kinds]
    for theirs in run(tmp_path, "kind", [{"file": packed(data)} for data in (b"", b"hello", b"RIFF1234WAVE")]):
        assert "must be a JPEG, PNG, BMP, WebP or GIF" in theirs["fault"]


def test_jpegs_that_browsers_read_otherwise_are_refused(tmp_path):
    whole = encoded("JPEG", progressive=True)
    cases = {
        whole: "fine",
        whole + b"behind it": "fine",
        encoded("JPEG", mode="L"): "fine",
        encoded("JPEG", mode="CMYK"): "must be RGB",
        whole[:-2]: "cut off",
        whole[:30]: "cut off",
        encoded("JPEG", size=(101, 100)): "10100 pixels",
    }
    for theirs, words in zip(run(tmp_path, "jpeg", [{"file": packed(d)} for d in cases]), cases.values(), strict=True):
        assert words in str(theirs)


def test_a_webp_is_turned_by_its_exif(tmp_path):
    files = [encoded("WEBP", lossless=True)]
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        files.append(encoded("WEBP", lossless=True, exif=exif))
    assert run(tmp_path, "webp", [{"file": packed(data)} for data in files]) == [1, *range(1, 9)]


def test_resizing_is_pillows_to_the_bit(tmp_path, generator):
    """Larger and smaller, along one axis and both, every fit; noise, and white, where rounded weights may run over."""
    sizes = (
        (37, 23, 16, 16), (5, 7, 16, 24), (16, 40, 16, 16), (40, 16, 16, 16), (16, 16, 16, 16), (1, 1, 8, 8),
        (300, 7, 8, 8), (8, 9, 7, 300), (61, 64, 13, 60), (3, 200, 5, 5), (74, 43, 3, 6), (10, 69, 25, 269),
    )  # fmt: skip
    cases = []
    for fit in ("stretch", "crop", "pad", "keep"):
        for rows, columns, height, width in sizes:
            op = {"op": "resize", "height": height, "width": width, "method": "bilinear", "fit": fit}
            noise = generator.integers(0, 256, (rows, columns, 3), np.uint8)
            cases += [(image, op, mode) for image in (noise, np.full_like(noise, 255)) for mode in ("RGB", "L")]
    found = run(tmp_path, "resize", [{"image": packed(image), "op": op, "mode": mode} for image, op, mode in cases])
    for (image, op, mode), theirs in zip(cases, found, strict=True):
        ours = resize_image(image, op)
        np.testing.assert_array_equal(unpacked(theirs), to_grey(ours) if mode == "L" else ours, err_msg=str(op))


def test_tensors_are_numpys_to_the_bit(tmp_path, generator):
    raws = generator.integers(0, 256, (2, 9, 8, 3), np.uint8)
    scale = {"op": "scale", "multiply": [1 / 127.5] * 3, "add": [-1.0] * 3}
    imagenet = {"op": "standardize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    caffe = {"op": "scale", "multiply": [1.0] * 3, "add": [-103.939, -116.779, -123.68]}
    ways = (
        (scale,),
        ({"op": "scale", "multiply": 1 / 255, "add": 0.0}, imagenet),
        ({"op": "reverse_channels"}, caffe),
        ({"op": "standardize", "mean": [120.0], "std": [60.1]}, {"op": "clip", "low": -0.7, "high": 1.1}),
        (),
    )
    found = iter(run(tmp_path, "tensor", [{"image": packed(raw), "ops": ops} for ops in ways for raw in raws]))
    for ops in ways:
        for raw in apply_ops(raws, ops):
            assert unpacked(next(found), np.float32).tobytes() == raw.tobytes(), ops


@pytest.mark.parametrize(
    "last",
    [
        {"op": "softmax", "temperature": 1.341},
        {"op": "softmax"},
        {"op": "identity"},
        {"op": "sigmoid"},
        {"op": "sigmoid", "threshold": 0.2},
        {"op": "identity", "threshold": 0.5},
    ],
)
def test_answers_are_those_of_the_family(tmp_path, generator, last):
    logits = generator.normal(0, 3, (6, tiny.CLASSES)).astype(np.float32)
    logits[0] = [1, 1, 0]  # of equal scores the first class leads
    signature = tiny.SIGNATURE.with_postprocess(last)
    cases = [{"signature": signature.as_dict(), "output": row.tolist()} for row in logits]
    answers = family("classification").predictions({"logits": logits}, signature, top=2)
    for theirs, ours in zip(run(tmp_path, "labels", cases), answers, strict=True):
        assert [row["label"] for row in theirs] == [label for label, _ in ours]
        # float64 in both; the two exponentials may differ in the last bit
        np.testing.assert_allclose([row["score"] for row in theirs], [score for _, score in ours], rtol=1e-14)


def test_masks_are_those_of_the_family(tmp_path, generator):
    scores = generator.normal(0, 1, (2, 4, 6, 3)).astype(np.float32)
    scores[0, 0, 0] = [0, 1, 1]  # of equal scores the first class leads
    cases = [{"signature": SEGMENTATION.as_dict(), "output": row.ravel().tolist()} for row in scores]
    answers = family("segmentation").predictions({"logits": scores}, SEGMENTATION, top=1)
    for theirs, ours in zip(run(tmp_path, "mask", cases), answers, strict=True):
        np.testing.assert_array_equal(np.array(theirs["mask"]).reshape(4, 6), ours.classes)
        assert {row["label"]: row["score"] for row in theirs["shares"]} == ours.shares()


def test_colours_of_masks_are_the_palette_of_their_png(tmp_path):
    kind = family("segmentation")
    answers = kind.predictions({"logits": np.ones((1, 4, 6, 3))}, SEGMENTATION, top=1)
    palette = Image.open(io.BytesIO(kind.as_file(answers)[1])).getpalette()
    assert np.ravel(run(tmp_path, "colour", list(range(256)))).tolist() == palette


def test_what_can_be_no_answer_is_an_error(tmp_path):
    cases = {
        (0.5, 1.0): "fine",
        (3.0,): "fine",
        (0, 0): "nothing but zeros",
        (0,): "nothing but zeros",
        (2, 2): "one number everywhere",
        ("NaN", 1): "not finite",
    }
    found = run(tmp_path, "require", [{"output": list(output), "size": len(output)} for output in cases])
    for theirs, words in zip(found, cases.values(), strict=True):
        assert words in str(theirs)
    (short,) = run(tmp_path, "require", [{"output": [1, 2], "size": 3}])
    assert "gave 2 numbers" in short["fault"]


def test_golden_samples_are_judged_as_validate_does(tmp_path):
    wanted = [[1.0, -2.0], [0.5, 3.0]]
    near, far = [[1.0, -2.0], [0.5, 3.00001]], [[1.0, -2.0], [-3.0, 0.5]]
    for parity in ({"measure": "max_abs", "limit": 3e-5}, {"measure": "cosine", "limit": 0.99}):
        cases = [{"found": found, "wanted": wanted, "parity": parity} for found in (wanted, near, far)]
        assert [each["passed"] for each in run(tmp_path, "judge", cases)] == [True, True, False]
