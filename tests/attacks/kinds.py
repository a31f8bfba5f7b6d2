"""Kinds of small files that ask for gigabytes or minutes, each made from a seed: no single file is what is held."""

from __future__ import annotations

import io
import json
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import pngs
import sounds
import tiny
from attacks.kit import Attack, Case, Place
from attacks.parts import sound, with_model
from dltk.base.files import sha256
from dltk.edge.bundle.archive import pack
from dltk.edge.bundle.manifest import file_entry
from dltk.edge.bundle.signature import Signature
from edge.signatures import AUDIO, SIGNATURES, TEXT

__all__ = ["KINDS", "seeded"]

# The tiny bundle lowers the cap on pixels so far that nothing else would be looked at.
_STEPS = tuple({key: value for key, value in op.items() if key != "max_pixels"} for op in tiny.SIGNATURE.preprocess)
_UNCAPPED = Signature(**{**vars(tiny.SIGNATURE), "preprocess": _STEPS})
Kind = Callable[[Place, np.random.Generator], Case]


def _with_files(folder: Path, sizes: Mapping[str, int], *, packed: bool) -> None:
    """A bundle with files of zeros: holes in a folder, or deflated in an archive, under a manifest that fits."""
    content = json.loads((sound(folder) / "manifest.json").read_bytes())
    for name, size in sizes.items():
        with (folder / name).open("wb") as stream:
            stream.truncate(size)
        digest = sha256(bytes(size)) if packed else "0" * 64
        content["files"][name] = {"bytes": size, "sha256": digest}
        for artifact in content["artifacts"]:
            if artifact["file"] == name:
                artifact["bytes"] = size
    data = tiny.manifest_bytes(content)
    (folder / "manifest.json").write_bytes(data)
    if packed:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        ordered = {"manifest.json": files.pop("manifest.json"), **dict(sorted(files.items()))}
        folder.with_suffix(".zip").write_bytes(pack(ordered))


def _sparse(place: Place, generator: np.random.Generator) -> Case:
    sizes = {f"part{number}": int(generator.integers(2, 9)) * 10**8 for number in range(generator.integers(1, 6))}
    if generator.integers(2):
        sizes["model.float32.onnx"] = sizes.pop("part0")
    _with_files(place.inside / "bundle", sizes, packed=False)
    return Case(("validate", "bundle"), "bundle")


def _zeros(place: Place, generator: np.random.Generator) -> Case:
    """Many members, none of them large."""
    sizes = {f"part{number}": int(generator.integers(10, 20)) * 10**6 for number in range(generator.integers(5, 12))}
    _with_files(place.inside / "bundle", sizes, packed=True)
    return Case(("validate", "bundle.zip"), "must not unpack to over 30 times what it takes on disk")


def _predicted(image: Callable[[np.random.Generator], bytes]) -> Kind:
    def kind(place: Place, generator: np.random.Generator) -> Case:
        with_model(place.inside / "bundle", _UNCAPPED)
        (place.inside / "a.png").write_bytes(image(generator))
        return Case(("predict", "bundle", "a.png"), "a.png")

    return kind


def _scans(generator: np.random.Generator) -> bytes:
    from PIL import Image

    stream, side = io.BytesIO(), int(generator.integers(50, 2000))
    Image.new("RGB", (side, side), "red").save(stream, "JPEG", progressive=True)
    data = stream.getvalue()
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * int(generator.integers(1000, 5000)) + data[-2:]


def _segments(generator: np.random.Generator) -> bytes:
    """Millions of empty parts: segments of a JPEG, fill bytes between them, chunks of a PNG, comments of a GIF."""
    from PIL import Image

    kind, count = ["JPEG", "JPEG", "PNG", "GIF"][generator.integers(4)], int(generator.integers(10**6, 10**7))
    stream = io.BytesIO()
    Image.new("P" if kind == "GIF" else "RGB", (16, 16)).save(stream, kind)
    data = stream.getvalue()
    if kind == "PNG":
        return data[:33] + pngs.chunk(b"abCd", b"") * count + data[33:]
    if kind == "GIF":
        start = 13 + (3 << (data[10] & 7) + 1)
        return data[:start] + b"\x21\xfe\x01a\x00" * count + data[start:]
    part = [b"\xff\xe1\0\x02", b"\xff\xdd\0\x04\0\0", b"\xff" * 6][generator.integers(3)]
    return data[:2] + part * count + data[2:]


