"""What a program may hand to `predict`: the same image in every form, and one line of help for all that is none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import sounds
import tiny
from dltk.base.errors import DltkError, InputError, UsageError
from dltk.edge import load
from dltk.edge.families import FAMILIES, family
from dltk.edge.input.preprocess import decode_image, read_image
from dltk.edge.input.sound import read_sound
from dltk.edge.load import Model
from edge.signatures import AUDIO, SIGNATURES

PIXELS = np.random.default_rng(7).integers(0, 256, (9, 12, 3), np.uint8)


@pytest.fixture(scope="module")
def model(bundle):
    return load(bundle)


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "rose.png")
    return tmp_path / "rose.png"


class Pipe:
    """A stream that can neither seek nor tell its name, as a socket's."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def read(self, size=-1):
        return self._data.read(size)


def test_an_image_in_every_form_gives_one_answer(model, photo):
    data = photo.read_bytes()
    with photo.open("rb") as stream, Image.open(photo) as image:
        forms = [
            photo, str(photo), data, bytearray(data), memoryview(data), io.BytesIO(data), Pipe(data), stream, image,
            Image.fromarray(PIXELS), PIXELS, PIXELS[:, :, ::-1][:, :, ::-1], Image.fromarray(PIXELS).convert("RGBA"),
        ]  # fmt: skip
        answers = model.predict_many(forms)
    assert answers == [model.predict(PIXELS)] * len(forms)


def test_a_pil_image_is_read_as_its_file_is(tmp_path):
    """Orientation, palette, transparency and 16 bits by the rules of files."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "turned.jpg", exif=exif)
    Image.fromarray(PIXELS).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(PIXELS).convert("LA").save(tmp_path / "clear.png")
    Image.fromarray(PIXELS.astype(np.uint16)[..., 0] * 257).save(tmp_path / "deep.png")
    for path in sorted(tmp_path.iterdir()):
        with Image.open(path) as image:
            assert np.array_equal(decode_image(image), decode_image(path)), path
    with pytest.raises(InputError, match="may have at most 100 pixels; received 108"):
        decode_image(Image.fromarray(PIXELS), max_pixels=100)


def test_a_file_object_is_read_from_where_it_stands(photo):
    data = b"before" + photo.read_bytes()
    stream = io.BytesIO(data)
    stream.seek(6)
    assert np.array_equal(decode_image(stream), PIXELS)
    with pytest.raises(InputError, match=r"must have bytes left to read; received none. Rewind it: seek\(0\)"):
        decode_image(stream)


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (PIXELS / 255, r"lie in 0\.\.1: np.rint\(image \* 255\)\.astype\(np\.uint8\)"),
        ((PIXELS / 127.5 - 1).astype(np.float32), r"lie in -1\.\.1: np.rint\(\(image \+ 1\) \* 127\.5\)"),
        (PIXELS.astype(np.float32), r"lie in 0\.\.255: np.rint\(image\)\.astype\(np\.uint8\)"),
        (PIXELS.astype(np.int64), r"Values fit: image\.astype\(np\.uint8\)"),
        (PIXELS.astype(np.uint16) * 257, r"\(image >> 8\)\.astype\(np\.uint8\)"),
        (PIXELS > 128, r"image\.astype\(np\.uint8\) \* 255"),
        (PIXELS.astype(np.float64) * 9 + 1, r"Bring its values, [\d.]+ to \d+, to 0\.\.255"),
        (np.moveaxis(PIXELS, -1, 0), r"Channels come last: np\.moveaxis\(image, 0, -1\)"),
        (PIXELS[..., :2], r"Drop the alpha channel: image\[\.\.\., 0\]"),
        (PIXELS[None], "Several images go to predict_many"),
        (PIXELS[None] / 255, "Several images go to predict_many"),
        (np.array(["a.jpg"]), "whole numbers 0..255"),
        (np.array(None), "whole numbers 0..255"),
    ],
)
def test_another_array_is_told_what_makes_it_one(model, array, hint):
    with pytest.raises(InputError, match=rf"must be uint8 \(H, W\).*{hint}"):
        model.predict(array)


@pytest.mark.parametrize(
    ("array", "made"),
    [
        (PIXELS / 255, lambda image: np.rint(image * 255).astype(np.uint8)),
        (PIXELS / 127.5 - 1, lambda image: np.rint((image + 1) * 127.5).astype(np.uint8)),
        (PIXELS.astype(np.uint16) * 257, lambda image: (image >> 8).astype(np.uint8)),
        (np.moveaxis(PIXELS, -1, 0), lambda image: np.moveaxis(image, 0, -1)),
    ],
)
def test_what_it_is_told_gives_the_image_back(model, array, made):
    assert model.predict(made(array)) == model.predict(PIXELS)


def closed():
    stream = io.BytesIO(b"data")
    stream.close()
    return stream


def shut():
    image = Image.open(io.BytesIO(saved("PNG")))
    image.close()
    return image


def saved(kind):
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, kind)
    return stream.getvalue()


class Odd:
    """An object that fails however it is looked at."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array")

    def read(self, *_):
        raise OSError("no disk")


