"""What a user's data and model files may be, and what another machine may say, byte for byte."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

import tiny
from dltk.data.kinds.rating_columns import read_rated_table
from dltk.edge.bundle.arrays import npz_bytes
from dltk.edge.families import family
from dltk.edge.input.catalogue import Catalogue, parse_catalogue
from dltk.edge.input.vocabulary import Vocabulary, parse_vocabulary
from dltk.edge.replay import read_golden
from dltk.edge.runtime.onnx_file import operators, refuse_external_data
from dltk.edge.sources import read_array, read_image_arrays
from dltk.edge.sources.kinds import IMAGES
from dltk.edge.sources.listing import list_files
from dltk.edge.sources.masks import read_mask
from dltk.edge.sources.pairs import list_pairs
from dltk.edge.sources.ratings import read_ratings
from dltk.edge.sources.tables import ignore_note, read_table
from dltk.edge.sources.texts.listing import list_texts
from dltk.edge.sources.times.parts import read_parts
from dltk.edge.sources.times.rule import TimeRule
from dltk.models.files.config import require_own_layers
from dltk.models.files.container import contents
from dltk.remote.answers import BENCH, fits
from dltk.remote.link import Link
from dltk.remote.wire import pack, receive, unpack
from fuzz_values import Target, changed, changed_json, on_disk

__all__ = ["targets"]

_TIMES = b"t,v\n2024-01-01T00:00,1\n2024-01-01T01:00,2\n2024-01-01T02:00,3\n"
_DAYS = b"t,v\n2024-01-01,1\n2024-02-01,2\n2024-03-01,3\n"
_RATED = b"user,item,rating,time\na,x,5,100\nb,y,3,2024-01-01\na,y,1,300\n"
_ASKED = SimpleNamespace(user=None, item=None, rating=None, time=None, lowest=1.0, highest=5.0, liked=3.0,
                         feedback="auto", order="auto", empty="refuse")  # fmt: skip


# --- tables, pictures and arrays


def _ratings(path: Path) -> object:
    return read_ratings(*read_rated_table(path, _ASKED, ignore_note))


def _png(mode: str, size: tuple[int, int] = (4, 3)) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size) % 3).convert(mode).save(stream, "PNG")
    return stream.getvalue()


def _mask(data: bytes) -> object:
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        (Path(folder) / "a.png").write_bytes(_png("RGB"))
        (Path(folder) / "b.png").write_bytes(data)
        return read_mask(Path(folder) / "b.png", like=Path(folder) / "a.png", labels=("a", "b", "c"))


def _npy(array: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _golden() -> bytes:
    raws = tiny.raws(3)
    tensors = family("classification").tensors(raws, tiny.SIGNATURE)
    named = {f"tensor:{name}": value for name, value in tensors.items()}
    return npz_bytes({"raw": raws, **named, **{f"output:{k}": v for k, v in tiny.reference(raws).items()}})


# --- models

_CONFIG = {
    "module": "keras", "class_name": "Sequential", "registered_name": None, "build_config": {"input_shape": [None, 4]},
    "config": {"name": "net", "layers": [
        {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
         "config": {"name": "dense", "units": 3, "activation": "relu", "fft_length": 5}},
    ]},
}  # fmt: skip


def _archived(content: Any) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(content).encode(errors="surrogatepass"))
    return stream.getvalue()


def _checked(data: bytes) -> None:
    path = Path("model.keras")
    require_own_layers(contents(data, path).config, path)


def _onnx(data: bytes) -> object:
    refuse_external_data(data)
    return operators(data)


# --- another machine

_ERROR = {"kind": "LimitError", "where": "a", "rule": "b", "received": "c", "hint": "d", "measured": [1]}
_LINES = [{"error": _ERROR}, {"result": {"samples": 1}}, {"working": True}]


def _answer(content: Any) -> object:
    """One line of JSON, whatever it says."""
    line = json.dumps({**content, "bytes": 0} if isinstance(content, dict) else content).encode(errors="surrogatepass")
    found = receive(io.BytesIO(line + b"\n"))
    link: Any = Link.__new__(Link)
    link.host = "pi"
    return None if found is None else fits(link._result(found[0]), BENCH)


def _sent(data: bytes) -> object:
    with tempfile.TemporaryDirectory(prefix="dltk-fuzz-") as folder:
        unpack(data, Path(folder))
        return sorted(path.name for path in Path(folder).iterdir())


def targets() -> dict[str, Target]:
    """Name -> what is made, and who reads it."""
    lines = b"".join(json.dumps({**each, "bytes": 0}).encode() + b"\n" for each in _LINES)
    arrays = {"x_train": np.zeros((3, 2, 2), np.uint8), "y_train": np.array([0, 1, 1])}
    catalogue = Catalogue.of(("a",), ("x", "y"), [[0, 1]])
    return {
        "times": Target(
            changed(_TIMES) | changed(_DAYS),
            on_disk(lambda path: read_parts(read_table(path), ("v",), TimeRule(("t",))), "a.csv"),
        ),
        "ratings": Target(changed(_RATED), on_disk(_ratings, "a.csv")),
        "lists of images": Target(
            changed(b"path,label\na.png,x\nb.png,y\n"), on_disk(lambda path: list_files(path, IMAGES), "a.csv")
        ),
        "texts": Target(changed(b'text,label\n"a b",x\nc,y\n'), on_disk(list_texts, "a.csv")),
        "pairs": Target(changed(b"image,text,label\na.png,b c,x\nb.png,d,y\n"), on_disk(list_pairs, "a.csv")),
        "masks": Target(changed(_png("L")) | changed(_png("P")) | changed(_png("1")), _mask),
        "single arrays": Target(changed(_npy(np.arange(6.0).reshape(2, 3))), on_disk(read_array, "a.npy")),
        "image arrays": Target(changed(npz_bytes(arrays)), on_disk(read_image_arrays, "a.npz")),
        "golden files": Target(changed(_golden()), lambda data: read_golden(data, tiny.SIGNATURE)),
        "vocabularies": Target(
            changed_json(json.loads(Vocabulary.of({"a": ["x", "y"], "b": ["z"]}).to_bytes())),
            lambda found: parse_vocabulary(json.dumps(found).encode(errors="surrogatepass")),
        ),
        "catalogues": Target(
            changed_json(json.loads(catalogue.to_bytes())),
            lambda found: parse_catalogue(json.dumps(found).encode(errors="surrogatepass")),
        ),
        "Keras configurations": Target(changed_json(_CONFIG), lambda found: _checked(_archived(found))),
        "Keras files": Target(changed(_archived(_CONFIG)), _checked),
        "ONNX files": Target(changed(tiny.onnx()), _onnx),
        "lines of a machine": Target(changed(lines), lambda data: _all(io.BytesIO(data))),
        "words of a machine": Target(st.sampled_from(_LINES).flatmap(changed_json), _answer),
        "what is sent": Target(changed(pack({"a": b"x" * 9, "b": b"y"})), _sent),
    }


def _all(stream: io.BytesIO) -> object:
    found = []
    while (message := receive(stream, most=10)) is not None:
        found.append(message)
    return found