def _rle(generator: np.random.Generator) -> bytes:
    """A BMP of a kilobyte: long runs, wide or tall."""
    long, short = int(generator.integers(70_000, 40_000_000)), 1
    width, height = (long, short) if generator.integers(2) else (short, long)
    data = b"\xff\x01" * 100 + b"\x00\x01"
    start, colours = 14 + 40 + 1024, b"".join(bytes([grey, grey, grey, 0]) for grey in range(256))
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + colours + data


def _canvas(generator: np.random.Generator) -> bytes:
    """One colour, a few kilobytes, as large as a picture may be or larger."""
    from PIL import Image

    kind, mode = [("WEBP", "RGB"), ("GIF", "P"), ("PNG", "1")][generator.integers(3)]
    stream, side = io.BytesIO(), int(generator.integers(7_200, 9_000))
    Image.new(mode, (side, side)).save(stream, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return stream.getvalue()


def _manifest(place: Place, generator: np.random.Generator) -> Case:
    """An op of some family that asks for more than the model takes."""
    name = list(SIGNATURES)[generator.integers(len(SIGNATURES))]
    found = json.loads(json.dumps(SIGNATURES[name].as_dict()))
    path = sound(place.inside / "bundle") / "manifest.json"
    content = json.loads(path.read_bytes()) | {"signature": found}
    huge = int(10 ** generator.integers(5, 12))
    for op in found["preprocess"] + found["postprocess"]:
        for key, value in op.items():
            if key in ("height", "width", "length", "samples", "fft", "kept"):
                op[key] = huge
            elif key == "shape":
                op[key] = [huge]
            elif key in ("multiply", "mean", "low"):
                op[key] = [[[1.0]] * int(generator.integers(50, 200))] * 50
            elif key in ("at", "deviation", "max_bytes", "half_life"):
                op[key] = None if generator.integers(2) else "x" * 1000
            elif isinstance(value, str) and key == "sha256":
                op[key] = "y"
    found["preprocess"] = found["preprocess"] or [{"op": "resize", "height": huge, "width": huge}]
    for asset in SIGNATURES[name].assets.items():
        content["files"][asset[0]] = vars(file_entry(asset[1]))
        (path.parent / asset[0]).write_bytes(asset[1])
    path.write_bytes(tiny.manifest_bytes(content))
    return Case([("validate", "bundle"), ("predict", "bundle", "a.png")][generator.integers(2)], "signature")


def _many_pixels(place: Place, generator: np.random.Generator) -> Case:
    """A manifest that lifts the cap on pixels, and a picture of some kilobytes that is over it."""
    content = json.loads((sound(place.inside / "bundle") / "manifest.json").read_bytes())
    content["signature"]["preprocess"][0]["max_pixels"] = int(10 ** generator.integers(9, 18))
    (place.inside / "bundle" / "manifest.json").write_bytes(tiny.manifest_bytes(content))
    (place.inside / "a.png").write_bytes(_canvas(generator))
    return Case(("predict", "bundle", "a.png"), "a.png")


def _asked(tokenizer: Callable[[np.random.Generator], dict[str, Any]], text: str, says: str = "tokenizer.json") -> Kind:
    def kind(place: Place, generator: np.random.Generator) -> Case:
        data = json.dumps(json.loads(TEXT.assets["tokenizer.json"]) | tokenizer(generator)).encode()
        own = {"tokenize": {"sha256": sha256(data)}, "text": {"max_bytes": 1_000_000}}
        steps = tuple({**op, **own.get(op["op"], {})} for op in TEXT.preprocess)
        changed = Signature(**{**vars(TEXT), "preprocess": steps, "assets": {"tokenizer.json": data}})
        with_model(place.inside / "bundle", changed)
        (place.inside / "a.txt").write_text(text)
        return Case(("predict", "bundle", "a.txt"), says)

    return kind


def _doublings(generator: np.random.Generator) -> dict[str, Any]:
    size, count = int(generator.integers(2, 5)), int(generator.integers(20, 30))
    part = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * size}
    return {"normalizer": {"type": "Sequence", "normalizers": [part] * count}}