WRONG = {
    "number": 5, "float": 2.5, "nothing": None, "dict": {}, "list": [], "mixed": [PIXELS, 5, "a.jpg"],
    "nan": float("nan"),
    "nul": "a\0b.jpg", "folder": "/tmp", "missing": "nowhere.jpg", "empty name": "", "long": "x" * 5000, "bytes": b"",
    "no image": b"hello", "type": dict, "class": Path, "object": object(), "generator": (each for each in [1]),
    "complex": np.array(1j), "objects": np.array([object()], dtype=object), "scalar": np.float32(1), "set": {1, 2},
    "function": len, "text file": io.StringIO("text"), "empty file": io.BytesIO(),
    "float image": Image.new("F", (3, 3)),
    "no pixels": Image.new("RGB", (0, 3)), "surrogate": "\udcff.jpg", "deep": [[[[]]]], "ragged": [[1], [2, 3]],
    "records": np.zeros(2, [("a", np.int8)]), "dates": np.array(["2020-01-01"], "datetime64[D]"), "bool": True,
    "huge": 10**400, "proc": Path("/proc/self/mem"), "device": "/dev/zero", "cut": saved("PNG")[:60],
}  # fmt: skip
MAKERS = {"closed file": closed, "closed image": shut, "odd": Odd}


@pytest.mark.parametrize("name", [*WRONG, *MAKERS])
def test_every_fault_is_an_error_of_dltk(model, name):
    wrong = MAKERS[name]() if name in MAKERS else WRONG[name]
    with pytest.raises(DltkError) as caught:
        model.predict(wrong)
    assert len(str(caught.value)) < 700


class Session:
    """In place of a runtime: outputs of the right shape."""

    def __init__(self, signature):
        self._signature = signature

    def run(self, tensors):
        count = len(next(iter(tensors.values())))
        return {each.name: np.zeros((count, *each.sample_shape), np.float32) for each in self._signature.outputs}


def model_of(name):
    return Model(SIGNATURES[name], tiny.artifact("model.float32.tflite", b""), Session(SIGNATURES[name]))


@pytest.mark.parametrize("name", FAMILIES)
def test_no_family_fails_with_anything_else(name):
    """Some of them are samples of some families; then there is an answer."""
    refused = 0
    for source in [*WRONG.values(), *(make() for make in MAKERS.values())]:
        try:
            model_of(name).predict(source)
        except DltkError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_says_what_it_takes(name):
    assert len(family(name).accepted_inputs) > 5
    with pytest.raises(InputError):
        model_of(name).predict(Odd())


