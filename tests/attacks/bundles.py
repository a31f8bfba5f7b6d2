"""Hostile bundles: their manifests, and the files that are no models."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import tiny
from attacks.kit import Attack, Case, Place
from attacks.parts import npy, npz_of, picture, sealed, sound, with_model
from dltk.base.files import canonical_json, sha256
from dltk.edge.bundle.signature import Signature
from edge.signatures import TEXT

__all__ = ["BUNDLES"]


# --- manifest


def _manifest(change: Callable[[dict[str, Any], Place], bytes | None], says: str, word: str = "validate") -> Attack:
    """A manifest with any content under a digest that fits, or any bytes."""

    def attack(place: Place) -> Case:
        path = sound(place.inside / "bundle") / "manifest.json"
        content = json.loads(path.read_bytes())
        raw = change(content, place)
        del content["digest"]
        if raw is None:
            raw = canonical_json(content | {"digest": sha256(canonical_json(content))})
        path.write_bytes(raw)
        picture(place)
        return Case((word, "bundle", *(["a.png"] if word == "predict" else [])), says)

    return attack


def _named(name: Callable[[Place], str]) -> Callable[[dict[str, Any], Place], None]:
    def change(content: dict[str, Any], place: Place) -> None:
        data = place.secret.read_bytes()
        content["files"][name(place)] = {"bytes": len(data), "sha256": sha256(data)}

    return change


def _range(content: dict[str, Any], place: Place) -> None:
    content["signature"]["inputs"][0]["value_range"] = [-1.0, 10**400]


def _tolerance(content: dict[str, Any], place: Place) -> None:
    content["artifacts"][0]["parity"]["tolerance"] = 10**400


def _bytes(content: dict[str, Any], place: Place) -> None:
    content["files"]["labels.txt"]["bytes"] = 10**100


def _size(content: dict[str, Any], place: Place) -> None:
    content["signature"]["preprocess"][1]["height"] = 10**9


def _long_number(content: dict[str, Any], place: Place) -> bytes:
    return b'{"schema": ' + b"1" * 900_000 + b"}"


# --- files of the bundle


def _instead(name: str, put: Callable[[Path, Place], object], says: str, word: str = "validate") -> Attack:
    """Something else where a file of the bundle should stand."""

    def attack(place: Place) -> Case:
        path = sound(place.inside / "bundle") / name
        path.unlink()
        put(path, place)
        picture(place)
        return Case((word, "bundle", *(["a.png"] if word == "predict" else [])), says)

    return attack


def _golden(data: Callable[[Place], bytes], says: str) -> Attack:
    def attack(place: Place) -> Case:
        sealed(place.inside / "bundle", {"golden.npz": data(place), "model.float32.onnx": tiny.onnx()})
        return Case(("validate", "bundle"), says)

    return attack


def _pickled(place: Place) -> bytes:
    """An array of objects that is a call of os.system."""
    pickle = b"cos\nsystem\n(S'touch " + os.fsencode(place.canary) + b"'\ntR."
    return npz_of(npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }\n", pickle), "raw.npy")


def _expanding(place: Place) -> bytes:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10**9},), }}\n"
    stream = BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("raw.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(header, b""))
        for _ in range(100):
            member.write(bytes(10**7))
    return stream.getvalue()


def _slipping(place: Place) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"../../../..{place.canary}", b"x")
        archive.writestr(str(place.canary), b"x")
    return stream.getvalue()


# --- assets


def _asset(signature: Signature, data: bytes, says: str, words: tuple[str, ...]) -> Attack:
    """A bundle whose tokenizer is hostile."""

    def attack(place: Place) -> Case:
        steps = [{**op, "sha256": sha256(data)} if "file" in op else op for op in signature.preprocess]
        changed = Signature(
            signature.task, signature.family, signature.inputs, signature.outputs, tuple(steps),
            signature.postprocess, signature.labels, dict.fromkeys(signature.assets, data),
        )  # fmt: skip
        with_model(place.inside / "bundle", changed)
        return Case(("predict", "bundle", *words), says)

    return attack


def _tokenizer(**model: Any) -> bytes:
    whole = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None}
    whole |= {"pre_tokenizer": None, "post_processor": None, "decoder": None, "model": model}
    return json.dumps(whole).encode()


# --- archives


def _archive(change: Callable[[Path, Place], None], says: str) -> Attack:
    def attack(place: Place) -> Case:
        path = place.inside / "bundle.dltk"
        change(path, place)
        return Case(("validate", str(path.name)), says)

    return attack


def _zipped(path: Path, place: Place) -> None:
    """A whole bundle in an archive, with a member that leads out of it."""
    folder = sound(place.inside / "loose")
    with zipfile.ZipFile(path, "w") as archive:
        for entry in sorted(folder.iterdir()):
            archive.write(entry, entry.name)
        archive.writestr(f"../..{place.canary}", b"x")
    shutil.rmtree(folder)


def _zip_bomb(path: Path, place: Place) -> None:
    path.write_bytes(npz_of(bytes(10**9), "manifest.json"))


BUNDLES: Mapping[str, Attack] = {
    "manifest-deep": _manifest(lambda c, p: b'{"schema": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "valid JSON"),
    "manifest-key-twice": _manifest(lambda c, p: b'{"schema": 1, "schema": 1}', "a key occurs twice"),
    "manifest-nan": _manifest(lambda c, p: b'{"schema": NaN}', "NaN is not JSON"),
    "manifest-long-number": _manifest(_long_number, "valid JSON"),
    "manifest-huge-range": _manifest(_range, "value_range must be null or two numbers"),
    "manifest-huge-tolerance": _manifest(_tolerance, "needs a measure and a tolerance"),
    "manifest-huge-size": _manifest(_bytes, "labels.txt"),
    "manifest-huge-picture": _manifest(_size, "resize: height: must be a whole number from 1 to 8192", "predict"),
    "manifest-name-parent": _manifest(_named(lambda place: "../secret.bin"), "must be a plain file name"),
    "manifest-name-absolute": _manifest(_named(lambda place: str(place.secret)), "must be a plain file name"),
    "manifest-name-nul": _manifest(_named(lambda place: "a\0b"), "must be a plain file name"),
    "file-is-a-link": _instead("model.float32.onnx", lambda path, place: path.symlink_to(place.secret), "regular file"),
    "file-is-a-link-at-load": _instead(
        "model.float32.onnx", lambda path, place: path.symlink_to(place.secret), "regular file", "predict"
    ),
    "file-is-a-pipe": _instead("labels.txt", lambda path, place: os.mkfifo(path), "regular file"),
    "manifest-is-a-link": _instead("manifest.json", lambda path, place: path.symlink_to(place.secret), "regular file"),
    "manifest-is-a-pipe": _instead("manifest.json", lambda path, place: os.mkfifo(path), "regular file"),
    "golden-pickle": _golden(_pickled, "must be an .npz of plain arrays"),
    "golden-bomb": _golden(_expanding, "must unpack to at most 64000000 bytes"),
    "golden-terabyte-header": _golden(
        lambda place: npz_of(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000000,), }\n")),
        "must be an .npz of plain arrays",
    ),
    "golden-header-no-python": _golden(lambda place: npz_of(npy("{'descr': (((((")), "must be an .npz of plain arrays"),
    "golden-zip-slip": _golden(_slipping, "must not lead out of it"),
    "tokenizer-deep": _asset(TEXT, b"[" * 10**6, "must be valid JSON", ("a text",)),
    "tokenizer-unknown": _asset(TEXT, b'{"model": {"type": "Run", "path": "/"}}', "must be a tokenizer", ("a text",)),
    "tokenizer-huge-numbers": _asset(
        TEXT,
        _tokenizer(type="WordLevel", vocab={"[PAD]": 0, "a text": 2**31}, unk_token="[PAD]"),
        "must give numbers up to",
        ("a text",),
    ),
    "archive-slip": _archive(_zipped, "bundle.dltk"),
    "archive-bomb": _archive(_zip_bomb, "bundle.dltk"),
}