def _backtracking(generator: np.random.Generator) -> dict[str, Any]:
    pattern = ["(a+)+b", "(a|aa)*b", "(?:a*)*b", "(?:(?:a)+x?)+b"][generator.integers(4)]
    return {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": False}}


def _repetitions(generator: np.random.Generator) -> dict[str, Any]:
    """Several repetitions in a row, before something that may not be there."""
    pattern = ["a*" * int(generator.integers(2, 9)) + "[bc]", "a(?=a+a*a{2,}b)", "x|a{0,5000}a{0,9999}b", r"\w*?a*?b"]
    found = pattern[generator.integers(4)]
    return {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": found}, "behavior": "Removed", "invert": False}}


def _long_words(generator: np.random.Generator) -> dict[str, Any]:
    """A WordPiece of long words, or a Unigram of long tokens: the time grows with their square."""
    longest, one = int(generator.integers(3_000, 10_000)), ["[PAD]", "[UNK]", "a", "##a"]
    piece = {"type": "WordPiece", "vocab": {word: row for row, word in enumerate(one)}, "unk_token": "[UNK]"}
    piece |= {"continuing_subword_prefix": "##", "max_input_chars_per_word": longest}
    grams = [[word, 0.0] for word in one[:3]] + [["a" * size, -1.0] for size in range(2, longest, 97)]
    model = [piece, {"type": "Unigram", "unk_id": 1, "vocab": grams}][generator.integers(2)]
    return {"pre_tokenizer": None, "model": model}


def _marks(generator: np.random.Generator) -> dict[str, Any]:
    """Added tokens: many, or long ones."""
    count, size = [(50_000, 40), (9_000, 2_000)][generator.integers(2)]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"added_tokens": [{**plain, "id": 6 + row, "content": f"{row}" + "x" * size} for row in range(count)]}


def _rates(place: Place, generator: np.random.Generator) -> Case:
    """A recording at a rate that has no common divisor with the model's, far above it."""
    rate, wanted = int(generator.choice([383_999, 383_987, 191_999])), int(generator.choice([1000, 1024]))
    hop, samples = 4_000, 100_000
    steps = ({"op": "sound", "rate": wanted, "samples": samples}, {"op": "log_mel", "rate": wanted, "frame": 4096,
             "hop": hop, "fft": 4096, "bands": 8, "low": 20.0, "high": 400.0, "floor": 1e-6})  # fmt: skip
    spec = replace(AUDIO.inputs[0], shape=(None, 1 + (samples - 4096) // hop, 8, 1))
    with_model(place.inside / "bundle", replace(AUDIO, inputs=(spec,), preprocess=steps))
    data = sounds.wav(np.zeros(rate * 60), rate=rate, bits=8)
    (place.inside / "a.wav").write_bytes(data)
    return Case(("predict", "bundle", "a.wav"), "must be resampled")


def _table(rows: Callable[[np.random.Generator], str]) -> Kind:
    def kind(place: Place, generator: np.random.Generator) -> Case:
        signature = SIGNATURES["policy"]
        with_model(place.inside / "bundle", signature)
        (place.inside / "a.csv").write_text(rows(generator))
        return Case(("predict", "bundle", "a.csv"), "a.csv")

    return kind


def _wide(generator: np.random.Generator) -> str:
    count = int(generator.integers(20_000, 60_000))
    return ",".join(f"c{number}" for number in range(count)) + "\n" + ",".join(["1"] * count) + "\n"


def _long(generator: np.random.Generator) -> str:
    return "a,b\n" + "1,2\n" * int(generator.integers(1_000_000, 3_000_000))


_KINDS: Mapping[str, Kind] = {
    "folder-of-holes": _sparse,
    "archive-of-zeros": _zeros,
    "jpeg-scans": _predicted(_scans),
    "picture-parts": _predicted(_segments),
    "bmp-runs": _predicted(_rle),
    "canvas": _predicted(_canvas),
    "lifted-cap": _many_pixels,
    "ops": _manifest,
    "tokenizer-doublings": _asked(_doublings, "a" * 1000),
    "tokenizer-backtracking": _asked(_backtracking, "a" * 5000),
    "tokenizer-repetitions": _asked(_repetitions, "a" * 20_000 + "-b"),
    "tokenizer-long-words": _asked(_long_words, "a" * 900_000, "letters for this tokenizer"),
    "tokenizer-marks": _asked(_marks, "a"),
    "recording-rates": _rates,
    "table-wide": _table(_wide),
    "table-long": _table(_long),
}


def _seeded(kind: Kind, seed: int) -> Attack:
    return lambda place: kind(place, np.random.default_rng(seed))


def seeded(seeds: range) -> Mapping[str, Attack]:
    """Every kind with each of these seeds, counted from a thousand times DLTK_SEED."""
    base = int(os.environ.get("DLTK_SEED", "0")) * 1000
    return {f"{name}-{seed}": _seeded(kind, base + seed) for name, kind in _KINDS.items() for seed in seeds}


KINDS = seeded(range(2))