def test_one_sample_is_not_taken_apart(model, photo):
    for one in (str(photo), photo, photo.read_bytes(), io.BytesIO(b"x"), PIXELS, PIXELS[..., 0], {}, 5, None):
        with pytest.raises(InputError, match=r"must be several samples.*One sample goes to predict"):
            model.predict_many(one)
    with pytest.raises(InputError, match="Several images go to predict_many"):
        model.predict([PIXELS, PIXELS])
    assert model.predict_many(np.stack([PIXELS, PIXELS])) == model.predict_many(iter([PIXELS, PIXELS]))
    with pytest.raises(InputError, match="must be several samples"):
        model_of("audio").predict_many(np.zeros(100, np.int16))


def test_of_many_the_wrong_one_is_named(model, photo):
    with pytest.raises(InputError, match=r"^sample 2 of 3: image: must be the path"):
        model.predict_many([PIXELS, 5, photo])
    with pytest.raises(InputError, match=r"^nowhere\.jpg: the file must exist"):
        model.predict_many([PIXELS, "nowhere.jpg"])


@pytest.mark.parametrize("top", [0, -1, 2.5, "3", None, True, [1]])
def test_top_is_a_whole_number(model, top):
    with pytest.raises(UsageError, match="top: must be a whole number"):
        model.predict(PIXELS, top=top)
    assert len(model.predict(PIXELS, top=np.int64(2))) == 2


@pytest.mark.parametrize("path", [None, 5, {}, [], "a\0b", "", b"x", "nowhere"])
def test_no_bundle_is_an_error_of_dltk(path):
    with pytest.raises(DltkError):
        load(path)


@pytest.mark.parametrize(
    "wish", [{"threads": 0}, {"threads": "2"}, {"runtime": 5}, {"runtime": []}, {"artifact": 5}, {"artifact": []}]
)
def test_wishes_of_a_wrong_type_are_errors_of_dltk(bundle, wish):
    with pytest.raises(DltkError):
        load(bundle, **wish)


@pytest.mark.parametrize("tensors", [None, {}, [], {"image": "text"}, {"image": None}, {"image": [[object()]]}])
def test_wrong_tensors_are_errors_of_dltk(model, tensors):
    with pytest.raises(InputError):
        model.run(tensors)


def test_a_recording_in_every_form_gives_one_sample(tmp_path):
    signature = SIGNATURES["audio"]
    data = sounds.wav(np.linspace(-0.5, 0.5, 500))
    (tmp_path / "yes.wav").write_bytes(data)
    forms = [data, bytearray(data), io.BytesIO(data), Pipe(data), tmp_path / "yes.wav", str(tmp_path / "yes.wav")]
    first, *others = (family("audio").read(form, signature) for form in forms)
    assert all(np.array_equal(first, other) for other in others)
    assert first.any()


@pytest.mark.parametrize(
    ("array", "hint"),
    [
        (np.zeros((2, 400), np.int16), r"recording\.mean\(axis=0\)"),
        (np.zeros((400, 2), np.float32), r"recording\.mean\(axis=1\)"),
        (np.zeros(400, np.int32), r"recording / 2147483648"),
        (np.zeros(400, np.uint8), r"recording\.astype\(np\.float32\) - 128"),
    ],
)
def test_another_recording_is_told_what_makes_it_one(array, hint):
    with pytest.raises(InputError, match=hint):
        read_sound(array, AUDIO.preprocess)


def test_a_text_may_be_open_or_bytes(tmp_path):
    kind, signature = family("text"), SIGNATURES["text"]
    for form in ("good film", b"good film", bytearray(b"good film"), io.BytesIO(b"good film")):
        assert kind.read(form, signature) == b"good film"


def test_the_package_shows_what_it_offers():
    import dltk.edge

    assert {"load", "bench", "replay"} <= set(dir(dltk.edge))
    assert all(callable(getattr(dltk.edge, name)) for name in ("load", "bench", "replay"))


def test_grey_models_take_the_same_forms():
    ops = ({"op": "decode", "mode": "L", "max_pixels": 1000},)
    assert np.array_equal(read_image(Image.fromarray(PIXELS[..., 0]), ops), PIXELS[..., :1])
